"""The signs of life of a run: stored every two minutes, so that other runs and people can see whether it still works."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pyarrow as pa

from genie_obs.clock import Clock
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables

BEAT_EVERY = timedelta(minutes=2)
_SIGN_COLUMNS = ("run_id", "started_date", "status", "alive_at", "error")


class Heartbeat:
    """Stores that a run is alive. Not thread-safe: the owner of the tables calls it between two statements."""

    def __init__(self, tables: Tables, clock: Clock, *, run_id: str, started_at: datetime, started_date: date) -> None:
        self._tables = tables
        self._clock = clock
        self._run_id = run_id
        self._started_date = started_date
        self.last_at = started_at  # UTC

    def seconds_left(self) -> float:
        """Return the seconds until the next sign is due, at least one."""
        return max(1.0, (self.last_at + BEAT_EVERY - self._clock.now()).total_seconds())

    def beat(self) -> None:
        """Write a sign if the last one is older than `BEAT_EVERY`."""
        now = self._clock.now()
        if now - self.last_at < BEAT_EVERY:
            return
        self.last_at = now
        sign = {"run_id": self._run_id, "started_date": self._started_date, "status": "running", "error": None}
        merge_signs(self._tables, [{**sign, "alive_at": now}])


def merge_signs(tables: Tables, signs: list[Row]) -> None:
    """Store what is known about runs that have not recorded their end: run_id, started_date, status, alive_at, error."""
    rows = [{column: sign[column] for column in _SIGN_COLUMNS} for sign in signs]
    tables.execute(
        "runs/merge_run_signs",
        run_signs=pa.Table.from_pylist(rows, table("ingestion_runs").arrow_schema(*_SIGN_COLUMNS)),
        started_dates=sorted({sign["started_date"] for sign in signs}),
    )
