"""The system tables as we expect them, and how a changed one is read. Pure.

Statements name `system.access.audit` and expect the columns declared here. A table that has them is read as it is. If a
column is missing or has another type, a view is read instead of the table. It converts what can be converted and gives NULL
for the rest, and each difference is a line of drift. A table without a required column is not read at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import TypedDict

from genie_obs.errors import clean_text

_TEXT = "string"
_WHOLE_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint"})
_TIMES = frozenset({"timestamp", "timestamp_ntz", "date", _TEXT})
# What `try_cast` turns into the type we expect without guessing a unit or a meaning.
_CASTS = {
    "int": _WHOLE_NUMBERS | {_TEXT},
    "bigint": _WHOLE_NUMBERS | {_TEXT},
    "boolean": frozenset({_TEXT}),
    "timestamp": _TIMES,
    "date": _TIMES,
}
_NESTED = ("struct<", "map<", "array<", "variant")
_JSON_OF = ("struct<", "map<", "variant")


@dataclass(frozen=True)
class SourceColumn:
    """One column, or one field of a struct, as `path`; types are spelled as Spark prints them."""

    path: str
    sql_type: str = _TEXT
    is_required: bool = False
    substitute: str = ""  # the column that is read if this one cannot be

    @property
    def parent(self) -> str:
        """Return the column that holds a field of a struct; for other columns, the name itself."""
        return self.path.partition(".")[0]

    @property
    def leaf(self) -> str:
        """Return the name of a field of a struct, '' for other columns."""
        return self.path.partition(".")[2]


@dataclass(frozen=True)
class Source:
    """One system table, as ``schema.table`` of the system catalog."""

    name: str
    columns: tuple[SourceColumn, ...]
    is_required: bool = False  # without it there is nothing to do; every other source is optional

    @property
    def schema(self) -> str:
        """Return its schema in the system catalog. Grants are given on whole schemas."""
        return self.name.partition(".")[0]

    @property
    def stand_in(self) -> str:
        """Return the name of the view that is read instead of a table that has changed."""
        return "genie_obs_" + self.name.replace(".", "_")


# Without the required columns, discovery would lose messages for good, because the watermark moves on.
AUDIT = Source(
    "access.audit",
    (
        SourceColumn("workspace_id", is_required=True),
        SourceColumn("event_time", "timestamp", is_required=True),
        SourceColumn("event_date", "date", substitute="event_time"),
        SourceColumn("event_id"),
        SourceColumn("request_id"),
        SourceColumn("user_agent"),
        SourceColumn("user_identity.email"),
        SourceColumn("user_identity.subject_name"),
        SourceColumn("service_name", is_required=True),
        SourceColumn("action_name", is_required=True),
        SourceColumn("request_params", "map<string,string>", is_required=True),
        SourceColumn("response.status_code", "int"),
        SourceColumn("response.error_message"),
        SourceColumn("response.result", is_required=True),
    ),
    is_required=True,
)
WORKSPACES = Source(
    "access.workspaces_latest",
    (
        SourceColumn("workspace_id", is_required=True),
        SourceColumn("workspace_name"),
        SourceColumn("workspace_url", is_required=True),
        SourceColumn("status"),
    ),
    is_required=True,
)
QUERY_HISTORY = Source(
    "query.history",
    (
        SourceColumn("workspace_id", is_required=True),
        SourceColumn("statement_id", is_required=True),
        SourceColumn("execution_status", is_required=True),
        SourceColumn("compute.warehouse_id"),
        SourceColumn("total_duration_ms", "bigint"),
        SourceColumn("start_time", "timestamp", is_required=True),
        SourceColumn("end_time", "timestamp"),
        SourceColumn("update_time", "timestamp", substitute="end_time"),
        SourceColumn("read_rows", "bigint"),
        SourceColumn("read_bytes", "bigint"),
        SourceColumn("produced_rows", "bigint"),
        SourceColumn("from_result_cache", "boolean"),
        SourceColumn("error_message"),
    ),
)
SOURCES = (AUDIT, WORKSPACES, QUERY_HISTORY)


def is_required(name: str) -> bool:
    """Say whether a run without this source makes no sense."""
    return any(source.is_required for source in SOURCES if source.name == name)


class State(StrEnum):
    """Whether a source is read in a run."""

    READ = "read"
    MISSING = "missing"  # it does not exist, or cannot be seen
    FORBIDDEN = "forbidden"  # it may not be read
    LACKS_COLUMNS = "lacks_columns"  # required columns are missing
    SKIPPED = "skipped"  # by --skip-sources
    FAILED = "failed"  # reading it failed in another way


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """An element of `ingestion_runs.sources`: a source, whether it was read, and if not, why and what to do."""

    name: str
    state: str
    detail: str | None = None


COLUMN_FIX = (
    "Upgrade genie-obs, which may know the new form of the table; if a view or copy of your own stands in its place, "
    "let it pass the column on."
)
# Words of the engines' own errors: Unity Catalog, Apache Spark, Sail.
_NOT_FOUND = re.compile(r"NOT_FOUND|not found|does not exist", re.IGNORECASE)
_NOT_ALLOWED = re.compile(
    r"PERMISSION|PRIVILEGE|FORBIDDEN|ACCESS_DENIED|access denied|not authorized|unauthorized", re.IGNORECASE
)
_MAX_REASON_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class SourceFound:
    """What was found of a source: its state, what is wrong, and one line of drift for each difference from its declaration."""

    source: Source
    state: State
    problem: str | None = None
    drift: tuple[str, ...] = ()


def explain_unreadable(name: str, error: BaseException) -> Unreadable:
    """Return the state of a system table that an engine refused to read, and a sentence that says what is wrong."""
    said = str(error).strip()
    reason = clean_text(said.splitlines()[0] if said else type(error).__name__, limit=_MAX_REASON_CHARACTERS)
    if _NOT_ALLOWED.search(said):
        return {"state": State.FORBIDDEN, "problem": f"system.{name} may not be read: {reason}"}
    if _NOT_FOUND.search(said):
        return {"state": State.MISSING, "problem": f"system.{name} does not exist or is not visible"}
    return {"state": State.FAILED, "problem": f"system.{name} cannot be read: {reason}"}


class Unreadable(TypedDict):
    """The state and the problem of a source that cannot be read."""

    state: State
    problem: str


@dataclass(kw_only=True)
class SourceCheck:
    """How a system table compares with what we expect of it."""

    drift: list[str] = field(default_factory=list)  # one line for each difference with which the table can be read
    problems: list[str] = field(default_factory=list)  # required columns that are missing or cannot be converted
    expressions: list[str] = field(default_factory=list)  # the columns of the view that is read instead


def check_source(source: Source, found: Mapping[str, str]) -> SourceCheck:
    """Compare a table with its declaration.

    Args:
        source: what we expect.
        found: the table's columns and their types as Spark prints them; fields of structs as ``parent.field`` as well.
    """
    check = SourceCheck()
    for parent, group in groupby(source.columns, key=lambda column: column.parent):
        columns = list(group)
        read = {column: _read(source, column, found, check) for column in columns}
        if columns[0].leaf:
            fields = ", ".join(f"'{column.leaf}', {expression}" for column, expression in read.items())
            check.expressions.append(f"named_struct({fields}) AS {parent}")
        else:
            check.expressions.append(f"{read[columns[0]]} AS {parent}")
    return check


def _read(source: Source, column: SourceColumn, found: Mapping[str, str], check: SourceCheck) -> str:
    """Return the expression that reads a column in the type we expect, and note how it differs."""
    expression, actual = _locate(column, found)
    converted = _convert(expression, actual, column.sql_type)
    if converted == column.path:
        return converted
    place = f"system.{source.name}.{column.path}"
    parent = found.get(column.parent, "").partition("<")[0]
    shown = (actual or "").partition("<")[0] if column.path in found else f"a field of {parent}"
    if converted is None and column.is_required:
        check.problems.append(
            f"{column.path} is of type {shown}, not {column.sql_type}" if actual else f"{column.path} is missing"
        )
    elif converted is not None:
        check.drift.append(f"{place}: expected {column.sql_type}, got {shown}; converted")
    elif actual is not None:
        check.drift.append(f"{place}: expected {column.sql_type}, got {shown}; not readable, taken as missing")
    else:
        check.drift.append(f"{place}: missing" + (f", {column.substitute} instead" if column.substitute else ""))
    return converted or f"CAST({_substitute(source, column, found)} AS {column.sql_type})"


def _substitute(source: Source, column: SourceColumn, found: Mapping[str, str]) -> str:
    for other in source.columns:
        if other.path == column.substitute:
            expression, actual = _locate(other, found)
            return _convert(expression, actual, other.sql_type) or "NULL"
    return "NULL"


def _locate(column: SourceColumn, found: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the expression that reaches a column, and its type (None if it is missing)."""
    if not column.leaf or column.path in found:
        return column.path, found.get(column.path)
    # The parent is not a struct, or lacks this field. A map or a JSON text may hold it too.
    parent = found.get(column.parent, "")
    if parent.startswith("map<string,"):
        return f"{column.parent}['{column.leaf}']", parent.removeprefix("map<string,").removesuffix(">")
    if parent == _TEXT:
        return f"get_json_object({column.parent}, '$.{column.leaf}')", _TEXT
    return column.path, None


def _convert(expression: str, actual: str | None, expected: str) -> str | None:
    """Return the expression in the type we expect; None if the column is missing or cannot be converted."""
    if actual is None or actual == expected:
        return expression if actual else None
    if expected == _TEXT:
        return f"to_json({expression})" if actual.startswith(_NESTED) else f"CAST({expression} AS STRING)"
    if expected.startswith("map<"):
        text = expression if actual == _TEXT else f"to_json({expression})"
        return f"from_json({text}, '{expected}')" if actual == _TEXT or actual.startswith(_JSON_OF) else None
    return f"try_cast({expression} AS {expected})" if actual in _CASTS[expected] else None
