"""The audit log by day: where a run starts to read, which days hold events that are not stored, and in which slices they are read.

A run starts at the watermark, so an outage loses nothing. An overlap covers late rows. The watermark is the time of the newest event
processed, never of the clock, so a stalled audit log loses nothing either. Rows may come later than the overlap: a count by day tells
which of the last 30 days have grown since they were read, and these are read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import pyarrow as pa

from genie_obs.config import DiscoverySettings, Scope
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables

MAX_SLICE_EVENTS = 100_000
LATE_WITHIN = timedelta(days=30)
"""How long after its day an event may arrive and still be found."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of the audit log a run reads; all instants UTC."""

    start: datetime
    watermark: datetime | None  # newest event processed by earlier runs; None on the first one
    # Since when events are stored, and the start of the newest run whose events are all in the ledger. None: no run stored any.
    events_since: datetime | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Consecutive days read in one go, both inclusive."""

    from_date: date
    until_date: date
    event_count: int
    newest_event_time: datetime
    missing_dates: tuple[date, ...] = ()  # days with events that are not stored yet
    conversation_deletion_count: int = 0


@dataclass(frozen=True, kw_only=True)
class AuditDays:
    """What the window holds, by day, and the days before it that have grown."""

    slices: tuple[Slice, ...]
    event_count: int  # of the window
    late_event_count: int
    newest_event_time: datetime | None


def select_window(tables: Tables, scope: Scope, settings: DiscoverySettings, now: datetime) -> Window:
    """Return where to start reading.

    The first run starts `days_lookback` ago. Later runs start at the watermark less the overlap, however long the outage. If
    the look-back was raised since then, one run starts there.
    """
    lookback_start = now - timedelta(days=settings.days_lookback)
    if not tables.has_table("ingestion_runs"):
        return Window(start=lookback_start, watermark=None)
    [earlier] = tables.rows("runs/select_watermark", workspace_ids=scope.workspaces_text)
    watermark, covered_since = earlier["watermark"], earlier["covered_since"]
    if watermark is None:
        return Window(start=lookback_start, watermark=None)
    start = min(watermark, now) - timedelta(days=settings.overlap_days)
    # A day of slack: covered_since is never later than the look-back of the run that set it.
    if covered_since is not None and lookback_start < covered_since - timedelta(days=1):
        start = min(start, lookback_start)
    return Window(
        start=start, watermark=watermark, events_since=earlier["events_since"], recorded_at=earlier["recorded_at"]
    )


def select_audit_days(tables: Tables, scope: Scope, window: Window, now: datetime) -> AuditDays:
    """Count the Genie events by day and cut the days to read into slices of at most MAX_SLICE_EVENTS, or one day."""
    from_date = min(window.start.date(), _late_since(window, now))
    # Clocks differ: an event may be dated slightly in the future.
    range_: dict[str, Any] = {
        "from_date": from_date,
        "until_date": now.date() + timedelta(days=1),
        "workspace_ids": scope.workspace_ids,
    }
    days = tables.rows("datasets/events/select_audit_days", stored_days=_stored_days(tables, range_), **range_)
    late = [day for day in days if day["event_date"] < window.start.date()]
    current = days[len(late) :]
    return AuditDays(
        # A gap between days that have grown is one between slices: what has not grown is not read again.
        slices=tuple(piece for group in (*_grown(late, window), current) for piece in _cut(group)),
        event_count=sum(day["event_count"] for day in current),
        late_event_count=sum(day["missing_count"] for day in late),
        newest_event_time=max((day["newest_event_time"] for day in current), default=None),
    )


def _late_since(window: Window, now: datetime) -> date:
    """Return the first day in which late events are looked for: it was read before, by a version that stores events."""
    since = window.start if window.events_since is None else window.events_since
    return max(since, now - LATE_WITHIN).date()


def _stored_days(tables: Tables, range_: dict[str, Any]) -> pa.Table:
    """Return how many events are stored, by day and workspace."""
    schema = table("genie_events").arrow_schema("event_date", "workspace_id")
    schema = pa.schema([*schema, ("stored_count", pa.int64()), ("newest_ingestion", pa.timestamp("us", tz="UTC"))])
    has_table = tables.has_table("genie_events")
    stored = tables.select("datasets/events/select_stored_days", **range_) if has_table else schema.empty_table()
    # Engines take no relation without rows. No workspace has an empty id, so this row says nothing.
    return stored.cast(schema) if stored.num_rows else pa.Table.from_pylist([{"workspace_id": ""}], schema)


def _grown(days: list[Row], window: Window) -> Iterator[list[Row]]:
    """Yield each run of neighbouring days with events that are not stored, or stored by a run that died before it recorded them."""

    def is_read(day: Row) -> bool:
        stored_at = day["newest_ingestion"]
        is_recorded = stored_at is None or (window.recorded_at is not None and stored_at <= window.recorded_at)
        return day["missing_count"] > 0 or not is_recorded

    yield from (list(group) for is_grown, group in groupby(days, key=is_read) if is_grown)


def _cut(days: Iterable[Row]) -> Iterator[Slice]:
    group: list[Row] = []
    size = 0
    for day in days:
        if group and size + day["event_count"] > MAX_SLICE_EVENTS:
            yield _slice(group)
            group, size = [], 0
        group.append(day)
        size += day["event_count"]
    if group:
        yield _slice(group)


def _slice(days: list[Row]) -> Slice:
    return Slice(
        from_date=days[0]["event_date"],
        until_date=days[-1]["event_date"],
        event_count=sum(day["event_count"] for day in days),
        missing_dates=tuple(day["event_date"] for day in days if day["missing_count"]),
        newest_event_time=max(day["newest_event_time"] for day in days),
        conversation_deletion_count=sum(day["conversation_deletion_count"] for day in days),
    )
