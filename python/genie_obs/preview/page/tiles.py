"""Builds what one tile shows, as JSON for the page: a chart, counter, table or pivot, or the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genie_obs.preview.charts import CHART_KINDS, CUSTOM, ChartError, Frame, build_chart
from genie_obs.preview.charts.frame import label_of
from genie_obs.preview.file import lenient
from genie_obs.preview.file.formats import parse_format, parse_table_format
from genie_obs.preview.file.model import Field, Widget
from genie_obs.preview.file.theme import Theme
from genie_obs.preview.page.pivots import pivot_tile
from genie_obs.preview.query.columns import Column

Tile = dict[str, Any]

DATA_KINDS = CHART_KINDS | {"counter", "table", "pivot"}
_OPERATORS = {">", ">=", "<", "<=", "=", "!=", "is-null", "is-not-null"}
_MAX_SPARK_POINTS = 400
_TEMPLATE_NAME = re.compile(r"\{\{\s*([^}]*?)\s*\}\}")


@dataclass(frozen=True, kw_only=True)
class TileData:
    """The rows of a tile and what is needed to draw them."""

    widget: Widget
    fields: Sequence[Field]
    columns: Sequence[Column]  # first those of the fields, in order, then hidden ones
    theme: Theme
    now: datetime
    is_source: bool = False

    @property
    def row_count(self) -> int:
        """Return the number of rows."""
        return len(self.columns[0].values) if self.columns else 0

    def column(self, encoding: object) -> Column | None:
        """Return the column an encoding names, or None."""
        name = lenient.mapping(encoding).get("fieldName")
        return next((c for f, c in zip(self.fields, self.columns, strict=False) if f.name == name), None)


def placeholder(widget: Widget) -> Tile:
    """Return the tile of a widget that the preview cannot draw."""
    kind = widget.kind or lenient.text(widget.spec.get("widgetType")) or "a widget without a type"
    return {"kind": "placeholder", "message": f"The preview does not draw {kind!r}. AI/BI may."}


def problem(message: str) -> Tile:
    """Return a tile that says what went wrong."""
    return {"kind": "error", "message": message}


def build_tile(data: TileData) -> Tile:
    """Return what a tile with rows shows."""
    kind = data.widget.kind
    try:
        if kind == "counter":
            return _counter(data)
        if data.row_count == 0:
            return {"kind": "empty"}
        if kind == "table":
            return _table(data)
        if kind == "pivot":
            return pivot_tile(data.widget, data.fields, data.columns)
        return _chart(data)
    except ChartError as error:
        return problem(str(error))


def _chart(data: TileData) -> Tile:
    frame = Frame(
        widget=data.widget,
        fields=data.fields,
        columns=data.columns,
        theme=data.theme,
        now=data.now,
        is_source=data.is_source,
    )
    is_custom = data.widget.kind == CUSTOM
    return {
        "kind": "chart",
        "custom": is_custom,
        "spec": build_chart(frame),
        "columns": [_described(f, c, data.widget.encodings) for f, c in zip(data.fields, data.columns, strict=False)],
        "rows": _rows(data.columns[: len(data.fields)]),
    }


def _described(field: Field, column: Column, encodings: Mapping[str, Any]) -> Tile:
    encoding = next((e for e in _encodings_in(encodings) if e.get("fieldName") == field.name), {})
    return {
        "name": column.name,
        "field": field.name,
        "title": label_of(encoding) or field.name,
        "type": column.type,
        "format": parse_format(encoding.get("format")),
        "expression": field.expression,
    }


def _encodings_in(value: object) -> list[dict[str, Any]]:
    """Return every object that names a field, at any depth."""
    found: list[dict[str, Any]] = []
    if isinstance(value, dict):
        if isinstance(value.get("fieldName"), str):
            found.append(value)
        for inner in value.values():
            found += _encodings_in(inner)
    elif isinstance(value, list):
        for inner in value:
            found += _encodings_in(inner)
    return found


def _rows(columns: Sequence[Column]) -> list[list[Any]]:
    return [list(row) for row in zip(*(column.values for column in columns), strict=True)]


def _table(data: TileData) -> Tile:
    raw = [c for c in lenient.mappings(data.widget.encodings.get("columns")) if c.get("visible") is not False]
    shown = [(item, column) for item in raw if (column := data.column(item)) is not None]
    if not raw:
        shown = [({"fieldName": f.name}, c) for f, c in zip(data.fields, data.columns, strict=False)]
    if not shown:
        raise ChartError("no selected fields to visualize")
    hidden = data.columns[len(data.fields) :]
    return {
        "kind": "table",
        "columns": [_table_column(item, column, data) for item, column in shown],
        "rows": _rows([column for _, column in shown]),
        "order": _row_order(data, [column for _, column in shown]),
        "keys": _message_keys(data, hidden),
        "links": _link_values(data, [item for item, _ in shown]),
    }


def _table_column(item: Mapping[str, Any], column: Column, data: TileData) -> Tile:
    field = next((f for f, c in zip(data.fields, data.columns, strict=False) if c is column), None)
    rules = [_rule(rule, data.theme) for rule in lenient.mappings(lenient.path(item, "style", "rules"))]
    title = (
        lenient.text(item.get("displayName")) or lenient.text(item.get("title")) or lenient.text(item.get("fieldName"))
    )
    return {
        "name": column.name,
        "field": lenient.text(item.get("fieldName")),
        "title": title,
        "description": lenient.text(item.get("description")),
        "type": column.type,
        "format": parse_table_format(item),
        "rules": [rule for rule in rules if rule],
        "link": _link_template(item),
        "expression": field.expression if field else "",
    }


def _link_template(item: Mapping[str, Any]) -> str:
    for keys in (("actions", "click", "urlTemplate"), ("link", "templatedURL"), ("linkUrlTemplate",)):
        if found := lenient.text(lenient.path(item, *keys)):
            return found
    return ""


def _link_values(data: TileData, items: Sequence[Mapping[str, Any]]) -> Tile:
    """Return the values of the columns that links are made of, by field name. The table need not show these columns."""
    named = {name for item in items for name in _TEMPLATE_NAME.findall(_link_template(item))}
    return {
        field.name: column.values
        for field, column in zip(data.fields, data.columns, strict=False)
        if field.name in named
    }


def _rule(raw: Mapping[str, Any], theme: Theme) -> Tile | None:
    condition = lenient.mapping(raw.get("condition"))
    operator = lenient.text(condition.get("operator"))
    operand = lenient.mapping(condition.get("operand"))
    if operator not in _OPERATORS or (not operand and not operator.startswith("is-")):
        return None
    background, ink = (theme.colour(raw.get(name)) for name in ("backgroundColor", "color"))
    return {"operator": operator, "value": operand.get("value"), "background": background, "color": ink}


def _row_order(data: TileData, shown: Sequence[Column]) -> list[Any] | None:
    """Return the table's own sorting as ``[column number, whether descending]``."""
    raw = next(iter(lenient.mappings(data.widget.encodings.get("rowOrder"))), None)
    if raw is None:
        return None
    index = lenient.integer(lenient.path(raw, "field", "index"), -1)
    return [index, lenient.text(raw.get("by")).endswith("reversed")] if 0 <= index < len(shown) else None


