"""What a dashboard is made of: datasets, pages, widgets and the queries of widgets.

Widgets and pages have keys of our own (``p0w3``), since their names in the file may be missing, doubled or hostile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from genie_obs.preview.file import lenient

ParameterKind = Literal["single", "multi", "range"]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A ``:keyword`` of a dataset."""

    keyword: str
    data_type: str  # STRING, DATE, DATETIME, INTEGER or DECIMAL
    kind: ParameterKind
    default: Mapping[str, Any]  # the file's selection object


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A named query."""

    name: str
    title: str
    sql: str  # '' when the file gives none
    parameters: tuple[Parameter, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)  # calculated column → expression


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column a widget asks a dataset for."""

    name: str
    expression: str


@dataclass(frozen=True, kw_only=True)
class Query:
    """What a widget asks of one dataset. The query of a filter says which fields or parameters it sets."""

    name: str
    dataset: str
    fields: tuple[Field, ...] = ()
    is_disaggregated: bool = False
    filters: tuple[str, ...] = ()
    orders: tuple[tuple[str, bool], ...] = ()  # (expression, is descending)
    keywords: Mapping[str, str] = field(default_factory=dict)  # parameter's name in the query → keyword
    fixed_values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # keyword → selection


@dataclass(frozen=True, kw_only=True)
class Position:
    """Grid cells, on 12 columns."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Widget:
    """A tile or a filter. `kind` is its widgetType in the file, 'text' for a text box, '' when the file gives none."""

    key: str
    name: str
    kind: str
    position: Position
    queries: tuple[Query, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    markdown: str = ""
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_filter(self) -> bool:
        """Say whether this is a filter and not a tile."""
        return self.kind.startswith("filter-") or self.kind == "range-slider"

    @property
    def encodings(self) -> Mapping[str, Any]:
        """Return the encodings: which field is on which axis, in which column, and so on."""
        return lenient.mapping(self.spec.get("encodings"))

    @property
    def main_query(self) -> Query | None:
        """Return the query of the tile: the one that the spec names, else the one called `main_query`, else the first."""
        wanted = lenient.text(lenient.path(self.spec, "data", "queryName"), "main_query")
        return next(
            (query for query in self.queries if query.name == wanted), self.queries[0] if self.queries else None
        )

    @property
    def title(self) -> str:
        """Return the title shown, or '' when it is hidden."""
        frame = lenient.mapping(self.spec.get("frame"))
        return lenient.text(frame.get("title")) if frame.get("showTitle") is True else ""

    @property
    def description(self) -> str:
        """Return the description shown, or '' when it is hidden."""
        frame = lenient.mapping(self.spec.get("frame"))
        return lenient.text(frame.get("description")) if frame.get("showDescription") is True else ""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A tab, or the panel of filters that act on every tab."""

    key: str
    title: str
    is_global_filters: bool
    widgets: tuple[Widget, ...]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """The whole file."""

    title: str
    datasets: Mapping[str, Dataset]
    pages: tuple[Page, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def canvas_pages(self) -> tuple[Page, ...]:
        """Return the tabs."""
        return tuple(page for page in self.pages if not page.is_global_filters)

    @property
    def global_filters(self) -> tuple[Widget, ...]:
        """Return the filters that act on every tab."""
        return tuple(w for page in self.pages if page.is_global_filters for w in page.widgets if w.is_filter)

    def widget(self, key: str) -> tuple[Page, Widget] | None:
        """Return a widget and its page by our key."""
        return next(((p, w) for p in self.pages for w in p.widgets if w.key == key), None)
