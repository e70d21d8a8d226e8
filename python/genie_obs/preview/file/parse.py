"""Reads a dashboard file (``.lvdash.json``) tolerantly: what is missing or odd gets a default, and the rest is read all the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genie_obs.errors import ConfigError
from genie_obs.lakehouse.sql_tokens import quoted
from genie_obs.preview.file import lenient
from genie_obs.preview.file.model import (
    Dashboard,
    Dataset,
    Field,
    Page,
    Parameter,
    ParameterKind,
    Position,
    Query,
    Widget,
)

_GRID_COLUMNS = 12
_OLD_GRID_COLUMNS = 6
_MAX_GRID_ROWS = 500  # a larger position is a mistake in the file
_MAX_FILE_BYTES = 50_000_000
_ASSOCIATIVITY = "associative_filter_predicate_group"


def load_dashboard(file: Path) -> Dashboard:
    """Read a dashboard file.

    Raises:
        ConfigError: if it cannot be read or is not a JSON object.
    """
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise ConfigError(f"--dashboard {file}: larger than {_MAX_FILE_BYTES:,} bytes; that is no dashboard.")
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"--dashboard {file}: cannot be read ({error.strerror}). Name an .lvdash.json file."
        ) from error
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"--dashboard {file}: not JSON ({error}). Name an .lvdash.json file.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"--dashboard {file}: a dashboard is a JSON object with 'datasets' and 'pages'.")
    stem = file.name.removesuffix(".json").removesuffix(".lvdash")
    return parse_dashboard(content, title=" ".join(stem.replace("-", "_").split("_")).capitalize())


def parse_dashboard(content: Mapping[str, Any], *, title: str) -> Dashboard:
    """Turn the file's JSON into a dashboard; never raises."""
    datasets = [_parse_dataset(item) for item in lenient.mappings(content.get("datasets"))]
    pages = tuple(_parse_page(index, item) for index, item in enumerate(lenient.mappings(content.get("pages"))))
    return Dashboard(
        title=title or "Dashboard",
        # Of two datasets with the same name the first counts.
        datasets={dataset.name: dataset for dataset in reversed(datasets)},
        pages=pages,
        settings=lenient.mapping(content.get("uiSettings")),
    )


def _parse_dataset(item: Mapping[str, Any]) -> Dataset:
    name = lenient.text(item.get("name"))
    columns = [(c.get("displayName"), c.get("expression")) for c in lenient.mappings(item.get("columns"))]
    return Dataset(
        name=name,
        title=lenient.text(item.get("displayName"), name),
        sql=_dataset_sql(item),
        parameters=tuple(
            _parse_parameter(p) for p in lenient.mappings(item.get("parameters")) if lenient.text(p.get("keyword"))
        ),
        columns={label: expression for label, expression in columns if label and isinstance(expression, str)},
    )


def _dataset_sql(item: Mapping[str, Any]) -> str:
    lines = "".join(line for line in lenient.items(item.get("queryLines")) if isinstance(line, str))
    if lines.strip() or not (asset := lenient.text(item.get("asset_name"))):
        return lines if lines.strip() else lenient.text(item.get("query"))
    # Plain names stay unquoted, since system tables are found by unquoted names only.
    return "SELECT * FROM " + ".".join(part if part.isidentifier() else quoted(part) for part in asset.split("."))  # noqa: S608  # quoted


def _parse_parameter(item: Mapping[str, Any]) -> Parameter:
    kinds: dict[str, ParameterKind] = {"MULTI": "multi", "RANGE": "range"}
    return Parameter(
        keyword=item["keyword"],
        data_type=lenient.text(item.get("dataType"), "STRING").upper(),
        kind=kinds.get(lenient.text(item.get("complexType")), "single"),
        default=lenient.mapping(item.get("defaultSelection")),
    )


