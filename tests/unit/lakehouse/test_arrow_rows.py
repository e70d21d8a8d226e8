"""Arrow to rows: the same values as pyarrow gives, whatever the column is made of."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from genie_obs.lakehouse.arrow_rows import to_rows

INSTANTS = [datetime(2026, 7, 1, 23, 59, 59, 999_999, UTC), None, datetime(1969, 12, 31, 23, 59, 59, 1, UTC)]
DAYS = [date(1970, 1, 1), None, date(1, 1, 1)]


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pa.array(["a", None, "ü"]), id="text"),
        pytest.param(pa.array(["a", None, "a"]).dictionary_encode(), id="dictionary"),
        pytest.param(pa.array(DAYS, pa.date32()).dictionary_encode(), id="dictionary of days"),
        pytest.param(pa.array([1, None, -(2**63)]), id="integer"),
        pytest.param(pa.array([True, None, False]), id="flag"),
        pytest.param(pa.array([["a", None], None, []]), id="list"),
        pytest.param(pa.array([{"at": INSTANTS[0]}, None, {"at": None}]), id="struct"),
        pytest.param(pa.nulls(3), id="nothing"),
        pytest.param(pa.array(DAYS, pa.date32()), id="day"),
        pytest.param(pa.array(INSTANTS, pa.timestamp("us", "UTC")), id="instant"),
        pytest.param(pa.array(INSTANTS, pa.timestamp("us")), id="time without zone"),
        pytest.param(pa.array([1, None, -1], pa.timestamp("ms", "UTC")), id="instant in milliseconds"),
    ],
)
def test_rows_are_those_of_pyarrow(column: pa.Array) -> None:
    table = pa.table({"id": [1, 2, 3], "value": pa.chunked_array([column.slice(0, 1), column.slice(1)])})

    assert to_rows(table) == table.to_pylist()


def test_instants_are_utc_whatever_zone_their_column_is_labelled_with() -> None:
    [row] = to_rows(pa.table({"at": pa.array(INSTANTS[:1], pa.timestamp("us", "America/New_York"))}))

    assert row["at"] == INSTANTS[0]
    assert row["at"].tzinfo is UTC


def test_table_without_rows_has_none() -> None:
    assert to_rows(pa.table({"id": pa.array([], pa.string()), "at": pa.array([], pa.timestamp("us", "UTC"))})) == []
