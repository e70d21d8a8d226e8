"""Counters, tables and pivots as the page gets them."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from genie_obs.preview.file.model import Field, Position, Query, Widget
from genie_obs.preview.file.theme import parse_theme
from genie_obs.preview.page.tiles import TileData, build_tile
from genie_obs.preview.query.columns import Column, ColumnType, columns_of


def _tile(
    kind: str, encodings: dict[str, Any], columns: dict[str, tuple[ColumnType, list[Any]]], *hidden: Column
) -> dict[str, Any]:
    fields = [Field(name=name, expression=name if "(" in name else f"`{name}`") for name in columns]
    widget = Widget(
        key="k",
        name="w",
        kind=kind,
        position=Position(x=0, y=0, width=1, height=1),
        queries=(Query(name="main_query", dataset="d", fields=tuple(fields)),),
        spec={"encodings": encodings},
    )
    shown = [Column(name=f"f{i}", type=t, values=v) for i, (t, v) in enumerate(columns.values())]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return build_tile(TileData(widget=widget, fields=fields, columns=[*shown, *hidden], theme=parse_theme({}), now=now))


def test_counter_shows_the_latest_period_and_compares_with_the_one_before() -> None:
    encodings = {
        "value": {"fieldName": "n", "displayName": "Messages"},
        "period": {"fieldName": "day"},
        "target": {"fieldName": "n", "period": {"offset": -1}},
    }
    tile = _tile("counter", encodings, {"n": ("number", [9, 4, 7]), "day": ("date", [3, 1, 2])})
    assert (tile["value"], tile["target"]["value"], tile["spark"]) == (9, 7, [[1, 4], [2, 7], [3, 9]])


def test_counter_takes_the_row_it_is_told() -> None:
    assert _tile("counter", {"value": {"fieldName": "n", "rowNumber": 2}}, {"n": ("number", [1, 2, 3])})["value"] == 2


def test_counter_without_rows_is_empty() -> None:
    assert _tile("counter", {"value": {"fieldName": "n"}}, {"n": ("number", [])})["kind"] == "empty"


def test_counter_rules_without_operand_never_match() -> None:
    rules = [
        {"condition": {"operator": ">="}, "color": "#D55E00"},
        {"condition": {"operator": ">=", "operand": {"value": "1"}}, "color": "red"},
    ]
    tile = _tile("counter", {"value": {"fieldName": "n", "style": {"rules": rules}}}, {"n": ("number", [1])})
    assert tile["rules"] == [{"operator": ">=", "value": "1", "background": None, "color": None}]


def test_table_shows_only_its_columns_and_keeps_the_ids_of_messages() -> None:
    ids = [Column(name=n, type="text", values=["1"]) for n in ("workspace_id", "conversation_id", "message_id")]
    tile = _tile(
        "table",
        {"columns": [{"fieldName": "b"}, {"fieldName": "gone"}]},
        {"a": ("text", ["x"]), "b": ("text", ["y"])},
        *ids,
    )
    assert tile["rows"] == [["y"]]
    assert set(tile["keys"]) == {"workspace_id", "conversation_id", "message_id"}


def test_table_of_no_messages_opens_nothing() -> None:
    assert _tile("table", {}, {"a": ("text", ["x"])})["keys"] is None


def test_table_link_gets_the_columns_its_template_names() -> None:
    column = {"fieldName": "a", "actions": {"click": {"urlTemplate": "https://x.example/{{ id }}"}}}
    tile = _tile(
        "table", {"columns": [column]}, {"a": ("text", ["x"]), "id": ("text", ["7"]), "other": ("text", ["z"])}
    )
    assert tile["links"] == {"id": ["7"]}


PIVOT = {
    "rows": [{"fieldName": "r", "displayTotal": True}],
    "columns": [{"fieldName": "c", "displayTotal": True}],
    "cell": {"fields": [{"fieldName": "SUM(n)"}, {"fieldName": "COUNT(DISTINCT u)"}]},
}


def test_pivot_is_a_grid_with_totals_only_where_cells_add_up() -> None:
    columns: dict[str, tuple[ColumnType, list[Any]]] = {
        "r": ("text", ["b", "a", "a"]),
        "c": ("text", ["x", "x", None]),
        "SUM(n)": ("number", [1, 2, 3]),
        "COUNT(DISTINCT u)": ("number", [1, 1, 1]),
    }
    tile = _tile("pivot", PIVOT, columns)
    assert tile["row_keys"] == [["a"], ["b"]]
    assert tile["column_keys"] == [["x"], [None]]
    assert tile["grid"] == [[[2, 1], [3, 1]], [[1, 1], [None, None]]]
    assert tile["row_totals"] == [[5, None], [1, None]]
    assert tile["column_totals"] == [[3, None], [3, None]]


@pytest.mark.parametrize("name", [["SUM(n)"], {"a": 1}, 7, None], ids=["list", "object", "number", "null"])
@pytest.mark.parametrize("place", ["rows", "columns", "cell"])
def test_pivot_whose_field_has_no_name_says_so(place: str, name: object) -> None:
    unnamed = [{"fieldName": name}]
    encodings = {**PIVOT, place: {"fields": unnamed} if place == "cell" else unnamed}
    columns: dict[str, tuple[ColumnType, list[Any]]] = {
        "r": ("text", ["a"]),
        "c": ("text", ["x"]),
        "SUM(n)": ("number", [1]),
    }
    tile = _tile("pivot", encodings, columns)
    assert tile["kind"] == "error"
    assert "no selected field" in tile["message"]


def test_arrow_values_become_plain_json() -> None:
    table = pa.table(
        {
            "at": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None], pa.timestamp("us", tz="UTC")),
            "day": pa.array([datetime(1970, 1, 2, tzinfo=UTC).date(), None]),
            "big": pa.array([2**60, 1]),
            "odd": pa.array([float("nan"), float("inf")]),
            "ids": pa.array([["a"], None]),
            "raw": pa.array([b"x", None]),
        }
    )
    values = {c.name: (c.type, c.values) for c in columns_of(table, table.column_names, range(6))}
    assert values == {
        "at": ("instant", [1_767_225_600_000, None]),
        "day": ("date", [86_400_000, None]),
        "big": ("number", [str(2**60), 1]),
        "odd": ("number", [None, None]),
        "ids": ("json", ['["a"]', None]),
        "raw": ("text", ["b'x'", None]),
    }
