"""Finds the messages that are due now, and the sizes of conversations with several of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.config import Scope
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.recheck import is_stale
from genie_obs.ledger.rows import ConversationSize, ConversationSizes

BUSY_CONVERSATIONS = pa.schema(
    [("workspace_id", pa.string()), ("conversation_id", pa.string()), ("due_count", pa.int64())]
)
_SPACE_KEY = ("workspace_id", "space_id")
_FEW_VALUES = ("workspace_id", "space_id", "user_email", "state")  # of the columns of select_due


def select_due(
    tables: Tables, scope: Scope, spaces: Iterable[Row], now: datetime, *, only: pa.Table | None = None
) -> pa.Table:
    """Return the due messages: workspace by workspace, conversations together, the newest first.

    `only` names messages by workspace_id and message_id; without it there is no limit but the scope.

    Messages known to be forbidden wait until their space is checked again, a day after the last check. A backlog may be
    long, so columns with few different values are dictionary-encoded.
    """
    due = tables.select("ledger/select_due", now=now, workspace_ids=scope.workspace_ids, space_ids=scope.space_ids)
    if not due.num_rows:
        return due
    if only is not None:
        due = due.filter(pc.is_in(_one_key(due), value_set=_one_key(only)))
    due = due.filter(pc.invert(_is_waiting(due, spaces, now)))
    for name in _FEW_VALUES:
        due = due.set_column(due.schema.get_field_index(name), name, due[name].dictionary_encode())
    return due


def due_of_workspace(due: pa.Table, workspace_id: str) -> pa.Table:
    """Return the rows of one workspace, which are neighbours in `due`. The result is a view, not a copy."""
    is_of_it = pc.equal(due["workspace_id"], workspace_id)
    return due.slice(max(0, pc.index(is_of_it, True).as_py()), pc.sum(is_of_it).as_py() or 0)


def select_sizes(tables: Tables, due: pa.Table) -> ConversationSizes:
    """Return the sizes of conversations that have several due messages and others too. Other conversations need no size."""
    asked = due.filter(pc.not_equal(due["state"], "forbidden"))
    groups = asked.group_by(["workspace_id", "conversation_id"]).aggregate(
        [("message_id", "count"), ("witnessed_date", "min")]
    )
    busy = groups.filter(pc.greater(groups["message_id_count"], 1))
    if not busy.num_rows:
        return {}
    rows = tables.rows(
        "ledger/select_conversation_sizes",
        # Not every engine understands dictionary-encoded columns.
        busy_conversations=busy.select(["workspace_id", "conversation_id", "message_id_count"])
        .rename_columns(BUSY_CONVERSATIONS.names)
        .cast(BUSY_CONVERSATIONS),
        from_date=pc.min(busy["witnessed_date_min"]).as_py(),
    )
    return {
        (row["workspace_id"], row["conversation_id"]): ConversationSize(
            message_count=row["message_count"], final_message_ids=frozenset(row["final_message_ids"] or ())
        )
        for row in rows
    }


def _one_key(messages: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(messages["workspace_id"], messages["message_id"], "/")


def _is_waiting(due: pa.Table, spaces: Iterable[Row], now: datetime) -> pa.Array:
    """Say for each due row whether it is forbidden and its space is not to be asked for again yet."""
    closed = {
        tuple(space[column] for column in _SPACE_KEY)
        for space in spaces
        if space["state"] == "forbidden" and not is_stale(space, now)
    }
    if not closed:
        return pa.repeat(pa.scalar(False), due.num_rows)
    keys = zip(*(due[column].to_pylist() for column in _SPACE_KEY), strict=True)
    is_closed = pa.array([key in closed for key in keys], pa.bool_())
    return pc.and_(pc.equal(due["state"].combine_chunks(), "forbidden"), is_closed)
