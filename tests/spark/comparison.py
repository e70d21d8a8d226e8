"""Compares what two engines give: row by row, whatever the order, numbers within rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

Row = dict[str, Any]

_DIGITS = 9  # significant digits that must agree; sums of floats depend on the order of summing


def assert_same_rows(ours: Iterable[Row], theirs: Iterable[Row]) -> None:
    """Check that two engines gave the same rows, each as often, in any order."""
    left, right = (sorted((comparable(row) for row in rows), key=repr) for rows in (ours, theirs))
    only_left = [row for row in left if row not in right]
    only_right = [row for row in right if row not in left]
    assert (only_left, only_right) == ([], [])
    assert len(left) == len(right)


def assert_same_columns(ours: pa.Table, theirs: pa.Table) -> None:
    """Check that names and kinds of columns agree; how wide a number is may differ."""
    assert _kinds(ours) == _kinds(theirs)


def comparable(value: Any) -> Any:
    """Return a value in the form in which equal values of two engines are equal."""
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float | Decimal | int):
        number = float(value)
        return "NaN" if math.isnan(number) else float(f"{number:.{_DIGITS}g}")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _kinds(rows: pa.Table) -> dict[str, str]:
    return {field.name: _kind(field.type) for field in rows.schema}


def _kind(column: pa.DataType) -> str:
    if pa.types.is_integer(column) or pa.types.is_floating(column) or pa.types.is_decimal(column):
        return "number"
    if pa.types.is_string(column) or pa.types.is_large_string(column) or pa.types.is_string_view(column):
        return "text"
    if pa.types.is_list(column) or pa.types.is_large_list(column):
        return f"list of {_kind(column.value_type)}"
    if pa.types.is_timestamp(column):
        # Whether an instant carries its zone decides what a dashboard shows.
        return "instant" if column.tz else "wall-clock time"
    return str(column)
