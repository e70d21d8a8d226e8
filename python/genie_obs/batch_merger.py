"""Merging in batches while fetching goes on: one thread owns the tables, a bounded buffer joins it to the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from genie_obs.clock import Clock
from genie_obs.discovery import select_known
from genie_obs.enrichment import StatementFinder
from genie_obs.outcomes import Outcome, Row, count_states, find_stored
from genie_obs.schema import table
from genie_obs.tables import Tables

logger = logging.getLogger(__name__)

# Of text, of a batch and of the buffer: a batch is one Arrow relation, which Spark Connect wants below 128 MB a row group.
MAX_BATCH_BYTES = 64 * 1024 * 1024
MAX_BATCH_SECONDS = 30.0  # a slow workspace must not keep what was fetched in memory for long
# Also how long a merge may be repeated after it lost against another run's, whose rows are newer and must win.
_CLOCKS_DIFFER_BY = timedelta(minutes=10)
_FLAGS = pa.schema([("is_terminal", pa.bool_())])
_KEY_COLUMNS = ("workspace_id", "message_id")
_OUTCOME_COLUMNS = (
    "workspace_id", "message_id", "space_id", "conversation_id", "witnessed_date", "first_event_time", "last_write_event_time",
    "witnesses", "state", "state_reason", "http_status", "attempts", "next_attempt_at", "last_attempt_at", "created_date", "updated_at",
)  # fmt: skip


@dataclass(kw_only=True)
class MergeTotals:
    """What has been merged so far."""

    states: Counter[str] = field(default_factory=Counter)
    listed_only_count: int = 0
    joined_count: int = 0  # of first answers, stored with their statement
    oldest_stored_date: date | None = None
    seconds: float = 0.0


class OutcomeQueue(asyncio.Queue["Outcome | None"]):
    """A queue that is full when it holds so many outcomes, or so many bytes of text; None says that no more come."""

    def __init__(self, *, max_count: int, max_bytes: int) -> None:
        self._bytes = 0
        self._max_bytes = max_bytes
        super().__init__(maxsize=max_count)

    def full(self) -> bool:
        """Say whether `put` has to wait."""
        return self._bytes >= self._max_bytes or super().full()

    # What asyncio.Queue leaves to its subclasses.

    def _put(self, item: Outcome | None) -> None:
        self._bytes += item.payload_bytes if item else 0
        super()._put(item)

    def _get(self) -> Outcome | None:
        item: Outcome | None = super()._get()
        self._bytes -= item.payload_bytes if item else 0
        return item


class BatchMerger:
    """Takes outcomes from many tasks and merges them in order of arrival, details before ledger.

    The ledger says `fetched` only after the row is stored, so a crash between the two costs a repeated request, never a
    message.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        batch_size: int,
        clock: Clock,
        statements: StatementFinder,
        on_merged: Callable[[int, bool], None],
    ) -> None:
        self._tables = tables
        self._statements = statements
        self._batch_size = batch_size
        self._clock = clock
        self._on_merged = on_merged
        self._queue = OutcomeQueue(max_count=batch_size, max_bytes=MAX_BATCH_BYTES)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="genie-obs-tables")
        self._space_rows: list[Row] = []
        self._space_turn = asyncio.Lock()
        self.totals = MergeTotals()

    async def put(self, outcome: Outcome) -> None:
        """Hand over an outcome; waits while the buffer is full."""
        await self._queue.put(outcome)

    async def merge_spaces(self, rows: list[Row]) -> None:
        """Merge rows of `space_details` at once, with those of other workspaces that came while the tables were busy."""
        self._space_rows += rows
        async with self._space_turn:
            waiting, self._space_rows = self._space_rows, []
            if waiting:
                await self._call(lambda: merge_spaces(self._tables, waiting))

    async def finish(self) -> None:
        """Say that no more outcomes come; `run` then merges the rest and returns."""
        await self._queue.put(None)

    async def run(self) -> None:
        """Merge batch after batch until finished."""
        is_open = True
        while is_open:
            batch, is_open = await self._collect()
            if batch:
                await self._call(lambda batch=batch: self._merge(batch))  # type: ignore[misc]

    def close(self) -> None:
        """Release the thread."""
        self._thread.shutdown(wait=True)

    async def _call(self, function: Callable[[], None]) -> None:
        """Run something on the thread that owns the tables."""
        await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def _collect(self) -> tuple[list[Outcome], bool]:
        """Return the next batch, and whether more may come."""
        # By key, the last one wins: a MERGE wants one source row per target row.
        batch: dict[tuple[str, str], Outcome] = {}
        payload_bytes = 0
        deadline: float | None = None
        while len(batch) < self._batch_size and payload_bytes < MAX_BATCH_BYTES:
            left = None if deadline is None else max(0.0, deadline - self._clock.monotonic())
            try:
                outcome = (
                    await asyncio.wait_for(self._queue.get(), timeout=left)
                    if self._queue.empty()
                    else self._queue.get_nowait()
                )
            except TimeoutError:
                break
            if outcome is None:
                return list(batch.values()), False
            batch[outcome.ledger["workspace_id"], outcome.ledger["message_id"]] = outcome
            payload_bytes += outcome.payload_bytes
            deadline = deadline or self._clock.monotonic() + MAX_BATCH_SECONDS
        return list(batch.values()), True

    def _merge(self, batch: list[Outcome]) -> None:
        started = self._clock.monotonic()
        batch = self._without_known(batch)
        self._find_stored(batch)
        first = [outcome.details for outcome in batch if outcome.details and outcome.is_first]
        joined_count = self._statements.fill(first, self._clock.now())
        has_met_another_run = merge_outcomes(
            self._tables, batch, latest_credible_at=self._clock.now() + _CLOCKS_DIFFER_BY
        )
        # What another run had stored first keeps its own statements; how many of ours were stored is not known then.
        self.totals.joined_count += 0 if has_met_another_run else joined_count
        self._add_up(batch)
        self.totals.seconds += self._clock.monotonic() - started
        self._on_merged(sum(not outcome.is_listed_only for outcome in batch), has_met_another_run)
        logger.debug("merged %d messages", len(batch))

    def _without_known(self, batch: list[Outcome]) -> list[Outcome]:
        """Drop listed messages that the ledger knows after all: they were not due, so they have not changed."""
        listed = [outcome.ledger for outcome in batch if outcome.is_listed_only]
        if not listed:
            return batch
        keys = [{column: row[column] for column in _KEY_COLUMNS} | {"is_creation_seen": False} for row in listed]
        known = select_known(
            self._tables, pa.Table.from_pylist(keys), recent_since=min(row["witnessed_date"] for row in listed)
        )
        return [
            o for o in batch if not (o.is_listed_only and (o.ledger["workspace_id"], o.ledger["message_id"]) in known)
        ]

    def _find_stored(self, batch: list[Outcome]) -> None:
        """Find the rows of messages that are gone and that the ledger does not know as stored: a run died between the two."""
        unknown = [o for o in batch if o.details is not None and o.details["created_date"] is None]
        if not unknown:
            return
        ids = [outcome.ledger["message_id"] for outcome in unknown]
        keys = [{column: outcome.ledger[column] for column in _KEY_COLUMNS} for outcome in unknown]
        columns = table("message_details").arrow_schema(*_KEY_COLUMNS)
        rows = self._tables.rows(
            "select_stored_dates",
            wanted_messages=pa.Table.from_pylist(keys, columns),
            first_message_id=min(ids),
            last_message_id=max(ids),
        )
        dates = {(row["workspace_id"], row["message_id"]): row["created_date"] for row in rows}
        for outcome in unknown:
            find_stored(outcome, dates.get((outcome.ledger["workspace_id"], outcome.ledger["message_id"])))

    def _add_up(self, batch: list[Outcome]) -> None:
        totals = self.totals
        totals.states.update(count_states([outcome for outcome in batch if not outcome.is_listed_only]))
        totals.listed_only_count += sum(outcome.is_listed_only for outcome in batch)
        dates = [outcome.details["created_date"] for outcome in batch if outcome.details]
        totals.oldest_stored_date = min(
            [*dates, totals.oldest_stored_date] if totals.oldest_stored_date else dates, default=None
        )


