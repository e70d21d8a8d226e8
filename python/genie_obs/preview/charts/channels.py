"""Turns encodings of the file into Vega-Lite channels: axes, sorting, colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from genie_obs.preview.charts.frame import DAY, WEEK, Frame, distinct, grain_of, label_of, steps_between
from genie_obs.preview.file import lenient
from genie_obs.preview.file.formats import d3_format, parse_format
from genie_obs.preview.file.theme import is_colour, with_tints
from genie_obs.preview.query.columns import Column

ScaleType = Literal["temporal", "quantitative", "nominal"]

_NONE_LABEL = "(none)"
_TIME_UNITS = {"month": "utcyearmonth", "day": "utcyearmonthdate", "hour": "utcyearmonthdatehours"}
_TIME_UNITS |= {"minute": "utcyearmonthdatehoursminutes", "second": "utcyearmonthdatehoursminutesseconds"}
_DAY_LABEL, _INSTANT_LABEL = "%b %d, %Y", "%b %d, %H:%M"
_STEP_LABELS = dict.fromkeys(("hour", "minute", "second"), _INSTANT_LABEL) | {
    "month": "%b %Y",
    "week": "%b %d",
    "day": "%b %d",
}
# fmt: off
_SCHEMES = frozenset({
    "blues", "greens", "greys", "oranges", "purples", "reds", "bluegreen", "bluepurple", "greenblue", "orangered", "purplebluegreen",
    "purpleblue", "purplered", "redpurple", "yellowgreenblue", "yellowgreen", "yelloworangebrown", "yelloworangered", "viridis",
    "magma", "inferno", "plasma", "cividis", "turbo", "spectral", "redyellowgreen", "redyellowblue", "redblue", "redgrey",
    "purpleorange", "purplegreen", "pinkyellowgreen", "brownbluegreen",
})
# fmt: on
_MANY_CHARACTERS = 70  # when the labels of a horizontal axis are longer than this together, they are slanted
_SHORT_LABEL = 3  # labels as short as this, hours for example, are never slanted
_MAX_SLANTED = 12  # so many slanted names fit side by side in the narrowest tile
_MAX_BANDS = 60
_LEGEND_SIDES = {"top": "top", "right": "right", "left": "left", "bottom": "bottom"}


def scale_type(encoding: Mapping[str, Any], column: Column) -> ScaleType:
    """Return the kind of scale for a column: the one in the file, if the values allow it."""
    wanted = lenient.text(lenient.path(encoding, "scale", "type"))
    is_time = column.type in {"date", "instant"}
    if is_time and wanted in {"temporal", ""}:
        return "temporal"
    if column.type == "number" and wanted in {"quantitative", ""}:
        return "quantitative"
    return "nominal"


def position(
    frame: Frame, encoding: Mapping[str, Any], *, channel: str, measure: Sequence[Any] | None = None
) -> dict[str, Any]:
    """Return the x or y channel of a field.

    `measure` holds the values of the other axis, one a row. They are needed when the file sorts this axis by the other one.
    """
    column = frame.column(encoding)
    kind = scale_type(encoding, column)
    title = label_of(encoding)
    axis = {**_axis(encoding), "title": axis_title(encoding)}
    if kind == "quantitative":
        return quantitative(encoding, column.name, title)
    if kind == "temporal":
        grain = grain_of(column, frame.expression(column))
        minimum = {"day": DAY, "week": WEEK, "month": 28 * DAY}.get(grain)
        axis |= {"labelOverlap": True, "format": _STEP_LABELS[grain]} | ({"tickMinStep": minimum} if minimum else {})
        return {"field": column.name, "type": "temporal", "title": title, "scale": {"type": "utc"}, "axis": axis}
    angle = axis.get("labelAngle", _angle(column) if channel == "x" else 0)
    axis |= {
        "labelOverlap": _overlap(column, angle),
        "labelLimit": 190 if channel == "y" else 120,
        "labelExpr": label_expression(column),
    }
    if channel == "x":
        axis["labelAngle"] = angle
    return {
        "field": column.name,
        "type": "nominal",
        "title": title,
        "sort": _sort(encoding, channel, column, measure, is_ordered=_keeps_order(frame)),
        "axis": axis,
    }


def quantitative(encoding: Mapping[str, Any], name: str, title: str) -> dict[str, Any]:
    """Return a number axis."""
    axis = {**_axis(encoding), "title": axis_title(encoding, title), **_number_labels(encoding)}
    raw = lenient.mapping(encoding.get("scale"))
    domain = lenient.mapping(raw.get("domain"))
    scale: dict[str, Any] = {"reverse": True} if raw.get("reverse") is True else {}
    low, high = (lenient.number(domain.get(end, raw.get(f"domain{end.capitalize()}"))) for end in ("min", "max"))
    scale |= {} if low is None else {"domainMin": low}
    scale |= {} if high is None else {"domainMax": high}
    if lenient.path(raw, "fn", "type") in {"symlog", "log"}:
        # A count can be zero, and zero has no logarithm. The scale `symlog` shows it.
        scale["type"] = "symlog"
    return {"field": name, "type": "quantitative", "title": title, "axis": axis, "scale": scale}


def as_bands(frame: Frame, encoding: Mapping[str, Any], channel: dict[str, Any]) -> dict[str, Any]:
    """Return a time channel in bands of its grain, so that a bar is as wide as its day or hour; other channels as they are."""
    if channel.get("type") != "temporal":
        return channel
    column = frame.column(encoding)
    unit = _TIME_UNITS.get(grain_of(column, frame.expression(column)))
    return {**channel, "timeUnit": unit} if unit else channel


def has_own_bands(frame: Frame, encoding: Mapping[str, Any], channel: Mapping[str, Any]) -> bool:
    """Say whether each instant gets a band of its own.

    This is so for few instants without a regular distance: a bar as wide as one second could not be seen.
    """
    if channel.get("type") != "temporal":
        return False
    column = frame.column(encoding)
    is_fine = grain_of(column, frame.expression(column)) in {"minute", "second"}
    return is_fine and len(distinct(column.values)) <= _MAX_BANDS


def as_steps(frame: Frame, encoding: Mapping[str, Any], channel: dict[str, Any]) -> dict[str, Any]:
    """Return a time channel with one step for each day, week or month, also for those without rows; other channels as they are.

    Several bars then stand side by side at each step.
    """
    if channel.get("type") != "temporal":
        return channel
    column = frame.column(encoding)
    grain = grain_of(column, frame.expression(column))
    axis = {name: value for name, value in channel["axis"].items() if name not in {"tickMinStep", "format"}}
    axis |= {"labelOverlap": "greedy", "labelAngle": 0, "labelExpr": f"utcFormat(datum.value, '{_STEP_LABELS[grain]}')"}
    steps = steps_between(column.values, grain)
    return {**channel, "type": "ordinal", "scale": {"domain": steps}, "axis": axis}


def as_cells(channel: dict[str, Any]) -> dict[str, Any]:
    """Return an axis of a heat map with one band for each value, also for times and numbers."""
    if channel["type"] == "nominal":
        return channel
    cells = {**channel, "type": "ordinal"}
    cells.pop("scale", None)
    return cells


def _axis(encoding: Mapping[str, Any]) -> dict[str, Any]:
    raw = lenient.mapping(encoding.get("axis"))
    axis: dict[str, Any] = {"labels": False} if raw.get("hideLabels") is True else {}
    axis |= {"grid": False} if raw.get("hideGrid") is True else {}
    angle = lenient.number(raw.get("labelAngle"))
    return axis if angle is None else axis | {"labelAngle": angle}


def axis_title(encoding: Mapping[str, Any], default: str = "") -> str | None:
    """Return the title of an axis, or None when the file hides it."""
    raw = lenient.mapping(encoding.get("axis"))
    return None if raw.get("hideTitle") is True else lenient.text(raw.get("title")) or default or label_of(encoding)


def _number_labels(encoding: Mapping[str, Any]) -> dict[str, Any]:
    found = parse_format(encoding.get("format"))
    pattern = d3_format(found)
    if found is not None and found.get("compact"):
        # d3 writes k for thousands and G for billions; people write K and B.
        return {"labelExpr": "replace(replace(format(datum.value, '.3~s'), 'k', 'K'), 'G', 'B')"}
    return {"format": pattern} if pattern else {}


def label_expression(column: Column) -> str:
    """Return a Vega expression for the label of one category. It holds nothing of the data, so that no value can become code."""
    if column.type in {"date", "instant"}:
        pattern = _DAY_LABEL if column.type == "date" else _INSTANT_LABEL
        return f"datum.value == null ? '{_NONE_LABEL}' : utcFormat(datum.value, '{pattern}')"
    return f"datum.value == null || datum.value === '' ? '{_NONE_LABEL}' : datum.label"


def _angle(column: Column) -> int:
    lengths = [len(str(value)) for value in distinct(column.values)]
    is_crowded = sum(lengths) + 2 * len(lengths) > _MANY_CHARACTERS and max(lengths) > _SHORT_LABEL
    return -40 if is_crowded else 0


def _overlap(column: Column, angle: float) -> bool | str:
    """Return what Vega does when there is no room for all labels: drop every second number, or each name that does not fit.

    A few slanted names are all kept. Vega measures them as if they were level, and would drop names that have room.
    """
    if angle and len(distinct(column.values)) <= _MAX_SLANTED:
        return False
    return "parity" if column.type == "number" else "greedy"


def _keeps_order(frame: Frame) -> bool:
    query = frame.widget.main_query
    return query is not None and (query.is_disaggregated or bool(query.orders))


def _sort(
    encoding: Mapping[str, Any], channel: str, column: Column, measure: Sequence[Any] | None, *, is_ordered: bool
) -> Any:
    """Return the order of categories: the file's, else the query's, else ascending."""
    raw = lenient.mapping(lenient.path(encoding, "scale", "sort"))
    by = lenient.text(raw.get("by"))
    if by == "custom-order":
        return [value for value in lenient.items(raw.get("orderedValues")) if not isinstance(value, dict | list)]
    other = "y" if channel == "x" else "x"
    if measure is not None and by in {other, f"{other}-reversed"}:
        return _by_total(column, measure, is_descending=by.endswith("reversed"))
    if by in {channel, f"{channel}-reversed"}:
        return "descending" if by.endswith("reversed") else "ascending"
    return None if is_ordered and by != "natural-order" else "ascending"


def _by_total(column: Column, measure: Sequence[Any], *, is_descending: bool) -> list[Any]:
    """Return the categories in the order of the sum of their measure. Vega-Lite cannot do this in a chart with layers."""
    totals: dict[Any, float] = {}
    for value, amount in zip(column.values, measure, strict=True):
        totals[value] = totals.get(value, 0.0) + (amount if isinstance(amount, int | float) else 0.0)
    return sorted(totals, key=lambda value: -totals[value] if is_descending else totals[value])


def colour(frame: Frame, encoding: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the colour channel of a field, or None when the file names no field for the colour."""
    if not encoding.get("fieldName"):
        return None
    column = frame.column(encoding)
    kind = scale_type(encoding, column)
    if kind == "quantitative":
        return {
            "field": column.name,
            "type": "quantitative",
            "title": label_of(encoding),
            "scale": _ramp(encoding),
            "legend": legend(encoding, gradient=True),
        }
    values = distinct(column.values)
    pinned, rest = _mappings(frame, encoding), []
    if column.type in {"text", "boolean"}:
        rest = sorted((v for v in values if v not in pinned), key=lambda v: (v is None, str(v)))
    else:
        rest = [v for v in values if v not in pinned]
    domain = [v for v in pinned if v in values] + rest
    return {
        "field": column.name,
        "type": "nominal",
        "title": label_of(encoding),
        "scale": {"domain": domain, "range": _range(frame, pinned, domain)},
        "legend": legend(encoding, label=label_expression(column)),
    }


