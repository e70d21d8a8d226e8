"""The comparison of two engines sees what differs and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from tests.spark.comparison import assert_same_columns, assert_same_rows

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ROW: dict[str, Any] = {"name": "a", "share": 1 / 3, "at": NOON, "ids": ["x", "y"], "note": None}


def test_order_of_rows_and_rounding_of_numbers_do_not_matter() -> None:
    other = {**ROW, "share": 0.1}
    assert_same_rows([ROW, other], [{**other, "share": Decimal("0.1")}, {**ROW, "share": 1 / 3 + 1e-15}])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "b"},
        {"share": 0.3333},
        {"at": NOON.replace(microsecond=1)},
        {"ids": ["y", "x"]},
        {"note": ""},
        {"share": None},
    ],
    ids=str,
)
def test_another_value_is_seen(change: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        assert_same_rows([ROW], [{**ROW, **change}])


def test_missing_and_repeated_rows_are_seen() -> None:
    for other in ([], [ROW, ROW]):
        with pytest.raises(AssertionError):
            assert_same_rows([ROW], other)


def test_kinds_of_columns_are_compared_not_their_widths() -> None:
    assert_same_columns(pa.table({"n": pa.array([1], pa.int64())}), pa.table({"n": pa.array([1], pa.int32())}))
    for left, right in (
        ({"n": pa.array([1])}, {"n": pa.array(["1"])}),
        ({"n": pa.array([1])}, {"m": pa.array([1])}),
        ({"t": pa.array([NOON], pa.timestamp("us", "UTC"))}, {"t": pa.array([NOON], pa.timestamp("us"))}),
    ):
        with pytest.raises(AssertionError):
            assert_same_columns(pa.table(left), pa.table(right))