def _message_keys(data: TileData, hidden: Sequence[Column]) -> Tile | None:
    """Return the id columns that lead from a row to its conversation; None if the rows have no conversation."""
    named = dict(zip([f.name for f in data.fields], data.columns, strict=False)) | {c.name: c for c in hidden}
    if "conversation_id" not in named:
        return None
    wanted = ("workspace_id", "conversation_id", "message_id")
    return {name: named[name].values for name in wanted if name in named}


def _counter(data: TileData) -> Tile:
    encodings = data.widget.encodings
    raw = lenient.mapping(encodings.get("value"))
    period = data.column(encodings.get("period"))
    value = data.column(raw) or period
    if value is None:
        raise ChartError("no selected fields to visualize")
    order = _period_order(period) if period else list(range(data.row_count))
    if not order:
        return {"kind": "empty"}
    index = order[-1] if period else min(max(lenient.integer(raw.get("rowNumber"), 1) - 1, 0), len(order) - 1)
    rules = [_rule(rule, data.theme) for rule in lenient.mappings(lenient.path(raw, "style", "rules"))]
    field = lenient.text(raw.get("fieldName"))
    return {
        "kind": "counter",
        "value": value.values[index],
        "type": value.type,
        "label": lenient.text(raw.get("displayName")) or field,
        "format": parse_format(raw.get("format")),
        "template": lenient.text(raw.get("formatTemplate")),
        "others": {f.name: c.values[index] for f, c in zip(data.fields, data.columns, strict=False)},
        "color": data.theme.colour(lenient.path(raw, "style", "color")),
        "rules": [rule for rule in rules if rule],
        "target": _target(data, order, index),
        "spark": _spark(value, period, order),
        "period": period.values[index] if period else None,
        "period_type": period.type if period else None,
    }


def _period_order(period: Column) -> list[int]:
    known = [index for index, value in enumerate(period.values) if value is not None]
    return sorted(known, key=lambda index: (isinstance(period.values[index], str), period.values[index]))


def _target(data: TileData, order: list[int], index: int) -> Tile | None:
    raw = lenient.mapping(data.widget.encodings.get("target"))
    column = data.column(raw)
    if column is None:
        return None
    offset = lenient.integer(lenient.path(raw, "period", "offset"), 0)
    place = order.index(index) + offset
    if not 0 <= place < len(order):
        return None
    return {
        "value": column.values[order[place]],
        "type": column.type,
        "label": lenient.text(raw.get("displayName"))
        or ("previous period" if offset else lenient.text(raw.get("fieldName"))),
        "format": parse_format(raw.get("format"))
        or parse_format(lenient.path(data.widget.encodings, "value", "format")),
    }


def _spark(value: Column, period: Column | None, order: list[int]) -> list[list[Any]] | None:
    if period is None or value is period or value.type != "number" or len(order) < 2:  # noqa: PLR2004  # a line has two ends
        return None
    return [[period.values[i], value.values[i]] for i in order[-_MAX_SPARK_POINTS:]]
