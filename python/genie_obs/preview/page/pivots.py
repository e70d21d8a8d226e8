"""Turns grouped rows into the grid of a pivot table, with totals where they follow from the cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from genie_obs.preview.charts.frame import ChartError, label_of
from genie_obs.preview.file import lenient
from genie_obs.preview.file.formats import parse_format
from genie_obs.preview.file.model import Field, Widget
from genie_obs.preview.query.columns import Column

_MAX_COLUMNS = 200
_TOTALS: dict[str, Callable[[list[Any]], Any]] = {"SUM": sum, "COUNT": sum, "COUNT_IF": sum, "MIN": min, "MAX": max}

Key = tuple[Any, ...]


def pivot_tile(widget: Widget, fields: Sequence[Field], columns: Sequence[Column]) -> dict[str, Any]:
    """Return a pivot as the page draws it: row keys, column keys and a grid of cells.

    Raises:
        ChartError: if the file names no cell, or fields that the query lacks.
    """
    named = dict(zip([f.name for f in fields], columns, strict=False))
    rows, across = (_encodings(widget, name) for name in ("rows", "columns"))
    cells = _cells(widget)
    missing = [_field(e) for e in [*rows, *across, *cells] if _field(e) not in named]
    if missing or not cells:
        raise ChartError(
            f"no selected field to visualize: the query has no field {missing[0]!r}"
            if missing
            else "no selected fields to visualize"
        )
    row_columns, across_columns, cell_columns = ([named[_field(e)] for e in group] for group in (rows, across, cells))
    row_keys, across_keys = _keys(row_columns, rows), _keys(across_columns, across)
    is_cut = len(across_keys) > _MAX_COLUMNS
    across_keys = across_keys[:_MAX_COLUMNS]
    count = len(columns[0].values)
    grid: dict[tuple[Key, Key], list[Any]] = {
        (tuple(c.values[i] for c in row_columns), tuple(c.values[i] for c in across_columns)): [
            c.values[i] for c in cell_columns
        ]
        for i in range(count)
    }
    expressions = {f.name: f.expression for f in fields}
    totals = [_TOTALS.get(expressions[_field(e)].split("(")[0].strip().upper()) for e in cells]
    # Distinct counts cannot be added: one person may be counted in several cells.
    totals = [None if "DISTINCT" in expressions[_field(e)].upper() else t for e, t in zip(cells, totals, strict=True)]
    empty = [None] * len(cells)
    body = [[grid.get((row, col), empty) for col in across_keys] for row in row_keys]
    return {
        "kind": "pivot",
        "rows": [_axis(e, c) for e, c in zip(rows, row_columns, strict=True)],
        "columns": [_axis(e, c) for e, c in zip(across, across_columns, strict=True)],
        "cells": [_axis(e, c) for e, c in zip(cells, cell_columns, strict=True)],
        "row_keys": [list(key) for key in row_keys],
        "column_keys": [list(key) for key in across_keys],
        "grid": body,
        "row_totals": _line_totals(body, totals) if _wants_totals(widget, across) else None,
        "column_totals": _line_totals([list(line) for line in zip(*body, strict=True)], totals)
        if _wants_totals(widget, rows)
        else None,
        "is_cut": is_cut,
    }


def _field(encoding: Mapping[str, Any]) -> str:
    return lenient.text(encoding.get("fieldName"))


def _encodings(widget: Widget, name: str) -> list[dict[str, Any]]:
    return lenient.mappings(widget.encodings.get(name))


def _cells(widget: Widget) -> list[dict[str, Any]]:
    cell = lenient.mapping(widget.encodings.get("cell"))
    return lenient.mappings(cell.get("fields")) or ([cell] if cell.get("fieldName") else [])


def _axis(encoding: dict[str, Any], column: Column) -> dict[str, Any]:
    return {"title": label_of(encoding), "type": column.type, "format": parse_format(encoding.get("format"))}


def _keys(columns: Sequence[Column], encodings: Sequence[dict[str, Any]]) -> list[Key]:
    """Return the different keys in ascending order, or descending if the file says so. NULL comes last."""
    keys = list(dict.fromkeys(zip(*(c.values for c in columns), strict=True))) if columns else [()]
    for index in reversed(range(len(columns))):
        by = lenient.text(lenient.path(encodings[index], "scale", "sort", "by"))
        present = [key for key in keys if key[index] is not None]
        present.sort(key=lambda key: (isinstance(key[index], str), key[index]), reverse=by.endswith("reversed"))
        keys = present + [key for key in keys if key[index] is None]
    return keys


def _wants_totals(widget: Widget, encodings: Sequence[dict[str, Any]]) -> bool:
    asked = any(e.get("displayTotal") is True or lenient.path(e, "total", "show") is True for e in encodings)
    query = widget.main_query
    return asked and query is not None


def _line_totals(lines: list[list[list[Any]]], totals: list[Callable[[list[Any]], Any] | None]) -> list[list[Any]]:
    found = []
    for line in lines:
        present = [[cell[i] for cell in line if isinstance(cell[i], int | float)] for i in range(len(totals))]
        found.append(
            [total(values) if total and values else None for total, values in zip(totals, present, strict=True)]
        )
    return found
