"""Runs besides this one: those that died without a word, those at work right now, and what these two mean for us."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa

from genie_obs.clock import Clock
from genie_obs.config import Scope
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.progress import Note, RunProgress
from genie_obs.runs.record import RunRecord

# A run gives a sign of life after every step and every few minutes within one; no statement takes this long.
SILENT_AFTER = timedelta(minutes=30)
SIGN_EVERY = timedelta(minutes=2)
_SIGN_COLUMNS = ("run_id", "started_date", "status", "alive_at", "error")


def is_dead(run: Row, now: datetime) -> bool:
    """Say whether a run that never said how it ended has been silent for so long that it will not."""
    last_sign: datetime = run["alive_at"] or run["started_at"]
    return run["status"] == "running" and now - last_sign > SILENT_AFTER


def explain_death(run: Row) -> str:
    """Return what became of a run that died without a word."""
    last_sign = run["alive_at"] or run["started_at"]
    return (
        f"no sign of life after {last_sign:%Y-%m-%d %H:%M} UTC: the process was killed, ran out of memory, or its machine went away. "
        "What it had merged is kept, the counts of this record may lack some of it, and the next run does the rest."
    )


def settle_open_runs(tables: Tables, scope: Scope, now: datetime) -> list[Row]:
    """Record as killed what has died, and return the runs at work on something of this scope."""
    runs = [{**run, "status": "running"} for run in tables.rows("runs/select_open_runs")]
    dead = [run for run in runs if is_dead(run, now)]
    if dead:
        _merge_signs(tables, [{**run, "status": "killed", "error": explain_death(run)} for run in dead])
    return [run for run in runs if not is_dead(run, now) and overlaps(run, scope)]


class SignsOfLife:
    """Passes on how far a run is, and writes down now and then that it is alive."""

    def __init__(self, progress: RunProgress, record: RunRecord, tables: Tables, clock: Clock) -> None:
        self._progress = progress
        self._record = record
        self._tables = tables
        self._clock = clock

    def step(self, name: str, total: int | None = None, note: Note | None = None) -> None:
        """Pass on that a step begins."""
        self._progress.step(name, total, note)

    def expect(self, total: int) -> None:
        """Pass on the length of the step."""
        self._progress.expect(total)

    def advance(self, count: int) -> None:
        """Pass on what is done; called by who owns the tables, between two statements."""
        self._progress.advance(count)
        record, now = self._record, self._clock.now()
        if record.alive_at is None or now - record.alive_at >= SIGN_EVERY:
            record.alive_at = now
            sign = {
                "run_id": record.run_id,
                "started_date": record.started_date,
                "status": record.status,
                "alive_at": now,
            }
            _merge_signs(self._tables, [{**sign, "error": None}])


def _merge_signs(tables: Tables, signs: list[Row]) -> None:
    rows = [{column: sign[column] for column in _SIGN_COLUMNS} for sign in signs]
    tables.execute(
        "runs/merge_run_signs",
        run_signs=pa.Table.from_pylist(rows, table("ingestion_runs").arrow_schema(*_SIGN_COLUMNS)),
        started_dates=sorted({sign["started_date"] for sign in signs}),
    )


def overlaps(run: Row, scope: Scope) -> bool:
    """Say whether a run may read messages of this scope."""
    both = (
        (set(run["workspace_ids"] or ()), set(scope.workspace_ids)),
        (set(run["space_ids"] or ()), set(scope.space_ids)),
    )
    return all(not theirs or not ours or theirs & ours for theirs, ours in both)
