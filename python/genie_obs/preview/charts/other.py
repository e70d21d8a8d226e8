"""Pies, heat maps, histograms, combined charts and box plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from genie_obs.preview.charts.channels import (
    as_bands,
    as_cells,
    as_steps,
    axis_title,
    colour,
    has_own_bands,
    position,
    quantitative,
)
from genie_obs.preview.charts.frame import (
    WEEK,
    ChartError,
    Frame,
    grain_of,
    label_of,
    measures_of,
    step_of,
)
from genie_obs.preview.charts.xy import TOOLTIP, Spec, dim_unselected, numbered_series, selection, series_colour
from genie_obs.preview.file import lenient
from genie_obs.preview.file.formats import d3_format, parse_format
from genie_obs.preview.query.expressions import bin_width

_LIGHT_AT_THE_END = frozenset({"viridis", "magma", "inferno", "plasma", "cividis", "turbo"})
_BOX_PARTS = ("whiskerStart", "boxStart", "boxMid", "boxEnd", "whiskerEnd")


def pie(frame: Frame) -> Spec:
    """Return a ring of shares, largest first. A part that is large enough has its share written beside it."""
    angle = frame.encoding("angle")
    value = frame.column(angle)
    if value.type != "number":
        raise ChartError(f"{label_of(angle) or 'the angle'} holds no numbers")
    tint = colour(frame, frame.encoding("color"))
    base: Spec = {
        "theta": {"field": value.name, "type": "quantitative", "stack": True, "title": label_of(angle)},
        "order": {"field": value.name, "type": "quantitative", "sort": "descending"},
    }
    ring: Spec = {
        "mark": {
            "type": "arc",
            "tooltip": TOOLTIP,
            "innerRadius": {"expr": "max(10, (min(width, height) / 2 - 24) * 0.58)"},
            "outerRadius": {"expr": "max(20, min(width, height) / 2 - 24)"},
            "padAngle": 0.012,
        },
        "encoding": {**base, **({"color": tint} if tint else {})},
    }
    if tint is None:
        ring["mark"]["color"] = frame.theme.palette[0]
    elif tint["type"] == "nominal":
        ring |= selection(frame, [tint["field"]])
    dim_unselected(ring)
    transforms = [
        {"joinaggregate": [{"op": "sum", "field": value.name, "as": "whole"}]},
        {"calculate": f"datum.whole > 0 ? datum.{value.name} / datum.whole : 0", "as": "share"},
    ]
    layers = [ring]
    if frame.encoding("label").get("show") is not False:
        words = {
            "mark": {"type": "text", "radius": {"expr": "max(26, min(width, height) / 2 - 9)"}, "tooltip": None},
            "encoding": {
                **base,
                "detail": {"field": tint["field"]} if tint else {},
                "text": {"field": "share", "type": "quantitative", "format": ".0%"},
                "opacity": {"condition": {"test": "datum.share >= 0.035", "value": 1}, "value": 0},
            },
        }
        layers.append(words)
    return {"transform": transforms, "layer": layers}


def heatmap(frame: Frame) -> Spec:
    """Return a grid of cells coloured by a measure."""
    tint = colour(frame, frame.encoding("color"))
    if tint is None:
        raise ChartError("no selected fields to visualize: a heat map needs a colour")
    measured = frame.column(frame.encoding("color")) if tint["type"] == "quantitative" else None
    measure = measured.name if measured else ""
    encoding: Spec = {}
    for name in ("x", "y"):
        raw = frame.encoding(name)
        encoding[name] = as_cells(
            as_bands(frame, raw, position(frame, raw, channel=name, measure=measured.values if measured else None))
        )
        encoding[name]["axis"] = {**encoding[name]["axis"], "grid": False, "domain": False, "ticks": False}
    cells: Spec = {
        "mark": {"type": "rect", "tooltip": TOOLTIP, "cornerRadius": 2},
        "encoding": {**encoding, "color": tint},
        **selection(frame, [encoding["x"]["field"], encoding["y"]["field"]]),
    }
    dim_unselected(cells)
    if frame.encoding("label").get("show") is not True or not measure:
        return cells
    pattern = d3_format(parse_format(frame.encoding("color").get("format"))) or ",.4~r"
    words = {
        # In narrow cells there is no room for figures; the colour and the tooltip remain.
        "mark": {"type": "text", "tooltip": None, "fontSize": 10.5, "opacity": {"expr": "bandwidth('x') < 36 ? 0 : 1"}},
        "encoding": {
            **encoding,
            "text": {"field": measure, "type": "quantitative", "format": pattern},
            "color": _ink_on_cells(measure, measured.values if measured else [], tint["scale"]),
        },
    }
    return {"layer": [cells, words]}


def _ink_on_cells(measure: str, values: Sequence[Any], scale: Mapping[str, Any]) -> Spec:
    """Return a text colour that can be read on light and dark cells. It depends on the scheme which end is the dark one."""
    numbers = [value for value in values if isinstance(value, int | float)]
    middle = (min(numbers, default=0) + max(numbers, default=0)) / 2
    is_dark_high = (scale.get("scheme") not in _LIGHT_AT_THE_END) != (scale.get("reverse") is True)
    high, low = ("#ffffff", "#11171C") if is_dark_high else ("#11171C", "#ffffff")
    return {"condition": {"test": f"datum.{measure} > {middle:g}", "value": high}, "value": low}


def histogram(frame: Frame) -> Spec:
    """Return one bar for each bin, as wide as the bin. The values of the x axis are the left edges of the bins."""
    x, y = frame.encoding("x"), frame.encoding("y")
    edge = frame.column(x)
    if edge.type != "number":
        raise ChartError(f"{label_of(x) or 'the horizontal axis'} holds no numbers")
    width = bin_width(frame.expression(edge)) or step_of(edge.values)
    count = frame.column(y)
    encoding: Spec = {
        "x": {**quantitative(x, edge.name, label_of(x)), "bin": "binned"},
        "x2": {"field": "edge_end"},
        "y": quantitative(y, count.name, label_of(y)),
    }
    mark: Spec = {"type": "bar", "tooltip": TOOLTIP, "binSpacing": 1}
    tint = colour(frame, frame.encoding("color"))
    if tint is None:
        mark["color"] = frame.theme.palette[0]
    else:
        encoding["color"] = tint
    return {
        "transform": [
            {"filter": f"datum.{edge.name} != null"},
            {"calculate": f"datum.{edge.name} + {width:g}", "as": "edge_end"},
        ],
        "mark": mark,
        "encoding": encoding,
    }


def combo(frame: Frame) -> Spec:
    """Return bars on the left axis and lines on the right one, with one legend."""
    x = frame.encoding("x")
    primary, secondary = (measures_of(frame.encoding("y", side)) for side in ("primary", "secondary"))
    measures = primary + secondary
    if not measures:
        raise ChartError("no selected fields to visualize")
    tint = {**series_colour(frame, [label_of(measure) for measure in measures]), "title": None}
    across, transforms = _combo_axis(frame, x, has_groups=len(primary) > 1)
    bars = _combo_bars(frame, primary, across, tint)
    lines = [
        _combo_layer(frame, measure, len(primary) + n, across, tint, is_bar=False, titled=n == 0)
        for n, measure in enumerate(secondary)
    ]
    groups = [{"layer": group} for group in (bars, lines) if group]
    spec: Spec = {"layer": groups, "resolve": {"scale": {"y": "independent"}}}
    return {**spec, "transform": transforms} if transforms else spec


def _combo_bars(frame: Frame, primary: list[dict[str, Any]], across: dict[str, Spec], tint: Spec) -> list[Spec]:
    if len(primary) < 2:  # noqa: PLR2004  # from two on they stand side by side
        return [_combo_layer(frame, measure, 0, across, tint, is_bar=True, titled=True) for measure in primary]
    names = [frame.column(measure).name for measure in primary]
    up = quantitative(primary[0], "value", " · ".join(label_of(measure) for measure in primary[:3]))
    up["axis"] = {**up["axis"], "title": up["title"], "orient": "left"}
    encoding = {**across, "y": up, "color": tint, "xOffset": {"field": tint["field"]}}
    return [
        {
            "transform": numbered_series(names),
            "mark": {"type": "bar", "tooltip": TOOLTIP, "opacity": 0.85},
            "encoding": encoding,
        }
    ]


def _combo_axis(frame: Frame, x: Mapping[str, Any], *, has_groups: bool) -> tuple[dict[str, Spec], list[Spec]]:
    channel = position(frame, x, channel="x")
    needs_steps = has_groups or has_own_bands(frame, x, channel)
    channel = as_steps(frame, x, channel) if needs_steps else as_bands(frame, x, channel)
    column = frame.column(x)
    if channel["type"] == "temporal" and grain_of(column, frame.expression(column)) == "week":
        end = f"{column.name}_end"
        return {"x": channel, "x2": {"field": end}}, [
            {"calculate": f"toNumber(datum.{column.name}) + {WEEK * 0.92}", "as": end}
        ]
    if channel["type"] == "quantitative":
        channel = {**channel, "type": "ordinal", "scale": {}}
    return {"x": channel}, []


def _combo_layer(
    frame: Frame,
    measure: dict[str, Any],
    number: int,
    across: dict[str, Spec],
    tint: Spec,
    *,
    is_bar: bool,
    titled: bool,
) -> Spec:
    column = frame.column(measure)
    if column.type != "number":
        raise ChartError(f"{label_of(measure)} holds no numbers")
    up = quantitative(measure, column.name, label_of(measure))
    up["axis"] = {**up["axis"], "orient": "left" if is_bar else "right", **({} if titled else {"title": None})}
    if not is_bar:
        up["axis"]["grid"] = False
    encoding: Spec = {**across, "y": up, "color": {**tint, "datum": number}}
    encoding["color"].pop("field")
    if is_bar:
        return {"mark": {"type": "bar", "tooltip": TOOLTIP, "opacity": 0.85}, "encoding": encoding}
    encoding.pop("x2", None)
    return {"mark": {"type": "line", "point": {"size": 34}, "tooltip": TOOLTIP}, "encoding": encoding}


def box(frame: Frame) -> Spec:
    """Return boxes. The query gives their five values: the two ends of the whiskers, two quartiles, the median."""
    x, y = frame.encoding("x"), frame.encoding("y")
    parts = [frame.encoding("y", part) for part in _BOX_PARTS]
    names = [frame.column(part).name for part in parts]
    across = as_bands(frame, x, position(frame, x, channel="x"))
    title = axis_title(y) or label_of(parts[2])
    start, low, middle, high, end = names
    paint = frame.theme.palette[0]

    def layer(mark: Spec, first: str, second: str = "") -> Spec:
        up = quantitative(y, first, title)
        encoding = {"x": across, "y": up} | ({"y2": {"field": second}} if second else {})
        return {"mark": {"tooltip": TOOLTIP, **mark}, "encoding": encoding}

    return {
        "layer": [
            layer({"type": "rule"}, start, end),
            layer({"type": "bar", "size": 18, "color": paint, "opacity": 0.75, "cornerRadius": 2}, low, high),
            layer({"type": "tick", "size": 18, "color": "#ffffff", "thickness": 2}, middle),
        ]
    }


def custom(frame: Frame) -> Spec:
    """Return the file's own Vega-Lite chart, its columns under their own names.

    Raises:
        ChartError: if it is no Vega-Lite object.
    """
    raw = lenient.path(frame.widget.spec, "jsonSpec", "spec")
    try:
        spec = json.loads(raw) if isinstance(raw, str) else raw
    except (ValueError, RecursionError) as error:
        raise ChartError(f"the Vega-Lite of this chart is not JSON: {error}") from error
    if not isinstance(spec, dict):
        raise ChartError("the Vega-Lite of this chart is missing")
    return spec
