"""Enrichment: joins the statements of stored messages from `system.query.history`, again and again until they are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from genie_obs.content_policy import ContentGuard
from genie_obs.drift import DriftCounter, describe_unknown
from genie_obs.progress import RunProgress
from genie_obs.schema import table
from genie_obs.tables import Tables

MAX_SLICE_MESSAGES = 50_000
LOOK_FOR = timedelta(days=7)
# A statement starts after its question; the clocks of the two services may differ.
_CLOCK_SLACK = timedelta(hours=1)
# The three final ones, and those the query history shows for statements that are not.
_KNOWN_STATUSES = frozenset({"FINISHED", "FAILED", "CANCELED", "QUEUED", "STARTED", "COMPILING", "COMPILED", "RUNNING"})
_STATEMENT_COLUMNS = (
    "workspace_id", "message_id", "created_date", "statement_id", "query_execution_status", "query_duration_ms", "query_start_time",
    "query_end_time", "query_warehouse_id", "query_read_rows", "query_read_bytes", "query_produced_rows", "query_from_result_cache",
    "query_error_message",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(kw_only=True)
class Enriched:
    """What one pass came to: messages whose statement was joined, and those still without."""

    joined_count: int = 0
    missing_count: int = 0
    drift: DriftCounter = field(default_factory=DriftCounter)


def enrich(
    tables: Tables,
    *,
    run_id: str,
    oldest_stored_date: date | None,
    now: datetime,
    progress: RunProgress,
    guard: ContentGuard,
) -> Enriched:
    """Join what the query history has by now; repeating it changes nothing.

    Args:
        tables: where.
        run_id: the run that asks.
        oldest_stored_date: earliest created_date this run stored a row for; None if it stored none.
        now: instant of the pass, UTC; messages stored more than 7 days before are no longer looked at.
        guard: decides what may be kept of a statement's error.
        progress: told how many statements are looked for, and when a slice is done.
    """
    total = Enriched()
    from_date = _floor(tables, run_id, oldest_stored_date, now)
    if from_date is None:
        return total
    stored_since = now - LOOK_FOR
    days = tables.rows("select_statement_days", from_date=from_date, stored_since=stored_since)
    progress.expect(sum(day["message_count"] for day in days))
    for group in _cut(days):
        wanted = sum(day["message_count"] for day in group)
        joined = _join(tables, [day["created_date"] for day in group], stored_since, total.drift, guard)
        total.joined_count += joined
        total.missing_count += wanted - joined
        progress.advance(wanted)
    return total


def _floor(tables: Tables, run_id: str, oldest_stored_date: date | None, now: datetime) -> date | None:
    """Return the earliest day with rows stored in the last 7 days, None if there are none."""
    [runs] = tables.rows("select_enrichment_floor", started_since=(now - LOOK_FOR).date(), run_id=run_id)
    return min((day for day in (runs["oldest_stored_date"], oldest_stored_date) if day is not None), default=None)


def _join(tables: Tables, days: list[date], stored_since: datetime, drift: DriftCounter, guard: ContentGuard) -> int:
    found = tables.select(
        "select_statements",
        created_dates=days,
        stored_since=stored_since,
        started_since=datetime.combine(min(days), time(), UTC) - _CLOCK_SLACK,
    )
    if found.num_rows:
        _note_statuses(found, drift)
        schema = pa.schema([table("message_details").arrow_schema().field(name) for name in _STATEMENT_COLUMNS])
        tables.set_view("joined_statements", _protected(found, guard).select(_STATEMENT_COLUMNS).cast(schema))
        tables.execute("merge_statements", created_dates=found.column("created_date").unique().to_pylist())
    return int(found.num_rows)


def _protected(found: pa.Table, guard: ContentGuard) -> pa.Table:
    """Return the statements with their errors, which quote SQL, as the content policy allows them."""
    columns = ("query_error_message", "workspace_id", "space_id", "content_policy")
    errors = [
        guard.protect_statement_error(*values)
        for values in zip(*(found.column(name).to_pylist() for name in columns), strict=True)
    ]
    at = found.column_names.index("query_error_message")
    return found.set_column(at, "query_error_message", pa.array(errors, pa.string()))


def _note_statuses(found: pa.Table, drift: DriftCounter) -> None:
    """Note statuses nobody knows yet; they are stored, and looked at again like one that is not final."""
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
