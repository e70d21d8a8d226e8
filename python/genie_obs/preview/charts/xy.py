"""Bars, lines, areas and scatter plots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from genie_obs.preview.charts.channels import (
    as_bands,
    as_steps,
    colour,
    has_own_bands,
    legend,
    position,
    quantitative,
    scale_type,
)
from genie_obs.preview.charts.frame import (
    SELECTION,
    WEEK,
    ChartError,
    Frame,
    grain_of,
    label_of,
    measures_of,
)
from genie_obs.preview.file import lenient
from genie_obs.preview.file.formats import d3_format, parse_format

Spec = dict[str, Any]

TOOLTIP = {"content": "data"}
"""The page writes tooltips itself, from the tile's columns; Vega only says which row is meant."""
_SERIES, _VALUE = "series", "value"
_FEW_POINTS = 45
_SMALLEST_LABELLED_SHARE = 0.09  # of the highest stack; a thinner part has no room for its label


def bar(frame: Frame) -> Spec:
    """Return a bar chart: stacked, grouped or as shares; with upright or horizontal bars."""
    parts = _Parts(frame)
    layout = lenient.text(frame.mark.get("layout"), "stack")
    is_grouped = layout == "group" and parts.colour is not None
    encoding, transforms = parts.steps() if is_grouped else parts.bands()
    name = parts.measure_channel
    if parts.colour is not None:
        encoding["color"] = parts.colour
        _stack(encoding[name], layout)
        if is_grouped:
            encoding["xOffset" if name == "y" else "yOffset"] = {"field": parts.colour["field"]}
    mark: Spec = {"type": "bar", "tooltip": TOOLTIP}
    if f"{parts.dimension_channel}2" not in encoding:
        # Not on bars that run from one value to another: with round corners Vega-Lite draws them without width.
        mark["cornerRadiusEnd"] = 2
    if layout == "layer":
        mark["opacity"] = 0.75
    bars: Spec = {"mark": mark, "encoding": encoding, **selection(frame, parts.dimension_fields)}
    if parts.colour is None:
        mark["color"] = _single_colour(frame)
    return _finished(parts.transforms + transforms, _labelled(frame, parts, bars, layout))


def line(frame: Frame) -> Spec:
    """Return a line chart. Its points carry the tooltips, since a line is a single mark for all its rows."""
    parts = _Parts(frame)
    encoding = {parts.dimension_channel: parts.dimension, parts.measure_channel: parts.measure}
    if parts.colour is not None:
        encoding["color"] = parts.colour
    few = len(frame.columns[0].values) <= _FEW_POINTS if frame.columns else True
    paint = {} if parts.colour is not None else {"color": _single_colour(frame)}
    layers = [
        {"mark": {"type": "line", "tooltip": None, "interpolate": "monotone", **paint}, "encoding": encoding},
        {
            "mark": {
                "type": "point",
                "filled": True,
                "size": 36 if few else 60,
                "opacity": 1 if few else 0,
                "tooltip": TOOLTIP,
                **paint,
            },
            "encoding": encoding,
        },
    ]
    return _finished(parts.transforms, layers)


def area(frame: Frame) -> Spec:
    """Return an area chart, stacked unless the file says otherwise."""
    parts = _Parts(frame)
    layout = lenient.text(frame.mark.get("layout"), "stack")
    encoding = {parts.dimension_channel: parts.dimension, parts.measure_channel: parts.measure}
    paint: Spec = {"color": _single_colour(frame)}
    if parts.colour is not None:
        encoding["color"] = parts.colour
        _stack(encoding[parts.measure_channel], layout)
        paint = {}
        if parts.colour["field"] != _SERIES:
            # Where a series has no row, the series stacked on it would drop to the axis. Such gaps count as 0.
            gaps = {"impute": parts.measure["field"], "key": parts.dimension["field"], "value": 0}
            parts.transforms.append({**gaps, "groupby": [parts.colour["field"]]})
    layers = [
        {
            "mark": {"type": "area", "tooltip": None, "opacity": 0.5 if layout == "layer" else 0.8, **paint},
            "encoding": encoding,
        },
        {
            "mark": {"type": "point", "size": 60, "opacity": 0, "filled": True, "tooltip": TOOLTIP, **paint},
            "encoding": encoding,
        },
    ]
    return _finished(parts.transforms, layers)


def scatter(frame: Frame) -> Spec:
    """Return a scatter plot."""
    x, y = frame.encoding("x"), frame.encoding("y")
    encoding: Spec = {"x": position(frame, x, channel="x"), "y": position(frame, y, channel="y")}
    for channel in encoding.values():
        if channel["type"] == "quantitative":
            channel["scale"]["zero"] = False
    tint = colour(frame, frame.encoding("color"))
    mark: Spec = {"type": "point", "filled": True, "size": 40, "opacity": 0.7, "tooltip": TOOLTIP}
    if tint is None:
        mark["color"] = _single_colour(frame)
    else:
        encoding["color"] = tint
    if (size := frame.encoding("size")) and frame.column(size).type == "number":
        encoding["size"] = {"field": frame.column(size).name, "type": "quantitative", "title": label_of(size)}
        mark.pop("size")
    fields = [tint["field"]] if tint and tint["type"] == "nominal" else []
    return _finished([], [{"mark": mark, "encoding": encoding, **selection(frame, fields)}])


