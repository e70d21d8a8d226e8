"""Events as witnesses: the ledger learns of every message that the events of a slice mention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.config import Scope
from genie_obs.datasets.events.audit_log import Slice
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.lookup import WITNESS_COLUMNS, keys_of, select_seen_again
from genie_obs.ledger.rows import Key

_WITNESS_COLUMNS = (*WITNESS_COLUMNS, "witnessed_date")


@dataclass(frozen=True, kw_only=True)
class Witnessed:
    """The messages that events of a slice mention, and what the ledger knows of them.

    The messages stay in Arrow. A first run may find a whole slice of new ones, and as objects they would cost more time and
    memory than the query itself.
    """

    # One row per message, as `select_witnesses` gives them, with its witnessed_date: that of the ledger if it knows the message.
    messages: pa.Table
    known: dict[Key, Row]  # as `select_seen_again` gives them


def select_logged(tables: Tables, scope: Scope, part: Slice, *, client_id: str) -> Witnessed:
    """Return the messages that a slice of the audit log mentions, whether its events are stored or not. Changes nothing."""
    values = {**_range(scope, part), "client_id": client_id}
    return _witnessed(tables, tables.select("datasets/events/select_audit_witnesses", **values), part)


def _range(scope: Scope, part: Slice) -> dict[str, Any]:
    return {"from_date": part.from_date, "until_date": part.until_date, "workspace_ids": scope.workspace_ids}


def _witnessed(tables: Tables, messages: pa.Table, part: Slice) -> Witnessed:
    """Look up witnessed messages in the ledger."""
    if not messages.num_rows:
        return Witnessed(messages=messages, known={})
    known = select_seen_again(tables, messages, recent_since=part.from_date - timedelta(days=1))
    # The UTC day, whatever the time zone of the engine's column.
    days = messages["first_event_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.date32())
    if known:
        ledger_days = [known[key]["witnessed_date"] if key in known else None for key in keys_of(messages)]
        days = pc.coalesce(pa.chunked_array([pa.array(ledger_days, pa.date32())]), days)
    return Witnessed(messages=messages.append_column("witnessed_date", days), known=known)


def record_messages(tables: Tables, scope: Scope, part: Slice, *, now: datetime) -> tuple[int, int]:
    """Tell the ledger what the stored events of a slice say. Return how many messages they mention, and how many of them are new."""
    seen = _witnessed(tables, tables.select("datasets/events/select_witnesses", **_range(scope, part)), part)
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
    deleted = tables.select("datasets/events/select_deleted_conversations", **_range(scope, part))
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
