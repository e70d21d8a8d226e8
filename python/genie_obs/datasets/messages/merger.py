"""Merging in batches while fetching goes on: one thread owns the tables, a bounded buffer joins it to the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial

import pyarrow as pa

from genie_obs.clock import Clock
from genie_obs.datasets.messages.outcomes import Outcome, count_states, find_stored
from genie_obs.datasets.messages.parsing.known_values import TERMINAL_STATUSES
from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.datasets.spaces.store import merge_spaces
from genie_obs.datasets.statements.query_history import StatementFinder
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.lookup import select_known
from genie_obs.ledger.rows import Key, key_of
from genie_obs.ledger.writer import LedgerWriter, latest_credible

logger = logging.getLogger(__name__)

# Of text, of a batch and of the buffer: bounds memory, and a batch fits into one message to the engine or two.
MAX_BATCH_BYTES = 64 * 1024 * 1024
MAX_BATCH_SECONDS = 30.0  # until both tables have an answer: a slow workspace must not keep it in memory for long
_BATCHES_PER_LEDGER_MERGE = 2  # a MERGE costs less a row the more rows it has, and memory
_FLAGS = pa.schema([("is_terminal", pa.bool_())])
_KEY_COLUMNS = ("workspace_id", "message_id")


@dataclass(kw_only=True)
class MergeTotals:
    """What has been merged so far."""

    states: Counter[str] = field(default_factory=Counter)
    listed_only_count: int = 0
    joined_count: int = 0  # of first answers, stored with their statement
    oldest_stored_date: date | None = None
    seconds: float = 0.0

    def add(self, other: MergeTotals) -> None:
        """Add what another merge came to."""
        self.states.update(other.states)
        self.listed_only_count += other.listed_only_count
        self.joined_count += other.joined_count
        days = [day for day in (self.oldest_stored_date, other.oldest_stored_date) if day is not None]
        self.oldest_stored_date = min(days, default=None)
        self.seconds += other.seconds


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
    """Takes outcomes from many tasks and merges them in order of arrival: `message_details` batch by batch, the ledger now and then.

    The ledger says `fetched` only after the row is stored, so a crash between the two costs repeated requests, never a
    message. Beside another run it is told after every batch, so that this one need not read the same.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        batch_size: int,
        clock: Clock,
        statements: StatementFinder,
        shared: SharedDue,
        on_merged: Callable[[int], None],
    ) -> None:
        self._tables = tables
        self._statements = statements
        self._batch_size = batch_size
        self._clock = clock
        self._shared = shared
        self._on_merged = on_merged
        self._ledger = LedgerWriter(
            tables, clock, max_rows=_BATCHES_PER_LEDGER_MERGE * batch_size, max_seconds=MAX_BATCH_SECONDS
        )
        self._untold = MergeTotals()  # of what is stored, while the ledger is not told yet
        self._queue = OutcomeQueue(max_count=batch_size, max_bytes=MAX_BATCH_BYTES)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="genie-obs-tables")
        self._space_rows: dict[tuple[str, str], Row] = {}
        self._space_turn = asyncio.Lock()
        self.totals = MergeTotals()

    async def put(self, outcome: Outcome) -> None:
        """Hand over an outcome; waits while the buffer is full."""
        await self._queue.put(outcome)

    async def merge_spaces(self, rows: list[Row]) -> None:
        """Merge rows of `space_details` at once, with those that came while the tables were busy; waits until they are stored."""
        for row in rows:
            earlier = self._space_rows.setdefault((row["workspace_id"], row["space_id"]), row)
            earlier.update(row, is_new=earlier["is_new"])  # a MERGE wants one source row per target row
        async with self._space_turn:
            waiting, self._space_rows = list(self._space_rows.values()), {}
            if waiting:  # shielded: a workspace that is given up must not take the rows of others with it
                await asyncio.shield(self.call(lambda: merge_spaces(self._tables, waiting)))

    async def finish(self) -> None:
        """Say that no more outcomes come; `run` then merges the rest and returns."""
        await self._queue.put(None)

    async def run(self) -> None:
        """Merge batch after batch until finished."""
        is_open = True
        while is_open:
            batch, is_open = await self._collect()
            await self.call(partial(self._merge, batch, is_last=not is_open))

    def close(self) -> None:
        """Release the thread; of a run that fails, the ledger is told what is stored, if it can be."""
        self._thread.shutdown(wait=True)
        try:
            self._tell_ledger()
        except Exception as error:  # noqa: BLE001  # why the run fails is another error, which must not be hidden
            logger.warning("the ledger was not told what is stored, so it is read again: %s", type(error).__name__)

    async def call(self, function: Callable[[], None]) -> None:
        """Run something on the thread that owns the tables."""
        await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def _collect(self) -> tuple[list[Outcome], bool]:
        """Return the next batch, and whether more may come."""
        # By key, the last one wins: a MERGE wants one source row per target row.
        batch: dict[Key, Outcome] = {}
        payload_bytes = 0
        deadline = self._ledger.deadline
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
            batch[key_of(outcome.ledger)] = outcome
            payload_bytes += outcome.payload_bytes
            deadline = deadline or self._clock.monotonic() + MAX_BATCH_SECONDS
        return list(batch.values()), True

    def _merge(self, batch: list[Outcome], *, is_last: bool) -> None:
        started = self._clock.monotonic()
        batch = self._without_known(batch)
        self._find_stored(batch)
        first = [outcome.details for outcome in batch if outcome.details and outcome.is_first]
        joined_count = self._statements.fill(first, self._clock.now())
        has_met_another_run = store_answers(self._tables, batch, latest_credible_at=latest_credible(self._clock))
        # What another run had stored first keeps its own statements; how many of ours were stored is not known then.
        self._add_up(batch, joined_count=0 if has_met_another_run else joined_count)
        self._ledger.add([outcome.ledger for outcome in batch])
        if is_last or has_met_another_run or self._shared.is_shared or self._ledger.is_due():
            self._tell_ledger()
        self.totals.seconds += self._clock.monotonic() - started
        self._shared.note_batch(has_met_another_run=has_met_another_run)
        self._on_merged(sum(not outcome.is_listed_only for outcome in batch))
        logger.debug("merged %d messages", len(batch))

    def _tell_ledger(self) -> None:
        self._ledger.merge()
        self.totals.add(self._untold)
        self._untold = MergeTotals()

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
            outcome
            for outcome in batch
            if not outcome.is_listed_only
            or not (key_of(outcome.ledger) in known or self._ledger.holds(key_of(outcome.ledger)))
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
            "datasets/messages/select_stored_dates",
            wanted_messages=pa.Table.from_pylist(keys, columns),
            first_message_id=min(ids),
            last_message_id=max(ids),
        )
        dates = {key_of(row): row["created_date"] for row in rows}
        for outcome in unknown:
            find_stored(outcome, dates.get(key_of(outcome.ledger)))

    def _add_up(self, batch: list[Outcome], *, joined_count: int) -> None:
        dates = [outcome.details["created_date"] for outcome in batch if outcome.details]
        self._untold.add(
            MergeTotals(
                states=count_states([outcome for outcome in batch if not outcome.is_listed_only]),
                listed_only_count=sum(outcome.is_listed_only for outcome in batch),
                joined_count=joined_count,
            )
        )
        # At once: later runs look for the statements of everything stored since this day.
        self.totals.add(MergeTotals(oldest_stored_date=min(dates, default=None)))


def store_answers(tables: Tables, batch: list[Outcome], *, latest_credible_at: datetime) -> bool:
    """Merge the answers of one batch into `message_details`, one per message. Repeating it changes nothing.

    What is stored with an instant after `latest_credible_at` was written by a clock that was wrong. Returns whether first
    answers were there all the same: stored by another run, or by one that died before it told the ledger.
    """
    is_met = False
    for is_first in (True, False):
        details = [outcome.details for outcome in batch if outcome.details and outcome.is_first is is_first]
        if details:
            is_met |= _merge_details(tables, details, latest_credible_at=latest_credible_at, is_first=is_first)
    return is_met


def _merge_details(tables: Tables, details: list[Row], *, latest_credible_at: datetime, is_first: bool) -> bool:
    """Merge rows of messages, and return whether first answers were there already."""
    columns = pa.unify_schemas([table("message_details").arrow_schema(), _FLAGS])
    rows = pa.Table.from_pylist(details, columns)
    met = tables.merge(
        "message_details",
        rows,
        expect_new=is_first,
        latest_credible_at=latest_credible_at,
        terminal_statuses=sorted(TERMINAL_STATUSES),
    )
    return met > 0
