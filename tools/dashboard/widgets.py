"""Building blocks of an `.lvdash.json` page: fields, formats, widgets and the 12-column grid. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Bands = list[tuple[int, list[tuple[int, Json]]]]  # (height, [(width, widget), …]) from top to bottom

GRID_COLUMNS = 12

GREEN, RED, GREY, ORANGE, SKY, PINK, BLUE, YELLOW = (
    "#009E73", "#D55E00", "#8C8C8C", "#E69F00", "#56B4E9", "#CC79A7", "#0072B2", "#B8A100",
)  # fmt: skip

COUNT: Json = {"type": "number-plain", "abbreviation": "none", "decimalPlaces": {"type": "max", "places": 0}}
COMPACT: Json = {"type": "number-plain", "abbreviation": "compact", "decimalPlaces": {"type": "max", "places": 1}}
DECIMAL: Json = {"type": "number-plain", "abbreviation": "none", "decimalPlaces": {"type": "max", "places": 1}}
PERCENT: Json = {"type": "number-percent", "decimalPlaces": {"type": "max", "places": 1}}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column of a widget's query and how it is shown."""

    name: str
    expression: str
    label: str
    format: Json | None = None
    style: Json | None = None

    @property
    def is_aggregate(self) -> bool:
        """Say whether the expression aggregates rows."""
        return self.expression.startswith(("SUM(", "COUNT(", "MAX(", "MIN("))

    def query_field(self) -> Json:
        """Return the entry of the query."""
        return {"name": self.name, "expression": self.expression}

    def encoding(self, **extra: Any) -> Json:
        """Return the entry of the encodings."""
        optional = {"format": self.format, "style": self.style}
        return {"fieldName": self.name, "displayName": self.label} | {k: v for k, v in optional.items() if v} | extra


def col(column: str, label: str, fmt: Json | None = None, style: Json | None = None) -> Field:
    """Return a column as it is."""
    return Field(name=column, expression=f"`{column}`", label=label, format=fmt, style=style)


def total(column: str, label: str, fmt: Json = COUNT) -> Field:
    """Return the sum of a column that may be summed."""
    return Field(name=f"sum({column})", expression=f"SUM(`{column}`)", label=label, format=fmt)


def rows(label: str) -> Field:
    """Return the number of rows."""
    return Field(name="count(*)", expression="COUNT(`*`)", label=label, format=COUNT)


def day(column: str, label: str = "Day (UTC)") -> Field:
    """Return a date at the grain of days."""
    return Field(name=f"daily({column})", expression=f'DATE_TRUNC("DAY", `{column}`)', label=label)


def week(column: str, label: str = "Week from Monday (UTC)") -> Field:
    """Return a date at the grain of weeks."""
    return Field(name=f"weekly({column})", expression=f'DATE_TRUNC("WEEK", `{column}`)', label=label)


def text(name: str, *lines: str) -> Json:
    """Return a Markdown tile."""
    return {"name": name, "multilineTextboxSpec": {"lines": [f"{line}\n" for line in lines]}}


def counter(
    name: str, dataset: str, value: Field, title: str, *, previous: Field | None = None, note: str = "", style: Json | None = None
) -> Json:  # fmt: skip
    """Return a big number, compared with another column of the same row where one is given."""
    encodings = {"value": value.encoding() | ({"style": style} if style else {})}
    if previous:
        encodings["target"] = previous.encoding()
    fields = [value, previous] if previous else [value]
    return _widget(name, dataset, fields, _spec("counter", 2, encodings, title, note))


def table(name: str, dataset: str, columns: Sequence[Field], title: str, *, note: str = "", where: str = "") -> Json:
    """Return a table in the order of the dataset's ORDER BY."""
    spec = _spec("table", 2, {"columns": [column.encoding() for column in columns]}, title, note)
    return _widget(name, dataset, columns, spec, where=where)


