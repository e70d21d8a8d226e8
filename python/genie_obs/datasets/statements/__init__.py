"""The query history: how the statements of messages ran."""

from genie_obs.runs.dataset import Dataset, Run, StepResult


def _step(run: Run) -> StepResult:
    from genie_obs.datasets.statements.step import join_statements

    return join_statements(run)


DATASET = Dataset(
    name="statements", title="Joining statements", needs=("query.history",), after=("messages",), step=_step
)
