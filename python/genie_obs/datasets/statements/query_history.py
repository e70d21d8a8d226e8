"""Enrichment: joins the statements of messages from `system.query.history`. When and on which days: `reading_plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from genie_obs.datasets.statements.reading_plan import ReadingPlan, days_of, days_to_read
from genie_obs.drift import DriftCounter, describe_unknown
from genie_obs.errors import SourceError
from genie_obs.lakehouse.arrow_rows import to_rows
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.security.content_policy import ContentGuard

MAX_SLICE_MESSAGES = 200_000  # of one reading of the history: what fits into a message to the engine
_HISTORY_IS_THERE_AFTER = timedelta(days=1)
# The three final ones, and those of statements that are not final.
_KNOWN_STATUSES = frozenset({"FINISHED", "FAILED", "CANCELED", "QUEUED", "STARTED", "COMPILING", "COMPILED", "RUNNING"})
_TIMES = ["created_at", "updated_timestamp", "ingestion_timestamp"]
_WANTED_COLUMNS = (
    "workspace_id", "message_id", "space_id", "statement_id", "created_date", "content_policy", "query_execution_status",
)  # fmt: skip
_STATEMENT_COLUMNS = (
    "workspace_id", "message_id", "created_date", "statement_id", "query_execution_status", "query_duration_ms", "query_start_time",
    "query_end_time", "query_warehouse_id", "query_read_rows", "query_read_bytes", "query_produced_rows", "query_from_result_cache",
    "query_error_message",
)  # fmt: skip
_JOINED_COLUMNS = tuple(name for name in _STATEMENT_COLUMNS if name.startswith("query_"))

Row = dict[str, Any]


@dataclass(kw_only=True)
class Enriched:
    """The result of one pass: how many messages got their statement, and how many are still without."""

    joined_count: int = 0
    missing_count: int = 0
    drift: DriftCounter = field(default_factory=DriftCounter)


def enrich(
    tables: Tables,
    plan: ReadingPlan,
    *,
    run_id: str,
    on_expected: Callable[[int], None],
    on_done: Callable[[int], None],
    guard: ContentGuard,
) -> Enriched:
    """Join what the query history has by now. Repeating it changes nothing.

    Args:
        tables: where messages are stored.
        plan: which messages are looked for, and on which days.
        run_id: the run that asks.
        on_expected: gets the number of statements that are looked for.
        on_done: gets the number of statements that a slice looked for, when it is done.
        guard: decides what may be kept of a statement's error.
    """
    wanted = tables.select(
        "datasets/statements/select_wanted_statements",
        from_date=plan.from_date,
        changed_since=plan.changed_since,
        changed_since_ms=int(plan.changed_since.timestamp() * 1_000),
        stored_since=plan.stored_since,
        run_id=run_id,
    )
    on_expected(wanted.num_rows)
    total = Enriched()
    for start in range(0, wanted.num_rows, MAX_SLICE_MESSAGES):
        part = wanted.slice(start, MAX_SLICE_MESSAGES)
        joined = _join(tables, part, plan, total.drift, guard)
        total.joined_count += joined
        total.missing_count += part.num_rows - joined
        on_done(part.num_rows)
    return total


class StatementFinder:
    """Finds the statements of messages that are about to be stored for the first time, so that a backfill writes each row once.

    It looks only for messages older than a day, because the query history is late. `enrich` looks for the others later.
    """

    def __init__(self, tables: Tables, guard: ContentGuard, *, is_read: bool = True) -> None:
        self._tables = tables
        self._guard = guard
        self.drift = DriftCounter()
        self.is_read = is_read  # whether the query history can be read at all
        self.failure: SourceError | None = None  # why it no longer can

    def fill(self, details: list[Row], now: datetime) -> int:
        """Fill in what the query history has for rows of `message_details`. Return the number of rows that got something."""
        before = now - _HISTORY_IS_THERE_AFTER
        wanted = {
            (row["workspace_id"], row["message_id"]): row
            for row in details
            if row.get("statement_id") and row["created_at"] < before
        }
        if not wanted or not self.is_read:
            return 0
        rows = pa.Table.from_pylist(list(wanted.values()), _schema(_WANTED_COLUMNS))
        try:
            found = _select(self._tables, rows, self._guard, self.drift, days=days_of(wanted.values()))
        except SourceError as failure:  # an optional source: answers are stored without it
            self.is_read, self.failure = False, failure
            return 0
        for row in to_rows(found):
            wanted[row["workspace_id"], row["message_id"]].update({name: row[name] for name in _JOINED_COLUMNS})
        return int(found.num_rows)


def _join(tables: Tables, wanted: pa.Table, plan: ReadingPlan, drift: DriftCounter, guard: ContentGuard) -> int:
    days = days_to_read(plan, to_rows(wanted.select(_TIMES)))
    found = _select(tables, wanted, guard, drift, days=days)
    if found.num_rows:
        tables.execute(
            "datasets/statements/merge_statements",
            joined_statements=found.select(_STATEMENT_COLUMNS).cast(_schema(_STATEMENT_COLUMNS)),
            created_dates=found.column("created_date").unique().to_pylist(),
        )
    return int(found.num_rows)


def _select(
    tables: Tables, wanted: pa.Table, guard: ContentGuard, drift: DriftCounter, *, days: Collection[date]
) -> pa.Table:
    """Return what the query history has about statements that began on some days (UTC). Their errors are protected."""
    found = tables.select(
        "datasets/statements/select_statements",
        wanted_statements=wanted.select(_WANTED_COLUMNS).cast(_schema(_WANTED_COLUMNS)),
        days=sorted(days),
    )
    if not found.num_rows:
        return found
    _count_unknown_statuses(found, drift)
    return _protected(found, guard)


def _schema(columns: tuple[str, ...]) -> pa.Schema:
    of_table = table("message_details").arrow_schema()
    return pa.schema([of_table.field(name) for name in columns])


def _protected(found: pa.Table, guard: ContentGuard) -> pa.Table:
    """Return the statements with their errors, which quote SQL, as the content policy allows them."""
    columns = ("query_error_message", "workspace_id", "space_id", "content_policy")
    errors = [
        guard.protect_statement_error(*values)
        for values in zip(*(found.column(name).to_pylist() for name in columns), strict=True)
    ]
    at = found.column_names.index("query_error_message")
    return found.set_column(at, "query_error_message", pa.array(errors, pa.string()))


def _count_unknown_statuses(found: pa.Table, drift: DriftCounter) -> None:
    """Count statuses that this version does not know. They are stored, and treated like those that are not final."""
    for status, count in Counter(found.column("query_execution_status").to_pylist()).items():
        if status is not None and status not in _KNOWN_STATUSES:
            drift.add(describe_unknown("system.query.history.execution_status", status), count)
