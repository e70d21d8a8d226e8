"""Dashboard files are read tolerantly: odd ones lose what is odd, and nothing raises."""

import json
from pathlib import Path
from typing import Any

import pytest

from genie_obs.errors import ConfigError
from genie_obs.preview.file.parse import load_dashboard, parse_dashboard
from genie_obs.preview.query.filters import StateError, controls_of, parse_state

ODD: list[Any] = [
    {},
    {"pages": None, "datasets": "x"},
    {"pages": [None, 3, {}, {"layout": {}}]},
    {"pages": [{"layout": [None, {}, {"widget": []}, {"widget": {"spec": 3, "queries": "q"}, "position": "here"}]}]},
    {
        "pages": [
            {"layout": [{"widget": {"spec": {"widgetType": ["bar"]}}, "position": {"x": "a", "width": -4, "y": 1e99}}]}
        ]
    },
    {"datasets": [{"name": 4}, {"queryLines": [1, None, "SELECT 1"]}, {"parameters": [{}, {"keyword": 3}]}]},
    {"pages": [{"layout": [{"widget": {"queries": [{"query": {"fields": [{"name": None}], "orders": [3]}}]}}]}]},
    {"uiSettings": {"theme": {"visualizationColors": ["red", 3, "url(x)"], "fontColor": "#zz"}}},
    {
        "pages": [
            {"pageType": "PAGE_TYPE_GLOBAL_FILTERS", "layout": [{"widget": {"spec": {"widgetType": "filter-odd"}}}]}
        ]
    },
]


@pytest.mark.parametrize("content", ODD)
def test_odd_files_are_read(content: dict[str, Any]) -> None:
    dashboard = parse_dashboard(content, title="Odd")
    controls_of(dashboard, {})
    for page in dashboard.pages:
        for widget in page.widgets:
            assert 0 <= widget.position.x < 12
            assert 1 <= widget.position.width <= 12 - widget.position.x


def _page(layout: list[dict[str, int]], **more: str) -> Any:
    content = {"pages": [{"layout": [{"widget": {}, "position": place} for place in layout], **more}]}
    return [widget.position for widget in parse_dashboard(content, title="").pages[0].widgets]


def test_old_grid_of_six_columns_is_doubled() -> None:
    (place,) = _page([{"x": 3, "y": 1, "width": 3, "height": 2}])
    assert (place.x, place.width) == (6, 6)


def test_grid_of_twelve_stays() -> None:
    (place,) = _page([{"x": 3, "y": 1, "width": 3, "height": 2}], layoutVersion="GRID_V1")
    assert (place.x, place.width) == (3, 3)


def test_grid_without_version_that_reaches_twelve_is_twelve() -> None:
    first, _ = _page([{"x": 0, "y": 0, "width": 3, "height": 2}, {"x": 9, "y": 0, "width": 3, "height": 2}])
    assert first.width == 3


def test_older_forms_of_sql_are_read() -> None:
    content = {
        "datasets": [{"name": "a", "query": "SELECT 1"}, {"name": "b", "asset_name": "c.odd name.message_details"}]
    }
    datasets = parse_dashboard(content, title="").datasets
    assert datasets["a"].sql == "SELECT 1"
    assert datasets["b"].sql == "SELECT * FROM c.`odd name`.message_details"


def test_fields_only_databricks_can_run_are_dropped() -> None:
    fields = [
        {"name": "a", "expression": "`a`"},
        {"name": "b", "expression": "COUNT_IF(`associative_filter_predicate_group`)"},
    ]
    content = {"pages": [{"layout": [{"widget": {"queries": [{"query": {"fields": fields}}]}}]}]}
    query = parse_dashboard(content, title="").pages[0].widgets[0].main_query
    assert query is not None
    assert [f.name for f in query.fields] == ["a"]


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"x"'])
def test_files_that_are_no_dashboard_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.lvdash.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"--dashboard .*x\.lvdash\.json"):
        load_dashboard(file)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_dashboard(tmp_path / "none.lvdash.json")


def test_title_comes_from_the_file_name(tmp_path: Path) -> None:
    file = tmp_path / "genie_observability.lvdash.json"
    file.write_text(json.dumps({}))
    assert load_dashboard(file).title == "Genie observability"


@pytest.mark.parametrize("text", ["{", '{"f": {"k": {"values": [[1]]}}}', '{"f": {"k": {"low": {}}}}', "x" * 20_000])
def test_state_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(StateError):
        parse_state(text)
