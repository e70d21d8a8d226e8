"""SQL statements: loaded from files, names qualified by token, values bound.

A statement names our tables without catalog and schema and system tables in full (``system.access.audit``), so that it
reads the same in a SQL editor, on Databricks, on Apache Spark and on Sail. Queries carry ``:parameters`` to the engine.
Sail does not take parameters in commands (MERGE), so there they become typed literals: dates, instants and numbers only.
Text becomes part of a statement only where a server cannot bind at all, and then as hexadecimal digits, which cannot end a
literal; rows travel as Arrow relations, which a statement reads by name like a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from genie_obs.identifiers import quote_identifier

_PACKAGE = Path(__file__).parents[1]
SYSTEM_SCHEMAS = ("access", "query")

_DECLARED = re.compile(r"^CREATE TABLE IF NOT EXISTS (\w+) \($", re.MULTILINE)

Scalar = str | int | float | bool | date | datetime | None
Value = Scalar | Sequence[date]

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")
      | (?P<quoted>`[^`]*`)
      | (?P<parameter>(?<![:\w]):[A-Za-z_]\w*)
      | (?P<system>(?<![.\w])system\.[A-Za-z_]\w*\.[A-Za-z_]\w*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<space>\s+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


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


@lru_cache
def load_statement(name: str) -> str:
    """Return the text of a statement, named by its room and file: ``ledger/select_due``; rules in it are written out."""
    return expand_rules((_PACKAGE / f"{name}.sql").read_text(encoding="utf-8").strip())


def has_statement(name: str) -> bool:
    """Say whether there is a statement of this name."""
    return (_PACKAGE / f"{name}.sql").is_file()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A condition that several statements share: a file ``<name>.rule.sql`` whose first line is ``-- name(one, other): what it says``."""

    name: str
    parameters: tuple[str, ...]
    condition: str

    def call(self, arguments: Sequence[str]) -> str:
        """Return the condition about the given rows, in parentheses, on one line."""
        spelled = dict(zip(self.parameters, arguments, strict=True))
        words = re.compile(rf"(?<!\.)\b({'|'.join(self.parameters)})\b")
        return f"({words.sub(lambda match: spelled[match[1]], self.condition)})"


@lru_cache
def rules() -> tuple[Rule, ...]:
    """Return the rules of the package."""
    return tuple(_parse_rule(file.read_text(encoding="utf-8")) for file in sorted(_PACKAGE.glob("*/*.rule.sql")))


def _parse_rule(text: str) -> Rule:
    head = re.match(r"-- (?P<name>\w+)\((?P<parameters>[\w, ]+)\): ", text)
    if head is None:
        raise ValueError("a rule begins with -- name(one, other): what it says")
    lines = [line.strip() for line in text.splitlines() if not line.startswith("--")]
    return Rule(
        name=head["name"], parameters=tuple(head["parameters"].split(", ")), condition=" ".join(filter(None, lines))
    )


def expand_rules(text: str) -> str:
    """Return a statement with each rule in it, such as ``is_reopened(l, w)``, written out, and those in the rules too."""
    by_name = {rule.name: rule for rule in rules()}
    call = re.compile(rf"\b({'|'.join(by_name)})\((\w+(?:, \w+)*)\)")
    expanded = call.sub(lambda match: by_name[match[1]].call(match[2].split(", ")), text)
    return expanded if expanded == text else expand_rules(expanded)


@lru_cache
def declarations() -> dict[str, str]:
    """Return our tables: the name of each, and its declaration as `load_statement` takes it. A folder with a `table.sql` is a table."""
    files = sorted([*_PACKAGE.glob("*/table.sql"), *_PACKAGE.glob("datasets/**/table.sql")])
    names = [file.relative_to(_PACKAGE).with_suffix("").as_posix() for file in files]
    return {_DECLARED.search(load_statement(name))[1]: name for name in names}  # type: ignore[index]  # each has one, or is no SQL


def our_tables() -> tuple[str, ...]:
    """Return the names of our tables."""
    return tuple(declarations())


