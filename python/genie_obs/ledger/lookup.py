"""Looks up messages in the ledger by their keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.rows import Key, key_of

WITNESS_COLUMNS = (
    "workspace_id", "message_id", "space_id", "conversation_id", "first_event_time", "last_write_event_time", "witnesses", "user_email",
)  # fmt: skip
_EARLIEST = date(1970, 1, 1)
_LATEST = date(9999, 1, 1)
_KEY_COLUMNS = ("workspace_id", "message_id")
_ROWS_AT_ONCE = 200_000  # they travel to the engine as one message


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A statement that joins the ledger with a relation of messages."""

    statement: str
    relation: str
    columns: tuple[str, ...]

    def ask(self, tables: Tables, messages: pa.Table, *, from_date: date, until_date: date) -> dict[Key, Row]:
        """Return its rows about messages that were witnessed in a range of days, by key."""
        found: dict[Key, Row] = {}
        schema = table("message_ledger").arrow_schema(*self.columns)
        for start in range(0, messages.num_rows, _ROWS_AT_ONCE):
            part = messages.slice(start, _ROWS_AT_ONCE).select(schema.names).cast(schema)
            ids = pc.min_max(part["message_id"]).as_py()
            bounds = {"first_message_id": ids["min"], "last_message_id": ids["max"]}
            values = {self.relation: part, "from_date": from_date, "until_date": until_date, **bounds}
            found |= {key_of(row): row for row in tables.rows(self.statement, **values)}
        return found


_KNOWN = _Question(statement="ledger/select_known", relation="wanted_messages", columns=_KEY_COLUMNS)
_SEEN_AGAIN = _Question(statement="ledger/select_seen_again", relation="witnessed_messages", columns=WITNESS_COLUMNS)


def select_known(tables: Tables, messages: pa.Table, *, recent_since: date) -> dict[Key, Row]:
    """Return the witnessed_date of those messages that the ledger knows, by key.

    Args:
        tables: where the ledger is.
        messages: one row per message: workspace_id, message_id, is_creation_seen.
        recent_since: a message whose creation was seen since this day cannot have been witnessed before it. Only the others
            are looked up in the older part of the ledger.
    """
    return _ask_twice(_KNOWN, tables, messages, recent_since)


def select_seen_again(tables: Tables, witnesses: pa.Table, *, recent_since: date) -> dict[Key, Row]:
    """Return what the ledger knows about witnessed messages, by key: witnessed_date, state, created_date, is_news, is_due_again.

    Args:
        tables: where the ledger is.
        witnesses: one row per message, as `select_witnesses` gives them.
        recent_since: as in `select_known`.
    """
    return _ask_twice(_SEEN_AGAIN, tables, witnesses, recent_since)


def _ask_twice(question: _Question, tables: Tables, messages: pa.Table, recent_since: date) -> dict[Key, Row]:
    """Look in the recent part of the ledger. Look in the older part for messages that are not there and may be old."""
    if not messages.num_rows or not tables.has_table("message_ledger"):
        return {}
    known = question.ask(tables, messages, from_date=recent_since, until_date=_LATEST)
    older = messages.filter(pc.invert(messages["is_creation_seen"]))
    if known:
        older = older.filter(pa.array([key not in known for key in keys_of(older)], pa.bool_()))
    return known | question.ask(tables, older, from_date=_EARLIEST, until_date=recent_since)


def keys_of(rows: pa.Table) -> Iterator[Key]:
    """Yield the key of each row: workspace_id, message_id."""
    return zip(*(rows[column].to_pylist() for column in _KEY_COLUMNS), strict=True)
