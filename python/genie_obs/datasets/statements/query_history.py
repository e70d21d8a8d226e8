"""Enrichment: joins the statements of messages from `system.query.history`. Every run tries again until they are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from genie_obs.drift import DriftCounter, describe_unknown
from genie_obs.errors import SourceError
from genie_obs.lakehouse.arrow_rows import to_rows
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.security.content_policy import ContentGuard

MAX_SLICE_MESSAGES = 50_000
LOOK_FOR = timedelta(days=7)
# A statement starts after its question; the clocks of the two services may differ.
_CLOCK_SLACK = timedelta(hours=1)
_USUALLY_WITHIN = timedelta(days=2)  # after the day of its question begins; one that is run again later is not
_HISTORY_IS_THERE_AFTER = timedelta(days=1)
# The three final ones, and those of statements that are not final.
_KNOWN_STATUSES = frozenset({"FINISHED", "FAILED", "CANCELED", "QUEUED", "STARTED", "COMPILING", "COMPILED", "RUNNING"})
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
    *,
    run_id: str,
    oldest_stored_date: date | None,
    now: datetime,
    on_expected: Callable[[int], None],
    on_done: Callable[[int], None],
    guard: ContentGuard,
) -> Enriched:
    """Join what the query history has by now. Repeating it changes nothing.

    Args:
        tables: where messages are stored.
        run_id: the run that asks.
        oldest_stored_date: earliest created_date this run stored a row for; None if it stored none.
        now: instant of the pass, UTC; messages stored more than 7 days before are no longer looked at.
        guard: decides what may be kept of a statement's error.
        on_expected: gets the number of statements that are looked for.
        on_done: gets the number of statements that a slice looked for, when it is done.
    """
    total = Enriched()
    from_date = _floor(tables, run_id, oldest_stored_date, now)
    if from_date is None:
        return total
    days = tables.rows("datasets/statements/select_statement_days", from_date=from_date, stored_since=now - LOOK_FOR)
    on_expected(sum(day["message_count"] for day in days))
    for group in _cut(days):
        wanted = sum(day["message_count"] for day in group)
        joined = _join(tables, [day["created_date"] for day in group], now, total.drift, guard)
        total.joined_count += joined
        total.missing_count += wanted - joined
        on_done(wanted)
    return total


def _floor(tables: Tables, run_id: str, oldest_stored_date: date | None, now: datetime) -> date | None:
    """Return the earliest day with rows stored in the last 7 days, None if there are none."""
    [runs] = tables.rows(
        "datasets/statements/select_enrichment_floor", started_since=(now - LOOK_FOR).date(), run_id=run_id
    )
    return min((day for day in (runs["oldest_stored_date"], oldest_stored_date) if day is not None), default=None)


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
        days = [row["created_date"] for row in wanted.values()]
        until = _start_of(max(days)) + _USUALLY_WITHIN
        try:
            found = _select(self._tables, rows, self._guard, self.drift, since=_start_of(min(days)), until=until)
        except SourceError as failure:  # an optional source: answers are stored without it
            self.is_read, self.failure = False, failure
            return 0
        for row in to_rows(found):
            wanted[row["workspace_id"], row["message_id"]].update({name: row[name] for name in _JOINED_COLUMNS})
        return int(found.num_rows)


def _join(tables: Tables, days: list[date], now: datetime, drift: DriftCounter, guard: ContentGuard) -> int:
    wanted = tables.select(
        "datasets/statements/select_wanted_statements", created_dates=days, stored_since=now - LOOK_FOR
    )
    if not wanted.num_rows:  # another run was quicker
        return 0
    found = _select(tables, wanted, guard, drift, since=_start_of(min(days)), until=now + _CLOCK_SLACK)
    if found.num_rows:
        tables.execute(
            "datasets/statements/merge_statements",
            joined_statements=found.select(_STATEMENT_COLUMNS).cast(_schema(_STATEMENT_COLUMNS)),
            created_dates=found.column("created_date").unique().to_pylist(),
        )
    return int(found.num_rows)


def _select(
    tables: Tables, wanted: pa.Table, guard: ContentGuard, drift: DriftCounter, *, since: datetime, until: datetime
) -> pa.Table:
    """Return what the query history has about statements that began in a range of time. Their errors are protected."""
    found = tables.select(
        "datasets/statements/select_statements",
        wanted_statements=wanted.select(_WANTED_COLUMNS).cast(_schema(_WANTED_COLUMNS)),
        started_since=since - _CLOCK_SLACK,
        started_before=until,
    )
    if not found.num_rows:
        return found
    _count_unknown_statuses(found, drift)
    return _protected(found, guard)


def _schema(columns: tuple[str, ...]) -> pa.Schema:
    of_table = table("message_details").arrow_schema()
    return pa.schema([of_table.field(name) for name in columns])


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


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


def _cut(days: list[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for day in days:
        if group and size + day["message_count"] > MAX_SLICE_MESSAGES:
            yield group
            group, size = [], 0
        group.append(day)
        size += day["message_count"]
    if group:
        yield group
