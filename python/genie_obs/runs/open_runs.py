"""Other runs: those that died before they recorded their end, and those at work now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from genie_obs.config import Scope
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.tables import Tables
from genie_obs.runs.heartbeat import merge_signs

# A run gives a sign of life every two minutes, and no statement takes this long.
SILENT_AFTER = timedelta(minutes=30)
REMEMBERED_FOR = timedelta(days=8)  # a little longer than statements are looked for


@dataclass(frozen=True, kw_only=True)
class OtherRuns:
    """The runs that had not recorded their end when this one began."""

    at_work: list[Row]  # on a part of this scope
    died: list[Row]
    recent: list[Row] = field(default_factory=list)  # all that began within `REMEMBERED_FOR`, whatever became of them

    @property
    def earliest_start(self) -> datetime | None:
        """Return when the earliest of them began, UTC."""
        return min((run["started_at"] for run in (*self.at_work, *self.died)), default=None)


def is_dead(run: Row, now: datetime) -> bool:
    """Say whether a run without a recorded end has been silent for so long that it must be dead."""
    last_sign: datetime = run["alive_at"] or run["started_at"]
    return run["status"] == "running" and now - last_sign > SILENT_AFTER


def explain_death(run: Row) -> str:
    """Return a sentence about a run that died before it recorded its end."""
    last_sign = run["alive_at"] or run["started_at"]
    return (
        f"no sign of life after {last_sign:%Y-%m-%d %H:%M} UTC: the process was killed, ran out of memory, or its machine went away. "
        "What it had merged is kept, the counts of this record may lack some of it, and the next run does the rest."
    )


def find_other_runs(tables: Tables, scope: Scope, now: datetime) -> OtherRuns:
    """Return the runs at work on a part of this scope, and those that died. The dead ones are recorded as killed."""
    recent = tables.rows("runs/select_earlier_runs", since=(now - REMEMBERED_FOR).date())
    runs = [run for run in recent if run["status"] == "running"]
    died = [run for run in runs if is_dead(run, now)]
    if died:
        merge_signs(tables, [{**run, "status": "killed", "error": explain_death(run)} for run in died])
    at_work = [run for run in runs if not is_dead(run, now) and overlaps(run, scope)]
    return OtherRuns(at_work=at_work, died=died, recent=recent)


def overlaps(run: Row, scope: Scope) -> bool:
    """Say whether a run may read messages of this scope."""
    both = (
        (set(run["workspace_ids"] or ()), set(scope.workspace_ids)),
        (set(run["space_ids"] or ()), set(scope.space_ids)),
    )
    return all(not theirs or not ours or theirs & ours for theirs, ours in both)
