"""The table `genie_events`: the events of the audit log, and with them which messages exist."""

from genie_obs.runs.dataset import Dataset, Run, StepResult


def _step(run: Run) -> StepResult:
    from genie_obs.datasets.events.step import discover_messages

    return discover_messages(run)


DATASET = Dataset(name="events", title="Reading the audit log", needs=("access.audit",), step=_step)
