"""Discovery: from the audit log to the ledger of every message that exists.

The audit log is read in slices of whole days, so that memory does not grow with the window, each slice exactly once. Late
rows are covered by an overlap, outages by starting from the watermark; the watermark is the newest event processed, never
the clock, so a stalled audit log cannot be overtaken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.config import DiscoverySettings, Scope
from genie_obs.lakehouse.arrow_rows import Row, to_rows
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.lookup import keys_of, select_known
from genie_obs.ledger.rows import Key, key_of

MAX_SLICE_EVENTS = 100_000
_NEVER = datetime.min.replace(tzinfo=UTC)
_WITNESS_COLUMNS = (
    "workspace_id", "message_id", "space_id", "conversation_id", "witnessed_date", "first_event_time", "last_write_event_time",
    "witnesses", "user_email",
)  # fmt: skip
_FILLED_COLUMNS = ("space_id", "conversation_id", "user_email")  # by the first event that names them


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


def select_window(tables: Tables, scope: Scope, settings: DiscoverySettings, now: datetime) -> Window:
    """Return where to start reading.

    The first run starts `days_lookback` ago; later runs at the watermark less the overlap, however long the outage; a
    look-back raised since the first run starts there once.
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
) -> Discovered:
    """Bring the ledger up to date with the audit window and return what was found; repeating it changes nothing.

    `on_done` is told how many events each slice had.
    """
    found = Discovered(event_count=days.event_count, watermark=window.watermark)
    if days.newest_event_time is not None:
        newest = min(days.newest_event_time, now)
        found.watermark = max(newest, window.watermark) if window.watermark else newest
    for piece in days.slices:
        witnessed, new = _record_slice(tables, scope, piece, client_id=client_id, now=now)
        found.witnessed_count += witnessed
        found.new_message_count += new
        on_done(piece.event_count)
    return found


def select_witnesses(tables: Tables, scope: Scope, piece: Slice, *, client_id: str) -> list[Row]:
    """Return one row per message witnessed in a slice.

    `known` is its ledger row (state, dates), None for a message the ledger does not know; `witnessed_date` is the ledger's
    where there is one.
    """
    witnesses, known = _select_witnesses(tables, scope, piece, client_id=client_id)
    rows = to_rows(witnesses)
    for row in rows:
        row["known"] = known.get(key_of(row))
    return rows


def _select_witnesses(tables: Tables, scope: Scope, piece: Slice, *, client_id: str) -> tuple[pa.Table, dict[Key, Row]]:
    """Return the messages witnessed in a slice and the ledger rows of those it knows.

    The messages stay Arrow: a first run may witness a whole slice of new ones, and rows as objects would cost more time and
    memory than the engine takes to find them.
    """
    witnesses = tables.select(
        "datasets/events/select_witnesses",
        from_date=piece.from_date,
        until_date=piece.until_date,
        workspace_ids=scope.workspaces_text,
        client_id=client_id,
    )
    if not witnesses.num_rows:
        return witnesses, {}
    known = select_known(tables, witnesses, recent_since=piece.from_date - timedelta(days=1))
    # The UTC day, whatever the zone the engine labels its instants with.
    days = witnesses["first_event_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.date32())
    if known:
        ledger_days = [known[key]["witnessed_date"] if key in known else None for key in keys_of(witnesses)]
        days = pc.coalesce(pa.chunked_array([pa.array(ledger_days, pa.date32())]), days)
    return witnesses.append_column("witnessed_date", days), known


def _record_slice(tables: Tables, scope: Scope, piece: Slice, *, client_id: str, now: datetime) -> tuple[int, int]:
    witnesses, known = _select_witnesses(tables, scope, piece, client_id=client_id)
    if witnesses.num_rows:
        is_new = pa.array([key not in known for key in keys_of(witnesses)], pa.bool_())
        _merge(tables, witnesses.filter(is_new), now, is_new=True)
        seen_again = witnesses.filter(pc.invert(is_new))
        # The overlap shows the same again in every run; a MERGE is the dearest way to find out that nothing changes.
        is_news = [tells_more(row, known[key_of(row)]) for row in to_rows(seen_again)]
        _merge(tables, seen_again.filter(pa.array(is_news, pa.bool_())), now)
    if piece.conversation_deletion_count:
        deleted = _deleted_with_conversation(tables, scope, piece)
        _merge(tables, pa.Table.from_pylist(deleted, table("message_ledger").arrow_schema(*_WITNESS_COLUMNS)), now)
    return witnesses.num_rows, witnesses.num_rows - len(known)


def tells_more(witness: Row, known: Row) -> bool:
    """Say whether `merge_witnesses` would change what the ledger knows; its own condition, asked before."""
    return known["state"] != "erased" and (
        _is_before(witness["first_event_time"], known["first_event_time"])
        or _is_before(known["last_write_event_time"] or _NEVER, witness["last_write_event_time"])
        or not set(witness["witnesses"]) <= set(known["witnesses"])
        or any(witness[column] is not None and known[column] is None for column in _FILLED_COLUMNS)
    )


def _is_before(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one < other


def _deleted_with_conversation(tables: Tables, scope: Scope, piece: Slice) -> list[Row]:
    """Return the known messages of conversations that were deleted as a whole, witnessed by that deletion."""
    deleted = tables.select(
        "datasets/events/select_deleted_conversations",
        from_date=piece.from_date,
        until_date=piece.until_date,
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
    merge = partial(
        tables.execute,
        "ledger/merge_witnesses",
        witnessed_messages=witnesses.select(schema.names).cast(schema),
        witnessed_dates=witnesses["witnessed_date"].unique().to_pylist(),
        updated_at=now,
    )
    # Another run may have recorded some of the new ones meanwhile.
    if not is_new or merge(only_new=True) < witnesses.num_rows:
        merge()


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
        conversation_deletion_count=sum(day["conversation_deletion_count"] for day in days),
    )
