"""Makes SQL text ready for one engine: qualifies names, writes values as literals where they cannot be bound, marks relations.

A statement names our tables without catalog and schema, and system tables in full (``system.access.audit``). So it reads
the same in a SQL editor, on Databricks, on Apache Spark and on Sail. A query takes its ``:parameters`` bound. Sail does not
bind parameters in commands (MERGE), and some servers do not bind at all: then they become typed literals. An id is quoted;
any other text becomes hexadecimal digits, which cannot end the literal. Lists are always literals, because engines skip files
only for literals. Rows travel as Arrow relations, which a statement reads by name like a table.

A statement that is limited to some workspaces says ``is_in_scope(workspace_id, :workspace_ids)``. The engine gets
``workspace_id IN ('1', '2')``. An empty list means everything, also rows without an id; then the engine gets ``TRUE``.
One that reads some days of an instant says ``is_on_days(start_time, :days)``. The engine gets ranges of the instant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from genie_obs.identifiers import is_id, quote_identifier
from genie_obs.lakehouse.sql_tokens import Token, join, tokens
from genie_obs.lakehouse.statements import declarations

_ON_DAYS = re.compile(r"\bis_on_days\((?P<column>[\w.]+), :(?P<name>\w+)\)")
_IN_SCOPE = re.compile(r"\bis_in_scope\((?P<column>[\w.]+), (?P<list>:(?P<name>\w+))\)")
SYSTEM_SCHEMAS = ("access", "query")

Scalar = str | int | float | bool | date | datetime | None
Value = Scalar | Sequence[date] | Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Names:
    """Where tables live: how unqualified and system names are spelled for one engine."""

    catalog: str
    schema: str
    system_catalog: str = "system"

    def table(self, name: str) -> str:
        """Return the full, quoted name of one of our tables."""
        return ".".join(map(quote_identifier, (self.catalog, self.schema, name)))

    def system_table(self, name: str) -> str:
        """Return the full, quoted name of ``schema.table`` in the system catalog."""
        return ".".join(map(quote_identifier, (self.system_catalog, *name.split("."))))


def qualify(
    text: str,
    names: Names,
    stand_ins: Mapping[str, str] | None = None,
    *,
    our_tables: Collection[str] | None = None,
) -> str:
    """Return the statement with our tables and the system catalog spelled for one engine.

    Works on tokens: strings, comments, quoted names, column qualifiers and longer words stay as they are. `stand_ins` names
    the views that are read instead of system tables, by ``schema.table``. A column, CTE or alias with the name of a table is
    taken for the table. So SQL of others is given with empty `our_tables`, in a session that finds our tables by itself.
    """
    ours = declarations() if our_tables is None else our_tables

    def spell(token: Token, before: str, after: str) -> str:
        if token.kind == "other" and token.text.startswith("system."):
            return _system_table(token.text, names, stand_ins or {})
        is_ours = token.kind == "word" and before != "." and token.text in ours and after != "."
        return names.table(token.text) if is_ours else token.text

    return _rewrite(text, spell)


def limit_to_scope(text: str, values: Mapping[str, Value]) -> str:
    """Return the statement with each ``is_in_scope(column, :ids)`` written out: `IN (:ids)`, or `TRUE` if the list is empty.

    The parameter stays in the text, for `inline_parameters`.

    Raises:
        TypeError: if the value is a text. Its characters would be taken for ids.
    """

    def write_out(call: re.Match[str]) -> str:
        ids = values[call["name"]]
        if not isinstance(ids, list | tuple):
            raise TypeError(f"{call['name']}: a list of ids is needed, not {type(ids).__name__}")
        return f"{call['column']} IN ({call['list']})" if ids else "TRUE"

    return _IN_SCOPE.sub(write_out, text)


def limit_to_days(text: str, values: Mapping[str, Value]) -> str:
    """Return the statement with each ``is_on_days(instant, :days)`` written out: a range of instants for each run of UTC days.

    Engines skip files by ranges of an instant, but not by its day. No days at all match nothing.
    """

    def write_out(call: re.Match[str]) -> str:
        days = values[call["name"]]
        if not isinstance(days, list | tuple):
            raise TypeError(f"{call['name']}: a list of days is needed, not {type(days).__name__}")
        ranges = " OR ".join(
            f"({call['column']} >= {_literal(since)} AND {call['column']} < {_literal(until)})"
            for since, until in _ranges(days)
        )
        return f"({ranges or 'FALSE'})"

    return _ON_DAYS.sub(write_out, text)


def _ranges(days: Iterable[Any]) -> list[tuple[datetime, datetime]]:
    """Return the ranges of instants, the end excluded, that UTC days make; days that follow each other are one range."""
    ranges: list[tuple[datetime, datetime]] = []
    for day in sorted(set(days)):
        since = datetime.combine(day, time(), UTC)
        until = since + timedelta(days=1)
        if ranges and ranges[-1][1] == since:
            ranges[-1] = (ranges[-1][0], until)
        else:
            ranges.append((since, until))
    return ranges


def inline_parameters(text: str, values: Mapping[str, Value]) -> str:
    """Return the statement with the given parameters as typed literals, where an engine cannot bind them."""

    def replace(token: Token, _before: str, _after: str) -> str:
        is_given = token.kind == "marker" and token.text[1:] in values
        return _literal(values[token.text[1:]]) if is_given else token.text

    return _rewrite(text, replace)


def mark_relations(text: str, relations: Collection[str]) -> str:
    """Return the statement as a template of ``SparkSession.sql(text, **frames)``: relations in braces, other braces doubled.

    Raises:
        ValueError: if the statement does not read one of them.
    """
    unread = set(relations)

    def spell(token: Token, before: str, after: str) -> str:
        if token.kind == "word" and before != "." and token.text in relations and after != ".":
            unread.discard(token.text)
            return f"{{{token.text}}}"
        return token.text.replace("{", "{{").replace("}", "}}")

    marked = _rewrite(text, spell)
    if unread:
        raise ValueError(f"the statement does not read {sorted(unread)}")
    return marked


@lru_cache
def system_tables_of(text: str) -> tuple[str, ...]:
    """Return the system tables a statement reads, as ``schema.table``, in order."""
    found = (
        token.text.partition(".")[2] for token in _with_system_names(tokens(text)) if token.text.startswith("system.")
    )
    return tuple(dict.fromkeys(found))


@lru_cache
def parameters_of(text: str) -> frozenset[str]:
    """Return the names of the parameters a statement takes."""
    return frozenset(token.text[1:] for token in tokens(text) if token.kind == "marker")


def insert_only(merge: str) -> str:
    """Return a MERGE that only inserts. No engine rewrites a file for it.

    Raises:
        ValueError: if the statement lacks one of the two clauses.
    """
    head, matched, rest = merge.partition("\nWHEN MATCHED")
    _, not_matched, insert = rest.partition("\nWHEN NOT MATCHED")
    if not (matched and not_matched):
        raise ValueError("a MERGE with WHEN MATCHED and WHEN NOT MATCHED, each at the start of a line, is needed")
    return head + not_matched + insert


def _rewrite(text: str, replace: Callable[[Token, str, str], str]) -> str:
    """Replace each token. `replace` also gets the text of the token before it and of the one after it."""
    found = _with_system_names(tokens(text))
    texts = ["", *(token.text for token in found), ""]
    return "".join(map(replace, found, texts, texts[2:]))


def _with_system_names(found: list[Token]) -> list[Token]:
    """Return the tokens. The five of each ``system.schema.table`` become one of kind `other`."""
    merged: list[Token] = []
    index = 0
    while index < len(found):
        size = 5 if found[index].text == "system" and _is_system_name(found, index) else 1
        merged.append(found[index] if size == 1 else Token("other", join(found[index : index + size])))
        index += size
    return merged


def _is_system_name(found: list[Token], start: int) -> bool:
    is_qualified = start > 0 and found[start - 1].text == "."
    shape = [token.kind == "word" or token.text for token in found[start : start + 5]]
    return not is_qualified and shape == [True, ".", True, ".", True]


def _system_table(token: str, names: Names, stand_ins: Mapping[str, str]) -> str:
    _, schema, name = token.split(".")
    if schema not in SYSTEM_SCHEMAS:
        return token
    view = stand_ins.get(f"{schema}.{name}")
    return quote_identifier(view) if view else f"{quote_identifier(names.system_catalog)}.{schema}.{name}"


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return f"'{value}'" if is_id(value) else f"CAST(X'{value.encode().hex()}' AS STRING)"
    if value is None or isinstance(value, bool | int):
        return str(value).upper() if value is not None else "NULL"
    if isinstance(value, float):
        return f"CAST({value!r} AS DOUBLE)"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"
    if isinstance(value, date):
        return f"DATE '{value:%Y-%m-%d}'"
    # An empty list must stay valid SQL and match nothing.
    return ", ".join(sorted({_literal(item) for item in value})) or "NULL"