def _parse_page(index: int, item: Mapping[str, Any]) -> Page:
    layout = lenient.mappings(item.get("layout"))
    columns = _grid_columns(item, layout)
    widgets = [
        _parse_widget(f"p{index}w{number}", lenient.mapping(entry.get("widget")), _position(entry, columns))
        for number, entry in enumerate(layout)
    ]
    return Page(
        key=f"p{index}",
        title=lenient.text(item.get("displayName")) or lenient.text(item.get("name")) or f"Page {index + 1}",
        is_global_filters=item.get("pageType") == "PAGE_TYPE_GLOBAL_FILTERS",
        widgets=tuple(widgets),
    )


def _grid_columns(item: Mapping[str, Any], layout: list[dict[str, Any]]) -> int:
    if item.get("layoutVersion") == "GRID_V1":
        return _GRID_COLUMNS
    # A page without a layout version is on the old grid of 6 columns, unless one of its widgets reaches further.
    widest = max((_right_edge(entry) for entry in layout), default=0)
    return _OLD_GRID_COLUMNS if widest <= _OLD_GRID_COLUMNS else _GRID_COLUMNS


def _right_edge(entry: Mapping[str, Any]) -> int:
    position = lenient.mapping(entry.get("position"))
    return lenient.integer(position.get("x"), 0) + lenient.integer(position.get("width"), 1)


def _position(entry: Mapping[str, Any], columns: int) -> Position:
    raw = lenient.mapping(entry.get("position"))
    factor = _GRID_COLUMNS // columns
    x = min(max(lenient.integer(raw.get("x"), 0) * factor, 0), _GRID_COLUMNS - 1)
    width = min(max(lenient.integer(raw.get("width"), columns) * factor, 1), _GRID_COLUMNS - x)
    y = min(max(lenient.integer(raw.get("y"), 0), 0), _MAX_GRID_ROWS)
    height = min(max(lenient.integer(raw.get("height"), 4), 1), _MAX_GRID_ROWS)
    return Position(x=x, y=y, width=width, height=height)


def _parse_widget(key: str, item: Mapping[str, Any], position: Position) -> Widget:
    spec = lenient.mapping(item.get("spec"))
    markdown = _markdown(item)
    kind = lenient.text(spec.get("widgetType"))
    return Widget(
        key=key,
        name=lenient.text(item.get("name"), key),
        kind="text" if markdown is not None and not kind else kind,
        position=position,
        queries=tuple(_parse_query(q) for q in lenient.mappings(item.get("queries"))),
        spec=spec,
        markdown=markdown or "",
        extensions=lenient.mapping(item.get("specExtensions")),
    )


def _markdown(item: Mapping[str, Any]) -> str | None:
    if "multilineTextboxSpec" in item:
        return "".join(
            t for t in lenient.items(lenient.path(item, "multilineTextboxSpec", "lines")) if isinstance(t, str)
        )
    if "textbox_spec" in item:
        return lenient.text(item.get("textbox_spec"))
    return None


def _parse_query(item: Mapping[str, Any]) -> Query:
    query = lenient.mapping(item.get("query"))
    fields = [
        Field(name=lenient.text(f.get("name")), expression=lenient.text(f.get("expression")))
        for f in lenient.mappings(query.get("fields"))
    ]
    parameters = lenient.mappings(query.get("parameters"))
    return Query(
        name=lenient.text(item.get("name")),
        dataset=lenient.text(query.get("datasetName")),
        # The editor of Databricks adds such fields to filters, so that they narrow each other. Only Databricks can run them.
        fields=tuple(f for f in fields if f.expression and _ASSOCIATIVITY not in f.expression),
        is_disaggregated=query.get("disaggregated") is True,
        filters=tuple(t for f in lenient.mappings(query.get("filters")) if (t := lenient.text(f.get("expression")))),
        orders=tuple(
            (t, lenient.text(o.get("direction")).upper() == "DESC")
            for o in lenient.mappings(query.get("orders"))
            if (t := lenient.text(o.get("expression")))
        ),
        keywords={
            lenient.text(p.get("name"), lenient.text(p.get("keyword"))): lenient.text(p.get("keyword"))
            for p in parameters
        },
        fixed_values={
            lenient.text(v.get("keyword")): lenient.mapping(v.get("selection"))
            for v in lenient.mappings(query.get("parameterValues"))
        },
    )
