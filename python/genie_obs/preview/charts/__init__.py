"""Turns chart widgets into Vega-Lite specs, from the file's encodings and the tile's columns. A spec holds no rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from genie_obs.preview.charts import other, xy
from genie_obs.preview.charts.frame import ChartError, Frame
from genie_obs.preview.file import lenient
from genie_obs.preview.file.theme import is_colour
from genie_obs.preview.query.parameters import parse_instant

__all__ = ["CHART_KINDS", "CUSTOM", "ChartError", "Frame", "build_chart"]

CUSTOM = "custom-vega-viz"
_BUILDERS: Mapping[str, Callable[[Frame], dict[str, Any]]] = {
    "bar": xy.bar,
    "line": xy.line,
    "area": xy.area,
    "scatter": xy.scatter,
    "pie": other.pie,
    "heatmap": other.heatmap,
    "histogram": other.histogram,
    "combo": other.combo,
    "box": other.box,
    CUSTOM: other.custom,
}
CHART_KINDS = frozenset(_BUILDERS)
_ANNOTATED = frozenset({"line", "area", "bar", "combo"})


def build_chart(frame: Frame) -> dict[str, Any]:
    """Return the Vega-Lite spec of a chart. It reads a data set called `rows`, a custom chart one called `databricks_query`.

    Raises:
        ChartError: if the file does not say enough to draw it.
    """
    kind = frame.widget.kind
    spec = _BUILDERS[kind](frame)
    if kind == CUSTOM:
        return {**spec, "width": "container", "height": "container"}
    if kind in _ANNOTATED:
        spec = _annotated(frame, spec)
    return {"data": {"name": "rows"}, "width": "container", "height": "container", **spec}


def _annotated(frame: Frame, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the chart with the file's vertical lines over it. Lines are drawn on a time axis only."""
    found = [
        item
        for item in lenient.mappings(frame.widget.spec.get("annotations"))
        if item.get("type") == "vertical-line" and _instant(item, frame.now) is not None
    ]
    x = frame.encoding("x")
    if not found or not x.get("fieldName") or frame.column(x).type not in {"date", "instant"}:
        return spec
    layers = [layer for item in found for layer in _vertical_line(item, frame.now)]
    if "layer" in spec and "resolve" not in spec:
        return {**spec, "layer": [*spec["layer"], *layers]}
    return {"layer": [spec, *layers]}


def _instant(item: Mapping[str, Any], now: datetime) -> float | None:
    try:
        instant = parse_instant(lenient.text(lenient.path(item, "encodings", "x", "dataValue")), now)
    except (ValueError, OverflowError):
        return None
    return instant.timestamp() * 1_000


def _vertical_line(item: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    raw = lenient.path(item, "encodings", "color", "value")
    colour = raw if is_colour(raw) else "#D55E00"
    x = {"datum": _instant(item, now), "type": "temporal", "scale": {"type": "utc"}}
    label = lenient.text(lenient.path(item, "encodings", "label", "value"))
    one_row: dict[str, Any] = {"data": {"values": [{}]}}
    rule = {"mark": {"type": "rule", "color": colour, "strokeDash": [4, 3], "strokeWidth": 1.5}, "encoding": {"x": x}}
    text_mark = {
        "type": "text",
        "color": colour,
        "align": "left",
        "baseline": "top",
        "dx": 4,
        "y": 0,
        "fontWeight": 600,
    }
    words = {"mark": text_mark, "encoding": {"x": x, "text": {"value": label}}}
    return [{**one_row, **rule}, {**one_row, **words}] if label else [{**one_row, **rule}]
