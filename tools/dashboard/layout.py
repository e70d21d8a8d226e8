"""What the dashboard is made of: its theme, its pages in order, and its two filters."""

from __future__ import annotations

from collections.abc import Mapping

from tools.dashboard.pages_health import coverage, performance, quality
from tools.dashboard.pages_use import adoption, conversations, overview, spaces
from tools.dashboard.queries import Query
from tools.dashboard.widgets import Bands, Json, parameter_filter, place


def theme() -> Json:
    """Return the theme: an Okabe-Ito palette that works on light and dark."""
    return {
        "canvasBackgroundColor": {"light": "#F7F9FA", "dark": "#1F272D"},
        "widgetBackgroundColor": {"light": "#FFFFFF", "dark": "#11171C"},
        "widgetBorderColor": {"light": "#E3E8EC", "dark": "#2B353D"},
        "fontColor": {"light": "#11171C", "dark": "#E8ECF0"},
        "selectionColor": {"light": "#2272B4", "dark": "#8ACAFF"},
        "visualizationColors": ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C8C8C"],
        "widgetHeaderAlignment": "LEFT",
    }


def build_pages(queries: Mapping[str, Query], defaults: Mapping[str, Json]) -> list[Json]:
    """Return all pages; the filters set every dataset that has their parameter."""
    return [
        _page("overview", "Overview", overview()),
        _page("adoption", "Adoption", adoption()),
        _page("quality", "Quality & failures", quality()),
        _page("conversations", "Conversations", conversations()),
        _page("performance", "Performance", performance()),
        _page("spaces", "Spaces", spaces()),
        _page("coverage", "Coverage & pipeline", coverage()),
        _filters(queries, defaults),
    ]


def _page(name: str, title: str, bands: Bands) -> Json:
    return {
        "name": name,
        "displayName": title,
        "pageType": "PAGE_TYPE_CANVAS",
        "layoutVersion": "GRID_V1",
        "layout": place(bands),
    }


def _filters(queries: Mapping[str, Query], defaults: Mapping[str, Json]) -> Json:
    def bound(parameter: str) -> list[str]:
        return [query.query_id for query in queries.values() if parameter in query.parameters]

    lookback = parameter_filter(
        "filter-lookback", "Look back (days)", options="lookback_options", column="days_lookback", parameter="days_lookback",
        default=defaults["days_lookback"], datasets=bound("days_lookback"), note="Days back from today, UTC",
    )  # fmt: skip
    workspace = parameter_filter(
        "filter-workspace", "Workspace id", options="workspace_options", column="workspace_id", parameter="workspace_id_filter",
        default=defaults["workspace_id_filter"], datasets=bound("workspace_id_filter"), note="ALL, or one workspace",
    )  # fmt: skip
    page = _page("filters", "Filters", [(2, [(6, lookback), (6, workspace)])])
    return page | {"pageType": "PAGE_TYPE_GLOBAL_FILTERS"}