def qualify(text: str, names: Names, stand_ins: Mapping[str, str] | None = None) -> str:
    """Return the statement with our tables and the system catalog spelled for one engine.

    Works on tokens: strings, comments, quoted names, column qualifiers and longer words stay as they are. `stand_ins` names
    the views that are read instead of system tables, by ``schema.table``.
    """

    def spell(kind: str, token: str, before: str, after: str) -> str:
        if kind == "system":
            return _system_table(token, names, stand_ins or {})
        is_ours = kind == "word" and before != "." and token in declarations() and not after.startswith(".")
        return names.table(token) if is_ours else token

    return _rewrite(text, spell)


def inline_parameters(text: str, values: Mapping[str, Value]) -> str:
    """Return the statement with the given parameters as typed literals, where an engine cannot bind them."""

    def replace(kind: str, token: str, _before: str, _after: str) -> str:
        return _literal(values[token[1:]]) if kind == "parameter" and token[1:] in values else token

    return _rewrite(text, replace)


def mark_relations(text: str, relations: Collection[str]) -> str:
    """Return the statement as a template of ``SparkSession.sql(text, **frames)``: relations in braces, other braces doubled.

    Raises:
        ValueError: if the statement does not read one of them.
    """
    unread = set(relations)

    def spell(kind: str, token: str, before: str, after: str) -> str:
        if kind == "word" and before != "." and token in relations and not after.startswith("."):
            unread.discard(token)
            return f"{{{token}}}"
        return token.replace("{", "{{").replace("}", "}}")

    marked = _rewrite(text, spell)
    if unread:
        raise ValueError(f"the statement does not read {sorted(unread)}")
    return marked


@lru_cache
def system_tables_of(text: str) -> tuple[str, ...]:
    """Return the system tables a statement reads, as ``schema.table``, in order."""
    found = (match.group().partition(".")[2] for match in _TOKEN.finditer(text) if match.lastgroup == "system")
    return tuple(dict.fromkeys(found))


@lru_cache
def parameters_of(text: str) -> frozenset[str]:
    """Return the names of the parameters a statement takes."""
    return frozenset(match.group()[1:] for match in _TOKEN.finditer(text) if match.lastgroup == "parameter")


def insert_only(merge: str) -> str:
    """Return a MERGE without what it does to rows that are there already: no engine rewrites a file for it.

    Raises:
        ValueError: if the statement has no clause of either kind.
    """
    head, matched, rest = merge.partition("\nWHEN MATCHED")
    _, not_matched, insert = rest.partition("\nWHEN NOT MATCHED")
    if not (matched and not_matched):
        raise ValueError("a MERGE with WHEN MATCHED and WHEN NOT MATCHED, each at the start of a line, is needed")
    return head + not_matched + insert


def _rewrite(text: str, replace: Callable[[str, str, str, str], str]) -> str:
    tokens = [(match.lastgroup or "other", match.group()) for match in _TOKEN.finditer(text)]
    pieces: list[str] = []
    for index, (kind, token) in enumerate(tokens):
        before = tokens[index - 1][1] if index else ""
        after = "".join(piece for _, piece in tokens[index + 1 : index + 3])
        pieces.append(replace(kind, token, before, after))
    return "".join(pieces)


def _system_table(token: str, names: Names, stand_ins: Mapping[str, str]) -> str:
    _, schema, name = token.split(".")
    if schema not in SYSTEM_SCHEMAS:
        return token
    view = stand_ins.get(f"{schema}.{name}")
    return quote_identifier(view) if view else f"{quote_identifier(names.system_catalog)}.{schema}.{name}"


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return f"CAST(X'{value.encode().hex()}' AS STRING)"
    if value is None or isinstance(value, bool | int):
        return str(value).upper() if value is not None else "NULL"
    if isinstance(value, float):
        return f"CAST({value!r} AS DOUBLE)"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00:00'"
    if isinstance(value, date):
        return f"DATE '{value:%Y-%m-%d}'"
    # An empty list must stay valid SQL and match nothing.
    return ", ".join(_literal(item) for item in sorted(set(value))) or "NULL"
