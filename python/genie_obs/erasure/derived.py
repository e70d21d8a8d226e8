"""The statements that erase, made from the declarations: a table with texts or people is erased from without being named here.

The header of a table says with whose erasure its rows lose their texts:

- `message`: with the message whose workspace_id and message_id they carry; the asker goes where that was asked for, or the whole row;
- `space`: with the space whose workspace_id and space_id they carry;
- `person`: with a person whom one of its columns of people names; these columns are emptied as well.

Where there was a text, `[not kept]` stands afterwards, so that a count of answers stays a count.
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
    return tuple(item.name for item in tables() if item.erased_with == whom)


def message_dates(declared: Table) -> tuple[str, ...]:
    """Return the days of a message by which a table is partitioned; another day, such as that of an event, is not known of a message."""
    return tuple(key for key in date_keys(declared) if key in _DAYS_OF_A_MESSAGE)


@lru_cache
def build_erasure(name: str) -> str:
    """Return the MERGE that erases from a table what the relation `erased` names.

    The relation has workspace_id and message_id, is_asker_erased and is_row_erased (and what `message_dates` names) for `message`;
    workspace_id and space_id for `space`; a person's e-mail or id in small letters as `name` for `person`.
    """
    declared = table(name)
    lines = [f"MERGE INTO {name} AS old", f"USING {ERASED} AS e", "ON " + "\n  AND ".join(_conditions(declared))]
    if declared.erased_with == "message":
        lines.append("WHEN MATCHED AND e.is_row_erased THEN DELETE")
    changes = _changes(declared)
    lines.append("WHEN MATCHED THEN UPDATE SET")
    lines.append(",\n".join(f"  {column} = {expression}" for column, expression in changes.items()))
    return "\n".join(lines)


def _conditions(declared: Table) -> list[str]:
    if declared.erased_with == "person":
        return [" OR ".join(f"lower(old.{column}) = e.name" for column in declared.people)]
    if declared.erased_with == "space":
        return ["old.workspace_id = e.workspace_id", "old.space_id = e.space_id"]
    dates = message_dates(declared)
    keys = ("workspace_id", "message_id", *dates)
    return [*(f"old.{key} = e.{key}" for key in keys), *(f"old.{key} IN (:{key}s)" for key in dates)]


def _changes(declared: Table) -> dict[str, str]:
    texts = declared.texts
    changes = {column: _instead(column, f"'{NOT_KEPT}'") for column in texts.plain}
    changes |= {column: _instead(column, "CAST(array() AS ARRAY<STRING>)") for column in texts.lists}
    changes |= {column: _instead(column, f"'{nothing}'") for column, nothing in texts.json.items()}
    changes |= {column: _word(column) for column in texts.words}
    changes |= {column: _person(declared, column) for column in declared.people}
    if declared.has_content_policy:
        changes[CONTENT_POLICY] = "'erased'"
    return changes


def _instead(column: str, nothing: str) -> str:
    return f"CASE WHEN old.{column} IS NULL THEN old.{column} ELSE {nothing} END"


def _word(column: str) -> str:
    """Return an enumerated value as it is, and what only stands in its place as the text that it is."""
    return f"CASE WHEN old.{column} IS NULL OR old.{column} RLIKE '^{WORD_PATTERN}$' THEN old.{column} ELSE '{NOT_KEPT}' END"


def _person(declared: Table, column: str) -> str:
    if declared.erased_with == "person":
        return f"CASE WHEN lower(old.{column}) = e.name THEN CAST(NULL AS STRING) ELSE old.{column} END"
    is_erased = "e.is_asker_erased" if declared.erased_with == "message" else "TRUE"
    return f"CASE WHEN {is_erased} THEN CAST(NULL AS STRING) ELSE old.{column} END"