def chart(
    kind: str, name: str, dataset: str, title: str, *, x: Field, y: Field | Sequence[Field], color: Field | None = None,
    colors: dict[str, str] | None = None, sort: Json | None = None, layout: str = "", note: str = "", where: str = "",
    labels: bool = False, y_title: str = "", is_x_time: bool = False,
) -> Json:  # fmt: skip
    """Return a bar, line, area or scatter chart. Each `y` is a series; if `x` is quantitative, bars are horizontal."""
    measures = [y] if isinstance(y, Field) else list(y)
    is_lying = isinstance(y, Field) and _is_number(x)
    encodings: Json = {"x": _axis(x, None if is_lying else sort)}
    if is_x_time:
        encodings["x"]["scale"] = {"type": "temporal"}
    encodings["y"] = (
        _axis(y, sort if is_lying else None)
        if isinstance(y, Field)
        else {"scale": {"type": "quantitative"}, "fields": [m.encoding() for m in measures]}
        | ({"format": measures[0].format} if measures[0].format else {})
        | {"axis": {"title": y_title}}
    )
    if color:
        encodings["color"] = color.encoding(
            scale=_color_scale(colors), legend={"position": "bottom", "hideTitle": True}
        )
    encodings["label"] = {"show": labels}
    spec = _spec(kind, 3, encodings, title, note)
    if layout:
        spec["mark"] = {"layout": layout}
    return _widget(name, dataset, [x, *measures, *([color] if color else [])], spec, where=where)


def combo(
    name: str, dataset: str, title: str, *, x: Field, bars: Sequence[Field], lines: Sequence[Field], note: str = ""
) -> Json:
    """Return bars on the left axis and lines on the right one."""
    y = {
        "scale": {"type": "quantitative"},
        "primary": {"fields": [field.encoding() for field in bars]},
        "secondary": {"fields": [field.encoding() for field in lines]},
    }
    spec = _spec("combo", 1, {"x": _axis(x, None), "y": y, "label": {"show": False}}, title, note)
    return _widget(name, dataset, [x, *bars, *lines], spec)


def pie(
    name: str, dataset: str, title: str, *, angle: Field, color: Field, colors: dict[str, str], note: str = ""
) -> Json:
    """Return a pie chart."""
    encodings = {
        "angle": angle.encoding(scale={"type": "quantitative"}),
        "color": color.encoding(scale=_color_scale(colors), legend={"position": "right", "hideTitle": True}),
        "label": {"show": True},
    }
    return _widget(name, dataset, [angle, color], _spec("pie", 3, encodings, title, note))


def heatmap(
    name: str, dataset: str, title: str, *, x: Field, y: Field, color: Field, x_sort: Json, y_sort: Json, note: str = "",
    scheme: str = "blues", labels: bool = False,
) -> Json:  # fmt: skip
    """Return a heat map over two categories."""
    encodings = {
        "x": x.encoding(scale={"type": "categorical", "sort": x_sort}, axis={"title": x.label}),
        "y": y.encoding(scale={"type": "categorical", "sort": y_sort}, axis={"title": y.label}),
        "color": color.encoding(scale={"type": "quantitative", "colorRamp": {"mode": "scheme", "scheme": scheme}}),
        "label": {"show": labels},
    }
    return _widget(name, dataset, [x, y, color], _spec("heatmap", 3, encodings, title, note))


def pivot(name: str, dataset: str, title: str, *, row: Field, column: Field, cell: Field, note: str = "") -> Json:
    """Return a pivot table."""
    cells = {"type": "multi-cell", "fields": [cell.encoding(cellType="text")]}
    encodings = {"rows": [row.encoding()], "columns": [column.encoding()], "cell": cells}
    return _widget(name, dataset, [row, column, cell], _spec("pivot", 3, encodings, title, note))


