"""Reads the declarations of our tables. A folder with a ``table.sql`` is a table.

A declaration is a CREATE TABLE with one column a line, below header lines such as ``-- key: workspace_id, message_id``. A header line
continues on lines that begin with ``--`` and blanks. Much follows from it: the list of our tables, the content policy, erasure, vacuum,
Delta's statistics, ``docs/data-model.md``, fixtures of tests, and the MERGE of the table (`genie_obs.lakehouse.merge`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import pyarrow as pa

from genie_obs.lakehouse.sql_types import arrow_type
from genie_obs.lakehouse.statements import declarations, load_statement, our_tables
from genie_obs.security.texts import Texts

STATISTICS_PROPERTY = "delta.dataSkippingStatsColumns"
CONTENT_POLICY: Final = "content_policy"

# The form of a declaration is fixed, because people read it as documentation: one column a line, name first. So this pattern can parse it.
_COLUMN = re.compile(r"^  (?P<name>\w+) (?P<type>[A-Z].*?) COMMENT '(?P<comment>[^']+)',?$", re.MULTILINE)
_HEADER_LINE = re.compile(r"-- (?P<key>[a-z][a-z_ ]*): +(?P<value>.+)")
_COMMENT = re.compile(r"^COMMENT '(?P<comment>[^']+)'", re.MULTILINE)
_JSON_TEXT = re.compile(r"(?P<name>\w+) as (?P<empty>\S+)")
_RULE, _JOINED = "rule ", "joined on "
_KEYS = frozenset(
    {
        "grain", "key", "cluster by", "partition by", "statistics", "sources", "retention", "erased with", "rows stay", "texts", "words",
        "people", "identifiers", "newest", "once", "quiet", "update if", "insert if",
    }
)  # fmt: skip
ERASED_WITH = frozenset({"message", "space", "person", "state"})


@dataclass(frozen=True)
class Column:
    """One column: SQL type as Databricks spells it, and what it means."""

    name: str
    sql_type: str
    comment: str

    @property
    def arrow_type(self) -> pa.DataType:
        """Return the Arrow type of its values; instants are UTC microseconds."""
        return arrow_type(self.sql_type)


@dataclass(frozen=True, kw_only=True)
class MergeRules:
    """How a newer row changes the stored one of the same key; expressions name the two rows `new` and `old`.

    A column that is not named here keeps its value if the newer row has NULL. So does a text, within its content policy.
    """

    newest: tuple[str, ...] = ()  # the newer value replaces the older one, NULL included
    once: tuple[str, ...] = ()  # set when the row is inserted, never changed
    quiet: tuple[str, ...] = ()  # a row that differs only in these is not written; if none is named, every row is
    joined_on: str | None = None
    joined: tuple[str, ...] = ()  # filled in by a later step; emptied when the column `joined_on` changes
    rules: Mapping[str, str]  # column -> its own expression
    update_if: str | None = None
    insert_if: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)  # one object per table, used as a key of dictionaries
class Table:
    """A declared table; ``ddl`` ends after the table comment, the engine adds the layout."""

    name: str
    folder: str  # its folder in the package
    ddl: str
    comment: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    cluster_by: tuple[str, ...]
    partition_by: tuple[str, ...]
    statistics: tuple[str, ...]  # columns whose least and greatest value Delta may keep in its log: no text, no person
    sources: tuple[str, ...]  # what it is filled from; all of them are needed
    retention: str | None  # the setting that bounds how long texts or rows are kept
    texts: Texts
    people: tuple[str, ...]  # columns that say who somebody is
    # STRING columns that are neither texts nor people: ids, names of things, words of our own.
    identifiers: tuple[str, ...]
    # `message`, `space`, `person`: a row loses its texts when one of these is erased. `state`: the ledger has its own way.
    erased_with: tuple[str, ...]
    has_lasting_rows: bool  # a row loses its texts and people also where whole rows are erased
    merge: MergeRules

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def has_content_policy(self) -> bool:
        """Return whether a row says under which policy its texts were written, or that they were erased."""
        return CONTENT_POLICY in self.names

    @property
    def is_erasable(self) -> bool:
        """Return whether it holds something that can be erased. Then its files are purged and vacuumed too."""
        return bool(self.texts or self.people)

    def arrow_schema(self, *names: str) -> pa.Schema:
        """Return the Arrow schema of the named columns, or of all."""
        wanted = set(names) or set(self.names)
        return pa.schema([(column.name, column.arrow_type) for column in self.columns if column.name in wanted])


@lru_cache
def table(name: str) -> Table:
    """Return one of our tables by name.

    Raises:
        ValueError: if its declaration has an unknown header line.
    """
    place = declarations()[name]
    ddl = load_statement(place)
    header = _parse_header(ddl, name)
    columns = tuple(Column(match["name"], match["type"], match["comment"]) for match in _COLUMN.finditer(ddl))
    comment = _COMMENT.search(ddl)
    return Table(
        name=name,
        folder=place.rpartition("/")[0],
        ddl=ddl,
        comment=comment["comment"] if comment else "",
        grain=header["grain"],
        columns=columns,
        key=_words(header, "key"),
        cluster_by=_words(header, "cluster by"),
        partition_by=_words(header, "partition by"),
        statistics=_words(header, "statistics"),
        sources=_words(header, "sources"),
        retention=header.get("retention"),
        texts=_texts(columns, header),
        people=_words(header, "people"),
        identifiers=_words(header, "identifiers"),
        erased_with=_words(header, "erased with"),
        has_lasting_rows="rows stay" in header,
        merge=_merge_rules(columns, header),
    )


def tables() -> tuple[Table, ...]:
    """Return our tables."""
    return tuple(table(name) for name in our_tables())


def erasable_tables() -> tuple[Table, ...]:
    """Return our tables that hold texts or people."""
    return tuple(item for item in tables() if item.is_erasable)


def _parse_header(ddl: str, name: str) -> dict[str, str]:
    header: dict[str, str] = {}
    key = ""
    for line in ddl.partition("\nCREATE TABLE")[0].splitlines():
        if start := _HEADER_LINE.fullmatch(line):
            key = start["key"]
            header[key] = start["value"].strip()
        elif line.startswith("--  ") and key:
            header[key] += " " + line.removeprefix("--").strip()
    unknown = [key for key in header if key not in _KEYS and not key.startswith((_RULE, _JOINED))]
    if unknown or not ERASED_WITH.issuperset(_words(header, "erased with")):
        raise ValueError(f"the declaration of {name} has a header line that means nothing: {unknown or 'erased with'}")
    return header


def _words(header: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(filter(None, re.split(r",\s*", header.get(key, ""))))


def _texts(columns: tuple[Column, ...], header: Mapping[str, str]) -> Texts:
    """Return the texts by kind: plain ones, lists, and JSON, which is declared with its empty value: ``x as []``."""
    declared = _words(header, "texts")
    json = {match["name"]: match["empty"] for item in declared if (match := _JSON_TEXT.fullmatch(item))}
    types = {column.name: column.sql_type for column in columns}
    return Texts(
        plain=tuple(name for name in declared if types.get(name) == "STRING"),
        lists=tuple(name for name in declared if types.get(name) == "ARRAY<STRING>"),
        json=json,
        words=_words(header, "words"),
    )


def _merge_rules(columns: tuple[Column, ...], header: Mapping[str, str]) -> MergeRules:
    joined_on = next((key for key in header if key.startswith(_JOINED)), None)
    newest = _words(header, "newest")
    if newest == ("all",):
        newest = tuple(column.name for column in columns if column.name not in _words(header, "key"))
    return MergeRules(
        newest=newest,
        once=_words(header, "once"),
        quiet=_words(header, "quiet"),
        joined_on=joined_on.removeprefix(_JOINED) if joined_on else None,
        joined=_words(header, joined_on) if joined_on else (),
        rules={key.removeprefix(_RULE): value for key, value in header.items() if key.startswith(_RULE)},
        update_if=header.get("update if"),
        insert_if=header.get("insert if"),
    )
