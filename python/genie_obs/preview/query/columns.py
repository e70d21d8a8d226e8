"""Turns Arrow columns into plain JSON values. Each column has one of six types."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

ColumnType = Literal["text", "number", "boolean", "date", "instant", "json"]

_MAX_EXACT_INTEGER = 2**53  # JavaScript rounds larger integers


@dataclass(frozen=True, kw_only=True)
class Column:
    """The values of one field. Dates and instants are milliseconds since 1970 (UTC)."""

    name: str
    type: ColumnType
    values: list[Any]


def columns_of(table: pa.Table, names: Sequence[str], positions: Sequence[int]) -> list[Column]:
    """Return the columns at these positions of a table, under new names."""
    return [_column(name, table.column(position)) for name, position in zip(names, positions, strict=True)]


def position_of(table: pa.Table, name: str) -> int:
    """Return the position of a column. Upper and lower case count as equal, unless one name matches exactly.

    Raises:
        KeyError: if there is none.
    """
    names: list[str] = table.column_names
    if name in names:
        return names.index(name)
    lowered = [other.lower() for other in names]
    if name.lower() not in lowered:
        raise KeyError(name)
    return lowered.index(name.lower())


def _column(name: str, data: pa.ChunkedArray) -> Column:
    for fits, kind, convert in _CONVERSIONS:
        if fits(data.type):
            return Column(name=name, type=kind, values=convert(data))
    return Column(name=name, type="text", values=_each(data, str))


def _milliseconds(data: pa.ChunkedArray) -> list[Any]:
    instants = pc.cast(data, pa.timestamp("ms"), safe=False) if not pa.types.is_timestamp(data.type) else data
    zone = getattr(instants.type, "tz", None)
    values: list[Any] = pc.cast(pc.cast(instants, pa.timestamp("ms", tz=zone), safe=False), pa.int64()).to_pylist()
    return values


def _each(data: pa.ChunkedArray, convert: Callable[[Any], Any]) -> list[Any]:
    return [None if value is None else convert(value) for value in data.to_pylist()]


def _as_they_are(data: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = data.to_pylist()
    return values


def _exact_integer(value: int) -> int | str:
    return value if abs(value) <= _MAX_EXACT_INTEGER else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


_CONVERSIONS: tuple[tuple[Callable[[Any], bool], ColumnType, Callable[[pa.ChunkedArray], list[Any]]], ...] = (
    (pa.types.is_timestamp, "instant", _milliseconds),
    (pa.types.is_date, "date", _milliseconds),
    (pa.types.is_boolean, "boolean", _as_they_are),
    (pa.types.is_integer, "number", lambda data: _each(data, _exact_integer)),
    (pa.types.is_floating, "number", lambda data: _each(data, _finite)),
    (pa.types.is_decimal, "number", lambda data: _each(data, float)),
    (pa.types.is_string, "text", _as_they_are),
    (pa.types.is_large_string, "text", _as_they_are),
    (pa.types.is_nested, "json", lambda data: _each(data, _json)),
)
