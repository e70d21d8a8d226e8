"""`message_details`: what each message asks and answers, from the Genie API."""

from genie_obs.runs.dataset import Dataset, Run, StepResult


def _step(run: Run) -> StepResult:
    from genie_obs.datasets.messages.step import fetch_messages

    return fetch_messages(run)


DATASET = Dataset(name="messages", title="Fetching messages", after=("events",), step=_step, is_reread=True)