def _mappings(frame: Frame, encoding: Mapping[str, Any]) -> dict[Any, str]:
    found = lenient.mappings(lenient.path(encoding, "scale", "mappings"))
    pairs = [(item.get("value"), frame.theme.colour(item.get("color"))) for item in found]
    return {value: code for value, code in pairs if code and not isinstance(value, dict | list)}


def _range(frame: Frame, pinned: Mapping[Any, str], domain: list[Any]) -> list[str]:
    """Return a colour for each value: the one the file gives it, else the next one of the theme that is still free."""
    palette = [frame.theme.colour(c) for c in lenient.items(frame.mark.get("colors"))]
    usable = with_tints([code for code in palette if code] or list(frame.theme.palette))
    free = [code for code in usable if code not in pinned.values()]
    codes, taken = [], 0
    for value in domain:
        if value in pinned:
            codes.append(pinned[value])
        else:
            codes.append(free[taken % len(free)])
            taken += 1
    return codes


def _ramp(encoding: Mapping[str, Any]) -> dict[str, Any]:
    raw = lenient.mapping(encoding.get("scale"))
    ramp = lenient.mapping(raw.get("colorRamp"))
    is_reversed = raw.get("reverse") is True or ramp.get("reverse") is True
    scale: dict[str, Any] = {"reverse": True} if is_reversed else {}
    ends = lenient.mapping(ramp.get("colors"))
    if is_colour(ends.get("start")) and is_colour(ends.get("end")):
        return scale | {"range": [ends["start"], ends["end"]]}
    scheme = lenient.text(ramp.get("scheme"))
    return scale | {"scheme": scheme if scheme in _SCHEMES else "blues"}


def legend(encoding: Mapping[str, Any], *, gradient: bool = False, label: str = "") -> dict[str, Any] | None:
    """Return the legend of a colour, or None when the file hides it."""
    raw = lenient.mapping(encoding.get("legend"))
    if raw.get("hide") is True:
        return None
    side = _LEGEND_SIDES.get(lenient.text(raw.get("position")), "right" if gradient else "bottom")
    shown: dict[str, Any] = {"orient": side, "symbolLimit": 14, "offset": 8}
    shown |= {"direction": "vertical" if side in {"left", "right"} else "horizontal"}
    shown["title"] = (
        None if raw.get("hideTitle") is True else lenient.text(raw.get("title")) or label_of(encoding) or None
    )
    if side in {"top", "bottom"}:
        shown["titleOrient"] = "left"
    return shown | ({"labelExpr": label} if label else {})
