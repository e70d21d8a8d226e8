"""The step of this dataset: everything that is due is asked for, and stored while asking goes on."""

from __future__ import annotations

from functools import partial

from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.datasets.spaces.departures import take_departures
from genie_obs.datasets.spaces.store import find_stale_workspaces, select_spaces
from genie_obs.genie_api.loop import run_async
from genie_obs.ledger.due import select_due, select_sizes
from genie_obs.runs.dataset import Run, StepResult

_NOTHING = (
    "due_count", "fetched_count", "settling_count", "retry_count", "forbidden_count", "deleted_count", "not_found_count",
    "abandoned_count", "unread_count", "read_elsewhere_count", "spaces_read_count", "api_call_count", "message_call_count",
    "predicted_call_count", "api_retry_count", "throttled_count",
)  # fmt: skip


def fetch_messages(run: Run) -> StepResult:
    """Ask for the due messages of all workspaces, and for spaces that were last asked for a day ago."""
    scope = run.settings.scope
    spaces = select_spaces(run.tables, scope)
    departures = take_departures(run.tables, scope, spaces)
    select = partial(select_due, run.tables, scope, spaces, run.started_at, only=run.only)
    due = select()
    if not due.num_rows and not find_stale_workspaces(spaces, run.workspaces, run.started_at):
        return StepResult(rows=0, calls=0, numbers=dict.fromkeys(_NOTHING, 0))
    from genie_obs.datasets.messages.fetch import fetch_due  # a run with nothing to do needs no HTTP client

    shared = SharedDue(select, chunk_rows=run.settings.fetch.batch_size, is_shared=bool(run.others.at_work))
    sizes = select_sizes(run.tables, due)
    return run_async(lambda: fetch_due(run, spaces=spaces, departures=departures, due=due, sizes=sizes, shared=shared))
