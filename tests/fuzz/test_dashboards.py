"""Any file opens: a dashboard broken anywhere is drawn as far as it can be, and each tile that cannot says why."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.browser.preview_world import dashboard_json, make_lakehouse, site_over
from tests.fuzz.mutations import FACTOR, TROUBLE, mutated

from genie_obs.errors import ConfigError
from genie_obs.preview.file.parse import load_dashboard, parse_dashboard
from genie_obs.preview.page.exporter import export_page
from genie_obs.preview.page.site import Site
from genie_obs.preview.page.tiles import DATA_KINDS
from genie_obs.preview.query.filters import State

REAL = dashboard_json()


def _one_widget_each() -> list[dict[str, Any]]:
    """Return the dashboard once for every widget, with that widget alone, so that a change hits something."""
    alone = []
    for page_index, page in enumerate(REAL["pages"]):
        for entry in page.get("layout", []):
            one = copy.deepcopy(REAL)
            one["pages"] = [{**copy.deepcopy(REAL["pages"][page_index]), "layout": [copy.deepcopy(entry)]}]
            alone.append(one)
    return alone


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lakehouse = make_lakehouse(tmp_path_factory.mktemp("fuzz") / "lakehouse")
    with site_over(lakehouse, REAL) as site:
        yield site


def draw_all(site: Site, content: dict[str, Any]) -> None:
    """Look at every tile and every list of options, as the page does."""
    shown = Site(dashboard=parse_dashboard(content, title="fuzz"), runner=site.runner, overrides={}, now=site.now)
    json.dumps(shown.boot(), allow_nan=False)
    for page in shown.dashboard.pages:
        for widget in page.widgets:
            if widget.kind in DATA_KINDS:
                json.dumps(shown.tile(widget.key, State()), allow_nan=False)
            if widget.is_filter:
                json.dumps(shown.options(widget.key, State()), allow_nan=False)


@settings(max_examples=150 * FACTOR, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated(_one_widget_each()))
def test_every_tile_of_a_broken_dashboard_is_drawn_or_says_why(site: Site, content: Any) -> None:
    if isinstance(content, dict):
        draw_all(site, content)


@settings(max_examples=5 * FACTOR, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated([REAL], most=12))
def test_broken_dashboard_is_exported_as_a_page(site: Site, content: Any) -> None:
    if isinstance(content, dict):
        dashboard = parse_dashboard(content, title="fuzz")
        page = export_page(Site(dashboard=dashboard, runner=site.runner, overrides={}, now=site.now))
        assert page.encode().startswith(b"<!")


@settings(max_examples=150 * FACTOR, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200) | st.sampled_from(TROUBLE).map(lambda value: json.dumps(value).encode()))
def test_any_file_opens_or_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.lvdash.json"
    file.write_bytes(content)
    with contextlib.suppress(ConfigError):  # what the command line shows as one line
        load_dashboard(file)
