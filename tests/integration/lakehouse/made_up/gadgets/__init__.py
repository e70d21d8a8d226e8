"""A made-up table, to see that a table is one folder."""

from genie_obs.runs.dataset import Dataset, Run, StepResult


def _step(run: Run) -> StepResult:
    from genie_obs.datasets.gadgets.step import make_gadgets  # type: ignore[import-not-found,import-untyped,unused-ignore]

    result: StepResult = make_gadgets(run)
    return result


DATASET = Dataset(name="gadgets", title="Making gadgets", after=("messages",), step=_step)