def parameter_filter(
    name: str, title: str, *, options: str, column: str, parameter: str, default: Json, datasets: Sequence[str], note: str
) -> Json:  # fmt: skip
    """Return a single-select: it offers the values of an options dataset and sets a parameter in every dataset that has it."""
    choices = {
        "datasetName": options,
        "fields": [{"name": column, "expression": f"`{column}`"}],
        "disaggregated": False,
    }
    queries = [{"name": f"{name}_options", "query": choices}]
    encodings: list[Json] = [{"fieldName": column, "displayName": title, "queryName": f"{name}_options"}]
    for dataset in datasets:
        bound = {
            "datasetName": dataset,
            "parameters": [{"name": parameter, "keyword": parameter}],
            "disaggregated": False,
        }
        queries.append({"name": f"{name}_{dataset}", "query": bound})
        encodings.append({"parameterName": parameter, "queryName": f"{name}_{dataset}"})
    spec = _spec("filter-single-select", 2, {"fields": encodings}, title, note)
    return {
        "name": name,
        "queries": queries,
        "spec": spec | {"disallowAll": True, "selection": {"defaultSelection": default}},
    }


def field_filter(name: str, title: str, *, column: str, datasets: Sequence[str], note: str = "") -> Json:
    """Return a multi-select that filters the rows of datasets by a column of theirs."""
    queries: list[Json] = []
    encodings: list[Json] = []
    for dataset in datasets:
        query = {
            "datasetName": dataset,
            "fields": [{"name": column, "expression": f"`{column}`"}],
            "disaggregated": False,
        }
        queries.append({"name": f"{name}_{dataset}", "query": query})
        encodings.append({"fieldName": column, "displayName": title, "queryName": f"{name}_{dataset}"})
    return {
        "name": name,
        "queries": queries,
        "spec": _spec("filter-multi-select", 2, {"fields": encodings}, title, note),
    }


def place(bands: Bands) -> list[Json]:
    """Return a page's layout from bands of (height, [(width, widget), …]), top to bottom and left to right.

    Raises:
        ValueError: if the widths of a band do not add up to the grid.
    """
    layout: list[Json] = []
    y = 0
    for height, widgets in bands:
        if sum(width for width, _ in widgets) != GRID_COLUMNS:
            raise ValueError(f"the band of {widgets[0][1]['name']} is not {GRID_COLUMNS} columns wide")
        x = 0
        for width, widget in widgets:
            layout.append({"widget": widget, "position": {"x": x, "y": y, "width": width, "height": height}})
            x += width
        y += height
    return layout


def _widget(name: str, dataset: str, fields: Sequence[Field], spec: Json, *, where: str = "") -> Json:
    query: Json = {
        "datasetName": dataset,
        "fields": [field.query_field() for field in fields],
        "disaggregated": not any(field.is_aggregate or field.expression.startswith("DATE_TRUNC(") for field in fields),
    }
    if where:
        query["filters"] = [{"expression": where}]
    return {"name": name, "queries": [{"name": "main_query", "query": query}], "spec": spec}


def _spec(kind: str, version: int, encodings: Json, title: str, note: str) -> Json:
    frame: Json = {"showTitle": True, "title": title}
    if note:
        frame |= {"showDescription": True, "description": note}
    return {"version": version, "widgetType": kind, "encodings": encodings, "frame": frame}


def _axis(field: Field, sort: Json | None) -> Json:
    if field.expression.startswith("DATE_TRUNC("):
        scale: Json = {"type": "temporal"}
    elif _is_number(field):
        scale = {"type": "quantitative"}
    else:
        scale = {"type": "categorical", "sort": sort or {"by": "natural-order"}}
    return field.encoding(scale=scale, axis={"title": field.label})


def _is_number(field: Field) -> bool:
    return field.format is not None


def _color_scale(colors: dict[str, str] | None) -> Json:
    mappings = [{"value": value, "color": color} for value, color in (colors or {}).items()]
    return {"type": "categorical"} | ({"mappings": mappings} if mappings else {})
