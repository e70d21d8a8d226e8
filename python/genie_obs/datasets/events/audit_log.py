"""Discovery: reads the audit log and records in the ledger every message that exists.

The audit log is read in slices of whole days, each slice once, so that memory does not grow with the window. A run starts at
the watermark, so an outage loses nothing; an overlap covers late rows. The watermark is the time of the newest event
processed, never of the clock. So a stalled audit log loses nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.config import DiscoverySettings, Scope
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.lookup import WITNESS_COLUMNS, keys_of, select_seen_again
from genie_obs.ledger.rows import Key

MAX_SLICE_EVENTS = 100_000
_WITNESS_COLUMNS = (*WITNESS_COLUMNS, "witnessed_date")


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of the audit log a run reads; all instants UTC."""

    start: datetime
    watermark: datetime | None  # newest event processed by earlier runs; None on the first one


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Consecutive days read in one go, both inclusive."""

    from_date: date
    until_date: date
    event_count: int
    newest_event_time: datetime
    conversation_deletion_count: int = 0


@dataclass(frozen=True, kw_only=True)
class AuditDays:
    """What the window holds, by day."""

    slices: tuple[Slice, ...]
    event_count: int
    newest_event_time: datetime | None


@dataclass(kw_only=True)
class Discovered:
    """What discovery found and wrote."""

    event_count: int = 0
    witnessed_count: int = 0  # a message that two slices mention counts twice
    new_message_count: int = 0
    watermark: datetime | None = None
    is_stopped: bool = False  # the deadline came before the last slice


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
    return Window(start=start, watermark=watermark)


def select_audit_days(tables: Tables, scope: Scope, window: Window, now: datetime) -> AuditDays:
    """Count the Genie events of the window by day and cut it into slices of at most MAX_SLICE_EVENTS, or one day."""
    days = tables.rows(
        "datasets/events/select_audit_days",
        from_date=window.start.date(),
        # Clocks differ: an event may be dated slightly in the future.
        until_date=now.date() + timedelta(days=1),
        workspace_ids=scope.workspaces_text,
    )
    newest = max((day["newest_event_time"] for day in days), default=None)
    return AuditDays(
        slices=tuple(_cut(days)), event_count=sum(day["event_count"] for day in days), newest_event_time=newest
    )


def discover(
    tables: Tables,
    scope: Scope,
    window: Window,
    days: AuditDays,
    *,
    client_id: str,
    now: datetime,
    on_done: Callable[[int], None],
    is_over: Callable[[], bool] = lambda: False,
) -> Discovered:
    """Bring the ledger up to date with the audit window and return what was found. Repeating it changes nothing.

    After `is_over` says yes no further slice is begun. `on_done` gets the number of events of each slice.
    """
    found = Discovered(event_count=days.event_count, watermark=window.watermark)
    newest: datetime | None = None
    for number, part in enumerate(days.slices):
        if number and is_over():  # at least one is read, so that every run gets further
            found.is_stopped = True
            break
        witnessed, new = _record_slice(tables, scope, part, client_id=client_id, now=now)
        found.witnessed_count += witnessed
        found.new_message_count += new
        newest = max(part.newest_event_time, newest or part.newest_event_time)
        on_done(part.event_count)
    found.watermark = _watermark(window, newest, now, is_stopped=found.is_stopped)
    return found


@dataclass(frozen=True, kw_only=True)
class Witnessed:
    """The messages that events of a slice mention, and what the ledger knows of them.

    The messages stay in Arrow. A first run may find a whole slice of new ones, and as objects they would cost more time and
    memory than the query itself.
    """

    # One row per message, as `select_witnesses` gives them, with its witnessed_date: that of the ledger if it knows the message.
    messages: pa.Table
    known: dict[Key, Row]  # as `select_seen_again` gives them


def select_witnessed(tables: Tables, scope: Scope, part: Slice, *, client_id: str) -> Witnessed:
    """Return the messages that a slice mentions. Changes nothing."""
    messages = tables.select(
        "datasets/events/select_witnesses",
        from_date=part.from_date,
        until_date=part.until_date,
        workspace_ids=scope.workspaces_text,
        client_id=client_id,
    )
    if not messages.num_rows:
        return Witnessed(messages=messages, known={})
    known = select_seen_again(tables, messages, recent_since=part.from_date - timedelta(days=1))
    # The UTC day, whatever the time zone of the engine's column.
    days = messages["first_event_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.date32())
    if known:
        ledger_days = [known[key]["witnessed_date"] if key in known else None for key in keys_of(messages)]
        days = pc.coalesce(pa.chunked_array([pa.array(ledger_days, pa.date32())]), days)
    return Witnessed(messages=messages.append_column("witnessed_date", days), known=known)


def _watermark(window: Window, newest: datetime | None, now: datetime, *, is_stopped: bool) -> datetime | None:
    """Return up to where the audit log is read without a gap, given the newest event of the slices that were read.

    A run that was stopped may have read only days before the watermark: the overlap, or those of a raised look-back. Then it says
    nothing (None), and the next run reads them again.
    """
    if newest is None:
        return window.watermark
    newest = min(newest, now)
    if window.watermark is None or newest >= window.watermark:
        return newest
    return None if is_stopped else window.watermark


def _record_slice(tables: Tables, scope: Scope, part: Slice, *, client_id: str, now: datetime) -> tuple[int, int]:
    """Return how many messages the slice mentions, and how many of them are new."""
    seen = select_witnessed(tables, scope, part, client_id=client_id)
    if seen.messages.num_rows:
        keys = list(keys_of(seen.messages))
        is_new = pa.array([key not in seen.known for key in keys], pa.bool_())
        is_news = pa.array([key in seen.known and seen.known[key]["is_news"] for key in keys], pa.bool_())
        _merge(tables, seen.messages.filter(is_new), now, is_new=True)
        _merge(tables, seen.messages.filter(is_news), now)
    if part.conversation_deletion_count:
        deleted = _deleted_with_conversation(tables, scope, part)
        _merge(tables, pa.Table.from_pylist(deleted, table("message_ledger").arrow_schema(*_WITNESS_COLUMNS)), now)
    return seen.messages.num_rows, seen.messages.num_rows - len(seen.known)


def _deleted_with_conversation(tables: Tables, scope: Scope, part: Slice) -> list[Row]:
    """Return the known messages of conversations that were deleted as a whole. The deletion is their witness."""
    deleted = tables.select(
        "datasets/events/select_deleted_conversations",
        from_date=part.from_date,
        until_date=part.until_date,
        workspace_ids=scope.workspaces_text,
    )
    if not deleted.num_rows:
        return []
    members = tables.rows("ledger/select_conversation_members", deleted_conversations=deleted)
    return [{**row, "witnesses": ["deleteConversation"], "user_email": None} for row in members]


def _merge(tables: Tables, witnesses: pa.Table, now: datetime, *, is_new: bool = False) -> None:
    if not witnesses.num_rows:
        return
    schema = table("message_ledger").arrow_schema(*_WITNESS_COLUMNS)
    tables.execute(
        "ledger/merge_witnesses",
        expect_new=is_new,  # another run may have recorded some of the new ones meanwhile
        witnessed_messages=witnesses.select(schema.names).cast(schema),
        witnessed_dates=witnesses["witnessed_date"].unique().to_pylist(),
        updated_at=now,
    )


def _cut(days: list[Row]) -> Iterator[Slice]:
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
        newest_event_time=max(day["newest_event_time"] for day in days),
        conversation_deletion_count=sum(day["conversation_deletion_count"] for day in days),
    )
