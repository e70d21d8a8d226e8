"""Checks in an `.lvdash.json` file what Databricks does not check: it saves files that do not render, without an error.

    python tools/lvdash_lint.py FILE…    print one line per problem; exit code 1 if there are any

If the caller has run the datasets, `lint` takes their columns too and checks every field against them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Columns = Mapping[str, Mapping[str, str]]  # dataset -> column -> SQL type

OUR_TABLES = ("message_details", "message_ledger", "ingestion_runs", "space_details")
MAX_DATASETS, MAX_PAGES, MAX_WIDGETS, GRID_COLUMNS = 100, 10, 100, 12

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_VERSIONS = {
    "counter": 2, "table": 2, "bar": 3, "line": 3, "area": 3, "scatter": 3, "pie": 3, "heatmap": 3, "histogram": 3, "pivot": 3,
    "combo": 1, "symbol-map": 2, "choropleth-map": 1, "forecast-line": 1, "custom-vega-viz": 1, "filter-single-select": 2,
    "filter-multi-select": 2, "filter-date-picker": 2, "filter-date-range-picker": 2, "filter-text-entry": 2, "range-slider": 2,
}  # fmt: skip
_COMPLEX_TYPE_OF_FILTER = {
    "filter-single-select": None, "filter-text-entry": None, "filter-date-picker": None, "filter-multi-select": "MULTI",
    "filter-date-range-picker": "RANGE", "range-slider": "RANGE",
}  # fmt: skip
_NOT_CODE = re.compile(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|/\*.*?\*/|`[^`]*`", re.DOTALL)
_MARKER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_QUALIFIED = re.compile(rf"[\w`]\s*\.\s*`?(?:{'|'.join(OUR_TABLES)})\b")
_COLUMN = re.compile(r"`([^`]+)`")
_TEMPLATE_KEYS = ("formatTemplate", "templatedURL", "templatedText", "urlTemplate", "tooltipTemplate")
_TEXT_TYPES = ("string", "boolean", "array", "map", "struct", "binary", "varchar", "char")


def lint(dashboard: Json, columns: Columns | None = None) -> list[str]:
    """Return every problem of a dashboard, one sentence each. An empty list means that the dashboard should render."""
    return [
        *_names(dashboard),
        *_texts(dashboard),
        *_pages(dashboard),
        *_datasets(dashboard),
        *_widgets(dashboard, columns),
    ]


def _names(dashboard: Json) -> Iterator[str]:
    pages = dashboard.get("pages", [])
    groups = {
        "dataset": [dataset.get("name") for dataset in dashboard.get("datasets", [])],
        "page": [page.get("name") for page in pages],
        "widget": [widget.get("name") for _, widget in _all_widgets(dashboard)],
    }
    for kind, names in groups.items():
        for name in dict.fromkeys(names):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                yield f"{kind} {name!r}: names are 1 to 60 letters, digits, '-' and '_'"
            if names.count(name) > 1:
                yield f"{kind} {name!r}: the name occurs {names.count(name)} times"
    limits = {"dataset": MAX_DATASETS, "page": MAX_PAGES, "widget": MAX_WIDGETS}
    for kind, names in groups.items():
        if len(names) > limits[kind]:
            yield f"{len(names)} {kind}s; Databricks documents a limit of {limits[kind]}"


def _texts(dashboard: Json) -> Iterator[str]:
    for path, key, value in _strings(dashboard):
        if "${" in value:
            yield f"{path}: '${{' is not substituted reliably in this file"
        if "{{" in value and key not in _TEMPLATE_KEYS:
            yield f"{path}: '{{{{' outside a template"
        if "associative_filter_predicate_group" in value:
            yield f"{path}: associativity fields are written by the UI only"


def _pages(dashboard: Json) -> Iterator[str]:
    kinds = [page.get("pageType") for page in dashboard.get("pages", [])]
    if kinds.count("PAGE_TYPE_GLOBAL_FILTERS") > 1:
        yield "more than one page of global filters"
    for page in dashboard.get("pages", []):
        name = page.get("name")
        if page.get("pageType") not in ("PAGE_TYPE_CANVAS", "PAGE_TYPE_GLOBAL_FILTERS"):
            yield f"page {name}: pageType is missing or unknown"
        if page.get("layoutVersion") != "GRID_V1":
            yield f"page {name}: without layoutVersion GRID_V1 it is on the old 6-column grid"
        taken: dict[tuple[int, int], str] = {}
        for item in page.get("layout", []):
            yield from _position(item["widget"].get("name"), item.get("position", {}), taken)


def _position(widget: str, position: Json, taken: dict[tuple[int, int], str]) -> Iterator[str]:
    x, y, width, height = (position.get(key) for key in ("x", "y", "width", "height"))
    if not all(isinstance(value, int) for value in (x, y, width, height)):
        yield f"widget {widget}: x, y, width and height must be whole numbers"
        return
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > GRID_COLUMNS:  # type: ignore[operator]  # checked above
        yield f"widget {widget}: position {position} is outside the grid of {GRID_COLUMNS} columns"
    cells = [(column, row) for column in range(x, x + width) for row in range(y, y + height)]  # type: ignore[operator, arg-type]
    for other in dict.fromkeys(taken[cell] for cell in cells if cell in taken):
        yield f"widget {widget}: overlaps {other}"
    taken.update(dict.fromkeys(cells, widget))


def _datasets(dashboard: Json) -> Iterator[str]:
    bound = _bound_parameters(dashboard)
    for dataset in dashboard.get("datasets", []):
        name = dataset.get("name")
        if "query" in dataset:
            yield f"dataset {name}: 'query' is the old form; write queryLines"
        lines = dataset.get("queryLines", [])
        if not lines and "asset_name" not in dataset:
            yield f"dataset {name}: no SQL"
        if any(not line.endswith(("\n", " ")) for line in lines[:-1]):
            yield f"dataset {name}: lines are joined with nothing between; end each in a newline"
        code = _NOT_CODE.sub(" ", "".join(lines))
        if ";" in code.rstrip().rstrip(";"):
            yield f"dataset {name}: more than one statement"
        if _QUALIFIED.search(code):
            yield f"dataset {name}: our tables must not be qualified"
        yield from _parameters(dataset, set(_MARKER.findall(code)), bound)


def _parameters(dataset: Json, markers: set[str], bound: dict[tuple[str, str], list[Json]]) -> Iterator[str]:
    name = dataset.get("name")
    declared = {parameter["keyword"]: parameter for parameter in dataset.get("parameters", [])}
    for marker in sorted(markers - declared.keys()):
        yield f"dataset {name}: :{marker} is not declared"
    for keyword, parameter in declared.items():
        for value in _values(parameter.get("defaultSelection")):
            if not isinstance(value, str):
                yield f"dataset {name}: default {value!r} of {keyword} must be a string"
        filters = bound.get((str(name), keyword), [])
        if not filters:
            yield f"dataset {name}: no filter sets :{keyword}, so it always keeps its default"
        for widget in filters:
            yield from _filter_fits(widget, parameter, str(name))


def _filter_fits(widget: Json, parameter: Json, dataset: str) -> Iterator[str]:
    spec = widget["spec"]
    where = f"filter {widget['name']}, :{parameter['keyword']} of {dataset}"
    if parameter.get("complexType") != _COMPLEX_TYPE_OF_FILTER.get(spec["widgetType"]):
        yield f"{where}: a {spec['widgetType']} does not fit complexType {parameter.get('complexType')}"
    default = spec.get("selection", {}).get("defaultSelection")
    if default is not None and default != parameter.get("defaultSelection"):
        yield f"{where}: the defaults of filter and parameter differ"
    if spec["widgetType"] == "filter-single-select" and not spec.get("disallowAll"):
        yield f"{where}: a parameter has no 'all' value; set disallowAll"


def _widgets(dashboard: Json, columns: Columns | None) -> Iterator[str]:
    datasets = {dataset.get("name"): dataset for dataset in dashboard.get("datasets", [])}
    for _, widget in _all_widgets(dashboard):
        if "spec" not in widget:
            if "multilineTextboxSpec" not in widget:
                yield f"widget {widget.get('name')}: neither spec nor text"
            continue
        where = f"widget {widget['name']}"
        kind = widget["spec"].get("widgetType")
        if kind not in _VERSIONS:
            yield f"{where}: unknown widgetType {kind}"
        elif widget["spec"].get("version") != _VERSIONS[kind]:
            yield f"{where}: {kind} must be version {_VERSIONS[kind]}, not {widget['spec'].get('version')}"
        yield from (f"{where}: {problem}" for problem in _queries(widget, datasets, columns))
        if kind == "custom-vega-viz":
            yield from (f"{where}: {problem}" for problem in _vega(widget))


def _queries(widget: Json, datasets: Mapping[str, Json], columns: Columns | None) -> Iterator[str]:
    is_filter = widget["spec"].get("widgetType", "").startswith(("filter-", "range-slider"))
    queries = {query["name"]: query["query"] for query in widget.get("queries", [])}
    if not is_filter and list(queries) != ["main_query"]:
        yield f"its one query must be called main_query, not {', '.join(queries) or 'none'}"
    for name, query in queries.items():
        if query.get("datasetName") not in datasets:
            yield f"dataset {query.get('datasetName')} does not exist"
            continue
        if "disaggregated" not in query:
            yield f"query {name} does not say whether it is disaggregated"
        if not is_filter and "parameters" in query:
            yield f"query {name} carries parameters; only filters may"
        yield from _columns_exist(query, datasets[query["datasetName"]], columns)
    yield from _references(widget, queries, is_filter=is_filter)
    if columns and not is_filter:
        yield from _quantities(widget, queries, columns)


def _references(widget: Json, queries: Mapping[str, Json], *, is_filter: bool) -> Iterator[str]:
    encodings = widget["spec"].get("encodings", {})
    fields = {field["name"] for query in queries.values() for field in query.get("fields", [])}
    if widget["spec"].get("widgetType") == "range-slider":
        fields |= {match[1] for field in fields if (match := re.fullmatch(r"(?:min|max)\((.+)\)", field))}
    used_fields = [value for _, key, value in _strings(encodings) if key == "fieldName"]
    used_queries = [value for _, key, value in _strings(encodings) if key == "queryName"]
    for field in dict.fromkeys(used_fields):
        if field not in fields:
            yield f"fieldName {field} is not a field of its query"
    for name in dict.fromkeys(used_queries):
        if name not in queries:
            yield f"queryName {name} does not exist"
    if is_filter:
        for name in queries.keys() - set(used_queries):
            yield f"query {name} is not used"


def _columns_exist(query: Json, dataset: Json, columns: Columns | None) -> Iterator[str]:
    if columns is None:
        return
    known = {*columns.get(dataset["name"], {}), *(column["displayName"] for column in dataset.get("columns", [])), "*"}
    for item in [*query.get("fields", []), *query.get("filters", [])]:
        for column in _COLUMN.findall(item["expression"]):
            if column not in known:
                yield f"`{column}` is not a column of dataset {dataset['name']}"


def _quantities(widget: Json, queries: Mapping[str, Json], columns: Columns) -> Iterator[str]:
    query = queries.get("main_query", {})
    types = columns.get(query.get("datasetName", ""), {})
    expressions = {field["name"]: field["expression"] for field in query.get("fields", [])}
    for channel, encoding in widget["spec"].get("encodings", {}).items():
        if not isinstance(encoding, dict) or encoding.get("scale", {}).get("type") != "quantitative":
            continue
        for _, key, name in _strings(encoding):
            plain = _COLUMN.fullmatch(expressions.get(name, "")) if key == "fieldName" else None
            if plain and types.get(plain[1], "").startswith(_TEXT_TYPES):
                yield f"{channel} is quantitative, but `{plain[1]}` is {types[plain[1]]}"


def _vega(widget: Json) -> Iterator[str]:
    text = widget["spec"].get("jsonSpec", {}).get("spec")
    try:
        spec = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        spec = None
    if not isinstance(spec, dict):
        yield "jsonSpec.spec must be a string that holds Vega-Lite JSON"
        return
    if spec.get("data") != {"name": "databricks_query"}:
        yield "the data of the chart must be named databricks_query"
    if (spec.get("width"), spec.get("height")) != ("container", "container"):
        yield "width and height must be 'container'"
    listed = {field["fieldName"] for field in widget["spec"].get("encodings", {}).get("fields", [])}
    used = {value for _, key, value in _strings(spec) if key == "field"} | set(re.findall(r"datum\.(\w+)", str(text)))
    for field in sorted(used - listed):
        yield f"{field} is used by the chart and not listed in its fields"


def _bound_parameters(dashboard: Json) -> dict[tuple[str, str], list[Json]]:
    bound: dict[tuple[str, str], list[Json]] = {}
    for _, widget in _all_widgets(dashboard):
        for query in widget.get("queries", []):
            for parameter in query["query"].get("parameters", []):
                bound.setdefault((query["query"].get("datasetName"), parameter["keyword"]), []).append(widget)
    return bound


def _all_widgets(dashboard: Json) -> Iterator[tuple[Json, Json]]:
    for page in dashboard.get("pages", []):
        for item in page.get("layout", []):
            yield page, item.get("widget", {})


def _values(selection: Json | None) -> list[Any]:
    return [item.get("value") for item in (selection or {}).get("values", {}).get("values", [])]


def _strings(node: Any, path: str = "", key: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (path, key, text) of every text at any depth."""
    if isinstance(node, str):
        yield path, key, node
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _strings(value, f"{path}.{name}" if path else name, name)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _strings(value, f"{path}[{index}]", key)


def main(paths: list[str]) -> int:
    """Print the problems of files. Return the exit code."""
    problems = [
        f"{path}: {problem}" for path in paths for problem in lint(json.loads(Path(path).read_text(encoding="utf-8")))
    ]
    print("\n".join(problems) or "no problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