def merge_outcomes(tables: Tables, batch: list[Outcome], *, latest_credible_at: datetime) -> bool:
    """Merge one batch, one outcome per message: `message_details` first, then the ledger. Repeating it changes nothing.

    What is stored with an instant after `latest_credible_at` was written by a clock that was wrong. Returns whether first
    answers were there all the same: stored by another run, or by one that died before it told the ledger.
    """
    is_met = False
    for is_first in (True, False):
        details = [outcome.details for outcome in batch if outcome.details and outcome.is_first is is_first]
        if details:
            is_met |= _merge_details(tables, details, latest_credible_at=latest_credible_at, is_first=is_first)
    rows = [outcome.ledger for outcome in batch]
    if rows:
        columns = table("message_ledger").arrow_schema(*_OUTCOME_COLUMNS)
        tables.execute(
            "merge_outcomes",
            message_outcomes=pa.Table.from_pylist(rows, columns),
            witnessed_dates=_dates(rows, "witnessed_date"),
            latest_credible_at=latest_credible_at,
        )
    return is_met


def _merge_details(tables: Tables, details: list[Row], *, latest_credible_at: datetime, is_first: bool) -> bool:
    """Merge rows of messages, and return whether first answers were there already."""
    columns = pa.unify_schemas([table("message_details").arrow_schema(), _FLAGS])
    merge = partial(
        tables.execute,
        "merge_messages",
        fetched_messages=pa.Table.from_pylist(details, columns),
        created_dates=_dates(details, "created_date"),
        latest_credible_at=latest_credible_at,
    )
    is_met = is_first and merge(only_new=True) < len(details)
    if is_met or not is_first:
        merge()
    return is_met


def merge_spaces(tables: Tables, rows: list[Row]) -> None:
    """Merge rows of spaces that were asked for, one per space."""
    tables.execute("merge_spaces", fetched_spaces=pa.Table.from_pylist(rows, table("space_details").arrow_schema()))


def _dates(rows: list[Row], column: str) -> list[Any]:
    return sorted({row[column] for row in rows})
