"""Makes the MERGE of a table from its declaration. No wide MERGE is written by hand, so no text can be forgotten.

The relation `new_rows` holds the newer rows, the table the stored ones. For example, a table has the key `id`, a text `note`, a `state`
that is `newest` and a `seen_at` that is `newest` and `quiet`. Its MERGE, shortened::

    MERGE INTO notes AS old
    USING (SELECT *, … AS is_other_policy FROM new_rows) AS new
    ON old.id = new.id
    WHEN MATCHED AND (NOT (<note, see below> <=> old.note) OR NOT (new.state <=> old.state)) THEN UPDATE SET
      note = CASE WHEN old.content_policy <=> 'erased' THEN old.note
                  WHEN <other policy> THEN new.note
                  ELSE COALESCE(new.note, old.note) END,
      state = new.state, seen_at = new.seen_at
    WHEN NOT MATCHED THEN INSERT (id, note, state, seen_at) VALUES (new.id, …)

A text written under another content policy is always replaced, also by NULL: what a stricter policy does not keep must not stay. A text
that was erased never comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from genie_obs.lakehouse.schema import CONTENT_POLICY, Table, table
from genie_obs.security.texts import NOT_KEPT

NEW_ROWS = "new_rows"
_OTHER_POLICY = f"COALESCE(new.{CONTENT_POLICY} <> COALESCE(old.{CONTENT_POLICY}, 'full'), FALSE)"
_ERASED = f"old.{CONTENT_POLICY} <=> 'erased'"


@lru_cache
def build_merge(name: str, *, is_insert_only: bool = False, rows: str = NEW_ROWS) -> str:
    """Return the MERGE that stores rows of a table, one per key. With `is_insert_only`, stored rows stay as they are.

    It reads the relation `new_rows`, or a query in parentheses that is given as `rows`: all columns of the table, and those that its
    rules name. Its parameters are those of the query and of the rules, and for each column of `date_keys` the list of the days that it
    touches, as `:<column>s`.
    """
    declared = table(name)
    updated = {column: _update(declared, column) for column in declared.names if _is_updated(declared, column)}
    clauses = [
        f"MERGE INTO {name} AS old",
        f"USING {rows} AS new",
        "ON " + "\n  AND ".join(_conditions(declared)),
    ]
    if updated and not is_insert_only:
        clauses.append("WHEN MATCHED" + _when(declared, updated) + " THEN UPDATE SET")
        clauses.append(",\n".join(f"  {column} = {expression}" for column, expression in updated.items()))
    inserted = f" AND {declared.merge.insert_if}" if declared.merge.insert_if else ""
    clauses.append(f"WHEN NOT MATCHED{inserted} THEN INSERT ({', '.join(declared.names)})")
    clauses.append(f"VALUES ({', '.join(f'new.{column}' for column in declared.names)})")
    return "\n".join(clauses)


def date_keys(declared: Table) -> tuple[str, ...]:
    """Return the key columns by which the local engine partitions. They are dates, and a MERGE names the days that it touches."""
    return tuple(column for column in declared.key if column in declared.partition_by)


def _conditions(declared: Table) -> Iterator[str]:
    yield from (f"old.{column} = new.{column}" for column in declared.key)
    # With literals, an engine skips partitions and files before it reads them.
    yield from (f"old.{column} IN (:{column}s)" for column in date_keys(declared))


def _is_updated(declared: Table, column: str) -> bool:
    return column not in declared.key and column not in declared.merge.once


def _update(declared: Table, column: str) -> str:
    """Return the expression of a column's new value."""
    merge = declared.merge
    kept = f"COALESCE(new.{column}, old.{column})"
    if column in merge.rules:
        return merge.rules[column]
    if column in merge.newest:
        return f"new.{column}"
    if column in merge.joined:
        return _joined(declared, column)
    if column == CONTENT_POLICY:
        return f"CASE WHEN {_ERASED} THEN old.{column} ELSE {kept} END"
    if column not in declared.texts.names or not declared.has_content_policy:
        return _kept_list(column, kept) if _is_list(declared, column) else kept
    kept = _kept_list(column, kept) if column in declared.texts.lists else kept
    return f"CASE WHEN {_ERASED} THEN old.{column} WHEN {_OTHER_POLICY} THEN new.{column} ELSE {kept} END"


def _is_list(declared: Table, column: str) -> bool:
    return next(item for item in declared.columns if item.name == column).sql_type.startswith("ARRAY<")


def _kept_list(column: str, kept: str) -> str:
    """Return the expression of a list that an empty list does not replace. An empty list means the same as NULL."""
    return kept.replace(f"new.{column}", f"CASE WHEN size(new.{column}) > 0 THEN new.{column} END")


def _joined(declared: Table, column: str) -> str:
    """Return the expression of a value that a later step fills in. If what it describes changes, it is emptied and looked up again."""
    key = declared.merge.joined_on
    cases = [f"WHEN new.{key} <> old.{key} THEN NULL"]
    if column in declared.texts.names:
        # It is not read again, so what another policy would keep of it is not known.
        stricter = f"{_OTHER_POLICY} AND new.{CONTENT_POLICY} <> 'full' AND old.{column} IS NOT NULL"
        cases.append(f"WHEN {stricter} THEN '{NOT_KEPT}'")
    return f"CASE {' '.join(cases)} ELSE old.{column} END"


def _when(declared: Table, updated: dict[str, str]) -> str:
    merge = declared.merge
    conditions = [f"\n  AND ({merge.update_if})"] if merge.update_if else []
    if merge.quiet:
        compared = [name for name in updated if name not in merge.quiet and name not in merge.joined]
        changes = (f"NOT ({updated[column]} <=> old.{column})" for column in compared)
        conditions.append("\n  AND (\n    " + "\n    OR ".join(changes) + "\n  )")
    return "".join(conditions)
