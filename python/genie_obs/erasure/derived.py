"""Makes the statements that erase from the declarations of the tables. A new table with texts or people needs no change here.

The header line `erased with` of a table says when its rows lose their texts:

- `message`: with the message of their workspace_id and message_id. If it was asked for, the asker or the whole row is removed too;
- `space`: with the space of their workspace_id and space_id;
- `person`: with a person whom one of the columns of people names. These columns are emptied too.

A table may name several. Where its line `rows stay` says so, rows lose their texts and people, but are never removed.
`[not kept]` then stands in place of a text, so that answers can still be counted.
"""

from __future__ import annotations

from functools import lru_cache

from genie_obs.lakehouse.merge import date_keys
from genie_obs.lakehouse.schema import CONTENT_POLICY, Table, table, tables
from genie_obs.security.texts import NOT_KEPT, WORD_PATTERN

_DAYS_OF_A_MESSAGE = ("witnessed_date", "created_date")
ERASED = "erased"  # the relation: one row per message, space or name of a person


def tables_erased_with(whom: str) -> tuple[str, ...]:
    """Return the tables whose rows lose their texts with a message, a space or a person."""
    return tuple(item.name for item in tables() if whom in item.erased_with)


def message_dates(declared: Table) -> tuple[str, ...]:
    """Return the days of a message by which a table is partitioned. A message does not tell other days, such as that of an event."""
    return tuple(key for key in date_keys(declared) if key in _DAYS_OF_A_MESSAGE)


@lru_cache
def build_erasure(name: str, whom: str) -> str:
    """Return the MERGE that erases from a table what the relation `erased` names: messages, spaces or a person.

    The columns of the relation are, for `message`: workspace_id, message_id, is_asker_erased, is_row_erased, and those that
    `message_dates` names; for `space`: workspace_id, space_id; for `person`: `name`, an e-mail address or id in small letters.
    """
    declared = table(name)
    lines = [f"MERGE INTO {name} AS old", f"USING {ERASED} AS e", "ON " + "\n  AND ".join(_conditions(declared, whom))]
    if whom == "message" and not declared.has_lasting_rows:
        lines.append("WHEN MATCHED AND e.is_row_erased THEN DELETE")
    changes = _changes(declared, whom)
    lines.append("WHEN MATCHED THEN UPDATE SET")
    lines.append(",\n".join(f"  {column} = {expression}" for column, expression in changes.items()))
    return "\n".join(lines)


def _conditions(declared: Table, whom: str) -> list[str]:
    if whom == "person":
        return [" OR ".join(f"lower(old.{column}) = e.name" for column in declared.people)]
    if whom == "space":
        return ["old.workspace_id = e.workspace_id", "old.space_id = e.space_id"]
    dates = message_dates(declared)
    keys = ("workspace_id", "message_id", *dates)
    return [*(f"old.{key} = e.{key}" for key in keys), *(f"old.{key} IN (:{key}s)" for key in dates)]


def _changes(declared: Table, whom: str) -> dict[str, str]:
    texts = declared.texts
    changes = {column: _instead(column, f"'{NOT_KEPT}'") for column in texts.plain}
    changes |= {column: _instead(column, "CAST(array() AS ARRAY<STRING>)") for column in texts.lists}
    changes |= {column: _instead(column, f"'{nothing}'") for column, nothing in texts.json.items()}
    changes |= {column: _word(column) for column in texts.words}
    changes |= {column: _person(declared, column, whom) for column in declared.people}
    if declared.has_content_policy:
        changes[CONTENT_POLICY] = "'erased'"
    return changes


def _instead(column: str, nothing: str) -> str:
    return f"CASE WHEN old.{column} IS NULL THEN old.{column} ELSE {nothing} END"


def _word(column: str) -> str:
    """Keep an enumerated value. A value of another form may be a person's words and is erased like a text."""
    return f"CASE WHEN old.{column} IS NULL OR old.{column} RLIKE '^{WORD_PATTERN}$' THEN old.{column} ELSE '{NOT_KEPT}' END"


def _person(declared: Table, column: str, whom: str) -> str:
    if whom == "person":
        return f"CASE WHEN lower(old.{column}) = e.name THEN CAST(NULL AS STRING) ELSE old.{column} END"
    is_erased = "TRUE"
    if whom == "message":
        is_erased = "(e.is_asker_erased OR e.is_row_erased)" if declared.has_lasting_rows else "e.is_asker_erased"
    return f"CASE WHEN {is_erased} THEN CAST(NULL AS STRING) ELSE old.{column} END"
