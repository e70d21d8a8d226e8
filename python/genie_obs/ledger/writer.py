"""Writes the outcomes of requests to the ledger: several batches at once, because its rows are small and a MERGE is expensive."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from genie_obs.clock import CLOCKS_DIFFER_BY, Clock
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.rows import Key, key_of

_OUTCOME_COLUMNS = (
    "workspace_id", "message_id", "space_id", "conversation_id", "witnessed_date", "first_event_time", "last_write_event_time",
    "witnesses", "state", "reason_code", "state_reason", "http_status", "attempts", "next_attempt_at", "last_attempt_at", "created_date",
    "updated_at",
)  # fmt: skip


def latest_credible(clock: Clock) -> datetime:
    """Return the latest instant that a right clock can have written. A stored one after it comes from a wrong clock.

    The margin also covers a merge that is repeated because another run committed first: the rows of that run are newer, and must win.
    """
    return clock.now() + CLOCKS_DIFFER_BY


class LedgerWriter:
    """Holds ledger rows of messages whose answers are stored, until there are many rows or they have waited long.

    If the process ends before they are merged, their requests are repeated; no message is lost. Not thread-safe.
    """

    def __init__(self, tables: Tables, clock: Clock, *, max_rows: int, max_seconds: float) -> None:
        self._tables = tables
        self._clock = clock
        self._max_rows = max_rows
        self._max_seconds = max_seconds
        self._parts: list[pa.Table] = []  # as Arrow the rows take a tenth of the memory
        self._keys: set[Key] = set()
        self.deadline: float | None = None  # monotonic second by which the rows must be merged

    def holds(self, key: Key) -> bool:
        """Say whether a row of this message waits here."""
        return key in self._keys

    def add(self, rows: list[Row]) -> None:
        """Take the rows of one batch, at most one per message."""
        keys = {key_of(row) for row in rows}
        if not keys.isdisjoint(self._keys):  # a MERGE takes one source row per target row
            self.merge()
        if rows:
            self._keys |= keys
            self._parts.append(pa.Table.from_pylist(rows, table("message_ledger").arrow_schema(*_OUTCOME_COLUMNS)))
            self.deadline = self.deadline or self._clock.monotonic() + self._max_seconds

    def is_due(self) -> bool:
        """Say whether what is held should be merged now."""
        is_late = self.deadline is not None and self._clock.monotonic() >= self.deadline
        return is_late or len(self._keys) >= self._max_rows

    def merge(self) -> None:
        """Merge everything that is held. Repeating it changes nothing."""
        if self._parts:
            merge_ledger(self._tables, pa.concat_tables(self._parts), latest_credible_at=latest_credible(self._clock))
        self._parts, self._keys, self.deadline = [], set(), None


def merge_ledger(tables: Tables, rows: pa.Table, *, latest_credible_at: datetime) -> None:
    """Merge outcomes into the ledger, at most one per message."""
    tables.execute(
        "ledger/merge_outcomes",
        message_outcomes=rows,
        witnessed_dates=sorted(rows["witnessed_date"].unique().to_pylist()),
        latest_credible_at=latest_credible_at,
    )
