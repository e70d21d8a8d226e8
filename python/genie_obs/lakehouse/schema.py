"""Our tables as declared in the ``table.sql`` of their rooms: columns, layout, and the Arrow types of their rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from genie_obs.lakehouse.sql import declarations, load_statement, our_tables

# One column a line, name first: the declaration doubles as documentation, so its form is fixed and this is all the parsing it needs.
_COLUMN = re.compile(r"^  (?P<name>\w+) (?P<type>[A-Z]+(?:<[A-Z]+>)?) COMMENT '(?P<comment>[^']+)',?$", re.MULTILINE)
_LAYOUT = re.compile(r"^-- (?P<key>cluster by|partition by|statistics): +(?P<columns>.+)$", re.MULTILINE)

STATISTICS_PROPERTY = "delta.dataSkippingStatsColumns"

_ARROW_TYPES = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "INT": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "ARRAY<STRING>": pa.list_(pa.string()),
}


@dataclass(frozen=True)
class Column:
    """One column: SQL type as Databricks spells it, and what it means."""

    name: str
    sql_type: str
    comment: str

    @property
    def arrow_type(self) -> pa.DataType:
        """Return the Arrow type of its values; instants are UTC microseconds."""
        return _ARROW_TYPES[self.sql_type]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A declared table; ``ddl`` ends after the table comment, the engine adds the layout."""

    name: str
    ddl: str
    columns: tuple[Column, ...]
    cluster_by: tuple[str, ...]
    partition_by: tuple[str, ...]
    statistics: tuple[str, ...]  # columns whose least and greatest value Delta may keep in its log: no text, no person

    def arrow_schema(self, *names: str) -> pa.Schema:
        """Return the Arrow schema of the named columns, or of all."""
        wanted = set(names) or {column.name for column in self.columns}
        return pa.schema([(column.name, column.arrow_type) for column in self.columns if column.name in wanted])


@lru_cache
def table(name: str) -> Table:
    """Return one of our tables by name."""
    ddl = load_statement(declarations()[name])
    layout = {match["key"]: tuple(match["columns"].split(", ")) for match in _LAYOUT.finditer(ddl)}
    columns = tuple(Column(match["name"], match["type"], match["comment"]) for match in _COLUMN.finditer(ddl))
    return Table(
        name=name,
        ddl=ddl,
        columns=columns,
        cluster_by=layout["cluster by"],
        partition_by=layout.get("partition by", ()),
        statistics=layout["statistics"],
    )


def tables() -> tuple[Table, ...]:
    """Return our tables."""
    return tuple(table(name) for name in our_tables())
