"""Chart specs per widget type, compared with stored ones and compiled by Vega-Lite.

After a wanted change: GENIE_OBS_UPDATE_GOLDEN=1 pytest tests/unit/preview/test_charts.py, then read the difference.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
import vl_convert

from genie_obs.preview.charts import CHART_KINDS, CUSTOM, ChartError, Frame, build_chart
from genie_obs.preview.file.model import Field, Position, Widget
from genie_obs.preview.file.theme import parse_theme, vega_config
from genie_obs.preview.query.columns import Column, ColumnType

GOLDEN = Path(__file__).parent / "golden"
HOUR = 3_600_000
MONDAY = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp() * 1_000)
DAYS = [MONDAY + 24 * HOUR * n for n in (0, 0, 1, 2, 4)]
WEEKS = [MONDAY + 7 * 24 * HOUR * n for n in (0, 0, 1, 1, 3)]
STATUS = ["COMPLETED", "FAILED", "COMPLETED", None, "CANCELLED"]
COUNTS = [5, 2, 7, 1, 3]
RATES = [0.1, 0.2, None, 0.05, 0.3]
PINNED = {"mappings": [{"value": "FAILED", "color": "#D55E00"}, {"value": "COMPLETED", "color": "#009E73"}]}


def enc(name: str, title: str = "", kind: str = "", **more: Any) -> dict[str, Any]:
    scale = {"scale": {"type": kind, **more.pop("scale", {})}} if kind else {}
    return {"fieldName": name, **({"displayName": title} if title else {}), **scale, **more}


def frame(
    kind: str, encodings: dict[str, Any], columns: dict[str, tuple[str, ColumnType, list[Any]]], **options: Any
) -> Frame:
    spec = {"widgetType": kind, "encodings": encodings, **options.pop("spec", {})}
    position = Position(x=0, y=0, width=6, height=6)
    widget = Widget(key="p0w0", name="w", kind=kind, position=position, spec=spec)
    return Frame(
        widget=widget,
        fields=[Field(name=name, expression=expression) for name, (expression, _, _) in columns.items()],
        columns=[Column(name=f"f{i}", type=t, values=v) for i, (_, t, v) in enumerate(columns.values())],
        theme=parse_theme({}),
        now=datetime(2026, 11, 23, tzinfo=UTC),
        **options,
    )


Columns = dict[str, tuple[str, ColumnType, list[Any]]]
DAILY: Columns = {
    "daily(ts.x)": ('DATE_TRUNC("DAY", `ts.x`)', "instant", DAYS),
    "status": ("`status`", "text", STATUS),
    "count(*)": ("COUNT(`*`)", "number", COUNTS),
}
WEEKLY: Columns = {"week": ("`week`", "date", WEEKS), **{k: DAILY[k] for k in ("status", "count(*)")}}
RATED: Columns = {**{k: DAILY[k] for k in ("daily(ts.x)", "count(*)")}, "rate": ("`rate`", "number", RATES)}
NAMED: Columns = {k: DAILY[k] for k in ("status", "count(*)")}
X_DAY = enc("daily(ts.x)", "Day", "temporal")
X_STATUS = enc("status", "Status", "categorical", scale={"sort": {"by": "y-reversed"}})
Y_COUNT = enc("count(*)", "Messages", "quantitative")
COLOUR = enc("status", "Status", "categorical", scale=PINNED, legend={"position": "bottom"})
PERCENT = {"type": "number-percent", "decimalPlaces": {"type": "max", "places": 1}}
TWO = {
    "scale": {"type": "quantitative"},
    "fields": [enc("count(*)", "Messages"), enc("rate", 'It\'s "<b>"', format=PERCENT)],
}
BOX_PARTS = ("whiskerStart", "boxStart", "boxMid", "boxEnd", "whiskerEnd")
BOX: Columns = {"status": DAILY["status"], **{name: (f"MIN(`{name}`)", "number", COUNTS) for name in BOX_PARTS}}
NOTE = {
    "type": "vertical-line",
    "encodings": {
        "x": {"dataValue": "2026-11-03T00:00:00.000"},
        "label": {"value": "Change"},
        "color": {"value": "#D55E00"},
    },
}
TICKS = {
    "jsonSpec": {"type": "vega-lite", "spec": '{"data": {"name": "databricks_query"}, "mark": "tick", "encoding": {}}'}
}

CASES: dict[str, Frame] = {
    "bar_categories": frame("bar", {"x": X_STATUS, "y": Y_COUNT, "label": {"show": True}}, NAMED, is_source=True),
    "bar_lying": frame(
        "bar", {"x": Y_COUNT, "y": enc("status", "", "categorical", scale={"sort": {"by": "x-reversed"}})}, NAMED
    ),
    "bar_lying_labelled": frame(
        "bar", {"x": Y_COUNT, "y": enc("status", "", "categorical"), "label": {"show": True}}, NAMED
    ),
    "bar_stacked_days": frame(
        "bar", {"x": X_DAY, "y": Y_COUNT, "color": COLOUR, "label": {"show": True}}, DAILY, is_source=True
    ),
    "bar_stacked_weeks": frame("bar", {"x": enc("week", "Week", "temporal"), "y": Y_COUNT, "color": COLOUR}, WEEKLY),
    "bar_grouped_weeks": frame(
        "bar",
        {"x": enc("week", "Week", "temporal"), "y": Y_COUNT, "color": COLOUR},
        WEEKLY,
        spec={"mark": {"layout": "group"}},
    ),
    "bar_shares": frame(
        "bar", {"x": X_STATUS, "y": Y_COUNT, "color": COLOUR}, NAMED, spec={"mark": {"layout": "percent-stack"}}
    ),
    "line": frame("line", {"x": X_DAY, "y": Y_COUNT, "color": COLOUR}, DAILY, spec={"annotations": [NOTE]}),
    "line_two_measures": frame("line", {"x": X_DAY, "y": TWO}, RATED),
    "area": frame("area", {"x": X_DAY, "y": Y_COUNT, "color": COLOUR}, DAILY),
    "scatter": frame("scatter", {"x": X_DAY, "y": Y_COUNT, "color": COLOUR}, DAILY, is_source=True),
    "pie": frame("pie", {"angle": Y_COUNT, "color": COLOUR, "label": {"show": True}}, NAMED, is_source=True),
    "heatmap": frame(
        "heatmap",
        {
            "x": X_DAY,
            "y": enc("status", "Status", "categorical"),
            "color": enc(
                "count(*)", "Messages", "quantitative", scale={"colorRamp": {"mode": "scheme", "scheme": "greenblue"}}
            ),
            "label": {"show": True},
        },
        DAILY,
    ),
    "histogram": frame(
        "histogram",
        {"x": enc("bin(d, binWidth=5)", "Seconds", "quantitative"), "y": Y_COUNT},
        {
            "bin(d, binWidth=5)": ("BIN_FLOOR(`d`, 5)", "number", [0.0, 5.0, None, 10.0, 15.0]),
            "count(*)": DAILY["count(*)"],
        },
    ),
    "combo": frame(
        "combo",
        {
            "x": X_DAY,
            "y": {
                "primary": {"fields": [enc("count(*)", "Messages")]},
                "secondary": {"fields": [enc("rate", "Rate", format=PERCENT)]},
            },
        },
        RATED,
    ),
    "combo_two_bars": frame(
        "combo",
        {
            "x": X_DAY,
            "y": {
                "primary": {"fields": [enc("count(*)", "Messages"), enc("rate", "Rate")]},
                "secondary": {"fields": []},
            },
        },
        RATED,
    ),
    "box": frame(
        "box",
        {
            "x": enc("status", "Status", "categorical"),
            "y": {part: enc(part) for part in BOX_PARTS} | {"scale": {"type": "quantitative"}},
        },
        BOX,
    ),
    "custom": frame(CUSTOM, {"fields": [enc("status")]}, NAMED, spec=TICKS),
}


def test_every_chart_kind_has_a_case() -> None:
    assert {case.widget.kind for case in CASES.values()} == CHART_KINDS


@pytest.mark.parametrize("name", sorted(CASES))
def test_spec_is_the_stored_one(name: str) -> None:
    text = json.dumps(build_chart(CASES[name]), indent=1, ensure_ascii=False) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get("GENIE_OBS_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def drawn(case: Frame, rows: list[dict[str, Any]], *, mode: str = "light", data: str = "rows") -> str:
    spec = {**build_chart(case), "datasets": {data: rows}, "width": 420, "height": 260}
    svg: str = vl_convert.vegalite_to_svg({**spec, "config": vega_config(case.theme, mode)}, vl_version="6.4")
    return svg


def labels_drawn(labels: list[Any], *, kind: Literal["text", "number"]) -> list[str]:
    """Return what the horizontal axis says where there is a bar for each of these."""
    columns: Columns = {"status": ("`status`", kind, labels), "count(*)": ("COUNT(*)", "number", [1] * len(labels))}
    case = frame("bar", {"x": enc("status", "Status", "categorical"), "y": Y_COUNT}, columns)
    names = [column.name for column in case.columns]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(c.values for c in case.columns), strict=True)]
    axis = drawn(case, rows).split("X-axis")[1].split("Y-axis")[0]
    texts = re.findall(r"<text([^>]*)>([^<>]+)</text>", axis)
    return [text for attributes, text in texts if text != "Status" and 'opacity="0"' not in attributes]


@pytest.mark.parametrize("count", [6, 12])
def test_every_long_name_stands_at_its_bar(count: int) -> None:
    parts = [f"{n:02} waiting for something" for n in range(count)]
    assert labels_drawn(parts, kind="text") == parts


def test_crowded_numbers_are_left_out_at_even_distances() -> None:
    assert labels_drawn(list(range(50)), kind="number") == [str(hour) for hour in range(0, 50, 4)]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_spec_is_drawn_without_nan_or_empty_marks(name: str, mode: str) -> None:
    case = CASES[name]
    names = [f.name for f in case.fields] if name == "custom" else [c.name for c in case.columns]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(c.values for c in case.columns), strict=True)]
    svg = drawn(case, rows, mode=mode, data="databricks_query" if name == "custom" else "rows")
    assert "NaN" not in svg
    assert 'role="graphics-symbol"' in svg
    assert not re.search(r'aria-roledescription="bar" d="[^"]*h0v', svg)  # a bar without width


def test_names_of_fields_are_never_part_of_a_spec_path() -> None:
    text = json.dumps(build_chart(CASES["bar_stacked_days"]))
    assert "ts.x" not in text


def test_missing_field_is_named() -> None:
    with pytest.raises(ChartError, match="no field 'nothing'"):
        build_chart(frame("bar", {"x": enc("nothing"), "y": Y_COUNT}, NAMED))


@pytest.mark.parametrize("kind", sorted(CHART_KINDS))
def test_chart_without_encodings_says_so(kind: str) -> None:
    with pytest.raises(ChartError):
        build_chart(frame(kind, {}, NAMED))


def test_text_is_no_measure() -> None:
    with pytest.raises(ChartError, match="no numbers"):
        build_chart(frame("line", {"x": X_DAY, "y": enc("status", "Status", "quantitative")}, DAILY))


def test_pinned_colours_stay_with_their_values() -> None:
    scale = build_chart(CASES["line"])["layer"][0]["encoding"]["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True))["FAILED"] == "#D55E00"
    assert len(set(scale["range"])) == len(scale["domain"])
