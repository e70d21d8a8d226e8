"""Looking messages up in the ledger by their keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.rows import Key, key_of

_EARLIEST = date(1970, 1, 1)
_LATEST = date(9999, 1, 1)
_KEY_COLUMNS = ("workspace_id", "message_id")


def select_known(tables: Tables, messages: pa.Table, *, recent_since: date) -> dict[Key, Row]:
    """Return the ledger's state, dates and witnesses of those messages that it knows.

    Args:
        tables: where.
        messages: one row per message: workspace_id, message_id, is_creation_seen.
        recent_since: a message whose creation was seen since this day cannot have been witnessed before; only the others
            need the older part of the ledger.
    """
    if not messages.num_rows or not tables.has_table("message_ledger"):
        return {}
    known = _look_up(tables, messages, recent_since, _LATEST)
    older = messages.filter(pc.invert(messages["is_creation_seen"]))
    if known:
        older = older.filter(pa.array([key not in known for key in keys_of(older)], pa.bool_()))
    return known | _look_up(tables, older, _EARLIEST, recent_since) if older.num_rows else known


def _look_up(tables: Tables, messages: pa.Table, from_date: date, until_date: date) -> dict[Key, Row]:
    ids = pc.min_max(messages["message_id"]).as_py()
    found = tables.rows(
        "ledger/select_ledger_dates",
        wanted_messages=messages.select(_KEY_COLUMNS).cast(table("message_ledger").arrow_schema(*_KEY_COLUMNS)),
        from_date=from_date,
        until_date=until_date,
        first_message_id=ids["min"],
        last_message_id=ids["max"],
    )
    return {key_of(row): row for row in found}


def keys_of(rows: pa.Table) -> Iterator[Key]:
    """Yield the key of each row: workspace_id, message_id."""
    return zip(*(rows[column].to_pylist() for column in _KEY_COLUMNS), strict=True)