def selection(frame: Frame, fields: list[str]) -> Spec:
    """Return the Vega-Lite parameter for clicks on marks; nothing when no other tile is filtered by them."""
    if not frame.is_source or not fields:
        return {}
    return {"params": [{"name": SELECTION, "select": {"type": "point", "fields": fields, "toggle": "event.shiftKey"}}]}


def dim_unselected(unit: Spec) -> None:
    """Make marks pale while others are chosen and they are not."""
    if "params" in unit:
        unit["encoding"]["opacity"] = {"condition": {"param": SELECTION, "value": 1}, "value": 0.3}
        unit["mark"]["cursor"] = "pointer"


class _Parts:
    """The two axes and the colour of a chart of measures over a dimension."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        x, y = frame.encoding("x"), frame.encoding("y")
        self.measure_channel = "x" if _is_lying(frame, x, y) else "y"
        self.dimension_channel = "y" if self.measure_channel == "x" else "x"
        self._dimension_encoding, measure_encoding = (y, x) if self.measure_channel == "x" else (x, y)
        measures = measures_of(measure_encoding)
        if not measures:
            raise ChartError("no selected fields to visualize")
        self.transforms: list[Spec] = []
        self.colour = colour(frame, frame.encoding("color"))
        self.format = d3_format(parse_format(measures[0].get("format") or measure_encoding.get("format")))
        if len(measures) == 1:
            self.measure = self._number_axis(measures[0], frame.column(measures[0]).name, label_of(measures[0]))
        else:
            self._fold(measure_encoding, measures)
        amounts = [
            sum(value for value in row if isinstance(value, int | float))
            for row in zip(*(frame.column(measure).values for measure in measures), strict=True)
        ]
        self.dimension = position(frame, self._dimension_encoding, channel=self.dimension_channel, measure=amounts)
        if self.dimension["type"] == "nominal" and self.dimension_channel == "x":
            self.dimension["axis"].setdefault("grid", False)

    @property
    def dimension_fields(self) -> list[str]:
        """Return the columns whose values a click on a mark chooses."""
        fields = [self.dimension["field"]]
        if self.colour is not None and self.colour["type"] == "nominal" and self.colour["field"] != _SERIES:
            fields.append(self.colour["field"])
        return list(dict.fromkeys(fields))

    def steps(self) -> tuple[dict[str, Spec], list[Spec]]:
        """Return the axes with room for several bars at each step, and no transforms."""
        stepped = as_steps(self._frame, self._dimension_encoding, self.dimension)
        if stepped["type"] == "quantitative":
            stepped = {**stepped, "type": "ordinal", "scale": {}}
        return {self.dimension_channel: stepped, self.measure_channel: dict(self.measure)}, []

    def bands(self) -> tuple[dict[str, Spec], list[Spec]]:
        """Return the axes with time in bands, and the transforms that bands need."""
        if has_own_bands(self._frame, self._dimension_encoding, self.dimension):
            return self.steps()
        banded = as_bands(self._frame, self._dimension_encoding, dict(self.dimension))
        encoding = {self.dimension_channel: banded, self.measure_channel: dict(self.measure)}
        column = self._frame.column(self._dimension_encoding)
        if banded["type"] == "temporal" and grain_of(column, self._frame.expression(column)) == "week":
            # Weeks of Vega start on Sunday, weeks of SQL on Monday. So the bar is drawn from its start to its end.
            end = f"{banded['field']}_end"
            encoding[f"{self.dimension_channel}2"] = {"field": end}
            return encoding, [{"calculate": f"toNumber(datum.{banded['field']}) + {WEEK * 0.92}", "as": end}]
        if banded["type"] == "quantitative":
            encoding[self.dimension_channel] = {**banded, "type": "ordinal", "scale": {}}
        return encoding, []

    def _number_axis(self, measure: Mapping[str, Any], name: str, title: str) -> Spec:
        column = self._frame.column(measure)
        if scale_type({**measure, "scale": {"type": "quantitative"}}, column) != "quantitative":
            raise ChartError(f"{title or 'the measure'} holds no numbers")
        whole = self._frame.encoding(self.measure_channel)
        return quantitative({**whole, **measure}, name, title)

    def _fold(self, encoding: Mapping[str, Any], measures: list[dict[str, Any]]) -> None:
        columns = [self._frame.column(measure) for measure in measures]
        labels = _distinct_labels(measures)
        self.transforms = numbered_series([column.name for column in columns])
        shared = {**encoding, "format": measures[0].get("format") or encoding.get("format")}
        title = lenient.text(lenient.path(encoding, "axis", "title")) or lenient.text(encoding.get("displayName"))
        self.measure = quantitative(shared, _VALUE, title or " · ".join(labels[:3]))
        self.colour = series_colour(self._frame, labels)


def numbered_series(names: list[str]) -> list[Spec]:
    """Return the transforms that make one row for each measure, with the columns `value` and `series` (its number)."""
    lookup = ", ".join(f"'{name}': {index}" for index, name in enumerate(names))
    return [
        {"fold": names, "as": ["key", _VALUE]},
        {"calculate": f"{{{lookup}}}[datum.key]", "as": _SERIES},
    ]


def series_colour(frame: Frame, labels: list[str]) -> Spec:
    """Return the colour channel when each measure is a series. A series is a number; `labels` are shown in the legend."""
    numbers = list(range(len(labels)))
    wanted = [frame.theme.colour(c) for c in lenient.items(frame.mark.get("colors"))]
    usable = [code for code in wanted if code] or list(frame.theme.palette)
    shown = legend({**frame.encoding("color"), "displayName": ""})
    if shown is not None:
        # Labels come from the file. Written as JSON they are text in the expression and can be nothing else.
        shown["title"] = None
        shown["labelExpr"] = f"{json.dumps(labels)}[datum.value]"
    return {
        "field": _SERIES,
        "type": "nominal",
        "title": "Series",
        "scale": {"domain": numbers, "range": [usable[i % len(usable)] for i in numbers]},
        "legend": shown,
    }


def _distinct_labels(measures: list[dict[str, Any]]) -> list[str]:
    labels: list[str] = []
    for measure in measures:
        label = label_of(measure)
        labels.append(label if label not in labels else f"{label} ({len(labels) + 1})")
    return labels


def _is_lying(frame: Frame, x: Mapping[str, Any], y: Mapping[str, Any]) -> bool:
    if frame.widget.kind != "bar" or len(measures_of(y)) > 1 or not y.get("fieldName"):
        return False
    if len(measures_of(x)) > 1:
        return True
    if not x.get("fieldName"):
        return False
    return scale_type(x, frame.column(x)) == "quantitative" and (
        lenient.path(y, "scale", "type") != "quantitative" or scale_type(y, frame.column(y)) != "quantitative"
    )


def _stack(channel: Spec, layout: str) -> None:
    if layout in {"percent-stack", "stack-100"}:
        channel["stack"] = "normalize"
        channel["axis"] = {**channel["axis"], "format": ".0%"}
        channel["axis"].pop("labelExpr", None)
    else:
        channel["stack"] = None if layout in {"group", "layer"} else "zero"


def _labelled(frame: Frame, parts: _Parts, bars: Spec, layout: str) -> list[Spec]:
    """Return the bars, and a layer with their values as text when the file asks for it."""
    dim_unselected(bars)
    if frame.encoding("label").get("show") is not True or layout in {"group", "layer"}:
        return [bars]
    name = parts.measure_channel
    stacked = parts.colour is not None
    encoding = {key: value for key, value in bars["encoding"].items() if key not in {"color", "opacity"}}
    field = encoding[name]["field"]
    encoding["text"] = {"field": field, "type": "quantitative", "format": parts.format or ",.6~r"}
    mark: Spec = {"type": "text", "tooltip": None}
    if not stacked:
        mark |= {"align": "left", "dx": 4, "baseline": "middle"} if name == "x" else {"baseline": "bottom", "dy": -3}
        return [bars, {"mark": mark, "encoding": encoding}]
    encoding[name] = {**encoding[name], "bandPosition": 0.5}
    encoding["detail"] = {"field": parts.colour["field"]} if parts.colour else {}
    encoding["opacity"] = {
        "condition": {"test": f"datum.{field} >= {_SMALLEST_LABELLED_SHARE} * datum.highest", "value": 1},
        "value": 0,
    }
    group = [parts.dimension["field"]]
    transforms = [
        {"joinaggregate": [{"op": "sum", "field": field, "as": "whole"}], "groupby": group},
        {"joinaggregate": [{"op": "max", "field": "whole", "as": "highest"}]},
    ]
    mark |= {"color": "#ffffff", "fontWeight": 600}
    return [bars, {"transform": transforms, "mark": mark, "encoding": encoding}]


def _single_colour(frame: Frame) -> str:
    wanted = [frame.theme.colour(c) for c in lenient.items(frame.mark.get("colors"))]
    return next((code for code in wanted if code), frame.theme.palette[0])


def _finished(transforms: list[Spec], layers: list[Spec]) -> Spec:
    for layer in layers:
        dim_unselected(layer)
    spec: Spec = {"transform": transforms} if transforms else {}
    if any(lenient.path(layer, "mark", "align") == "left" for layer in layers):
        # Vega makes room for axes, but not for the text beside the longest bar.
        spec["padding"] = {"left": 2, "top": 4, "right": 44, "bottom": 2}
    return {**spec, "layer": layers} if len(layers) > 1 else {**spec, **layers[0]}
