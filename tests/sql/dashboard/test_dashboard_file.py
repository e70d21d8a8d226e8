"""What the SQL file promises, and that the dashboard and the notebook are what it says."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import pytest
import sqlglot
from sqlglot import exp
from tests.sql.dashboard.dashboard_lake import DEFAULTS, SYSTEM_TABLES, DashboardLake
from tools.build_dashboard import DASHBOARD_FILE, SQL_FOLDER, render
from tools.dashboard.queries import ROOT, Query, load_queries
from tools.lvdash_lint import lint

from genie_obs.lakehouse.sql import qualify
from genie_obs.lakehouse.statements import load_view, our_tables

QUERIES = load_queries()
DASHBOARD = json.loads((SQL_FOLDER / DASHBOARD_FILE).read_text(encoding="utf-8"))
GUIDE = ROOT / "docs" / "dashboards.md"
TIME_COLUMN = {"system.access.audit": "event_date", "system.query.history": "start_time"}
# As the platform documents them; a new one shows up as 'unknown error type, new'.
ERROR_TYPES = 61


def _parse(query: Query) -> Any:  # sqlglot's type of a statement has changed its name between versions
    return _parsed(query.sql)


@functools.cache
def _parsed(sql: str) -> Any:
    [statement] = sqlglot.parse(sql, read="databricks")
    assert statement is not None
    return statement


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query_is_one_select_of_databricks_sql(query: Query) -> None:
    assert isinstance(_parse(query), exp.Query)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query_lists_its_columns(query: Query) -> None:
    assert not [star for star in _parse(query).find_all(exp.Star) if not isinstance(star.parent, exp.Count)]


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query_reads_what_its_header_says_and_qualifies_system_tables_only(query: Query) -> None:
    statement = _parse(query)
    own = {cte.alias for cte in statement.find_all(exp.CTE)}
    read = {
        ".".join(part.name for part in table.parts)
        for table in statement.find_all(exp.Table)
        if table.parts and not (len(table.parts) == 1 and table.name in own)
    }
    assert read == set(query.reads)
    assert read <= {*our_tables(), *SYSTEM_TABLES}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query_prunes_system_tables_by_date(query: Query) -> None:
    for table in _parse(query).find_all(exp.Table):
        column = TIME_COLUMN.get(".".join(part.name for part in table.parts))
        if column:
            select = table.find_ancestor(exp.Select)
            assert select is not None
            where = select.args["where"].sql(dialect="databricks").lower()
            assert re.search(rf"{column} >= .*days_lookback", where), f"{table} is read without a limit on {column}"


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query_takes_the_two_parameters_of_the_dashboard_only(query: Query) -> None:
    assert set(query.parameters) <= set(DEFAULTS)
    if any(name in query.reads for name in ("message_details", "system.access.audit", "system.query.history")):
        assert "workspace_id_filter" in query.parameters


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_query_uses_no_syntax_that_one_of_the_engines_lacks(query: Query) -> None:
    words = re.sub(r"'[^']*'|--[^\n]*", "", query.sql)
    assert not re.search(r"\bQUALIFY\b|\bGROUP BY ALL\b|\bPIVOT\b|\bAVG\s*\(|\w:\w", words, re.IGNORECASE)


def test_ratios_stand_next_to_their_count() -> None:
    for query in QUERIES.values():
        columns = _parse(query).named_selects
        if any(column.endswith("_ratio") for column in columns):
            assert any(column.endswith("_count") for column in columns), query.query_id


def test_error_types_stand_in_one_view_that_queries_read_as_their_first_expression() -> None:
    named = re.findall(r"^    \('([A-Z_]+)', ", load_view("error_types"), re.MULTILINE)
    assert len(set(named)) == len(named) == ERROR_TYPES
    readers = [query.query_id for query in QUERIES.values() if "JOIN error_types" in query.sql]
    assert readers == ["failures", "failure_causes"]
    assert all(QUERIES[name].sql.startswith("WITH error_types AS (\n  SELECT") for name in readers)


def test_built_files_are_up_to_date() -> None:
    stale = [name for name, text in render(QUERIES).items() if (SQL_FOLDER / name).read_text(encoding="utf-8") != text]
    assert not stale, "run: make dashboard"


def test_building_twice_gives_the_same_bytes() -> None:
    assert render(load_queries()) == render(load_queries())


def test_dashboard_has_no_problem_known_to_the_linter(lake: DashboardLake) -> None:
    lake.fill({})
    columns = {}
    for name, query in QUERIES.items():
        arguments = {keyword: DEFAULTS[keyword] for keyword in query.parameters}
        from_engine = lake.engine.spark.sql(qualify(query.sql, lake.engine.names), args=arguments).schema
        columns[name] = {field.name: field.dataType.simpleString() for field in from_engine.fields}
    assert lint(DASHBOARD, columns) == []


def test_every_query_is_shown_on_the_dashboard() -> None:
    shown = {
        query["query"]["datasetName"]
        for page in DASHBOARD["pages"]
        for item in page["layout"]
        for query in item["widget"].get("queries", [])
        if "fields" in query["query"]
    }
    assert shown == set(QUERIES)


def test_every_page_says_how_fresh_and_complete_it_is() -> None:
    for page in DASHBOARD["pages"]:
        if page["pageType"] == "PAGE_TYPE_CANVAS":
            assert f"{page['name']}-freshness" in [item["widget"]["name"] for item in page["layout"]]


def test_guide_explains_every_query_and_every_page() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert not [name for name in QUERIES if f"`{name}`" not in guide]
    assert not [page["displayName"] for page in DASHBOARD["pages"] if f"## {page['displayName']}" not in guide]
