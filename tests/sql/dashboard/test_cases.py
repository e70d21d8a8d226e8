"""Every query, rows in and rows out: `cases/<query>/<case>.json`, see `dashboard_lake`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sql.dashboard.dashboard_lake import HERE, DashboardLake, load_case, matches, plain_rows
from tools.dashboard.queries import load_queries

QUERIES = load_queries()
CASES = sorted((HERE / "cases").glob("*/*.json"))
ONE_ROW_WITHOUT_DATA = {
    "workspace_options": [{"workspace_id": "ALL"}],
    "freshness": [
        {
            "last_run_status": "no run yet",
            "witnessed_count": 0,
            "stored_count": 0,
            "gone_count": 0,
            "unreadable_count": 0,
            "waiting_count": 0,
            "given_up_count": 0,
        }
    ],
    "period_comparison": [
        {
            "message_count": 0,
            "previous_message_count": 0,
            "active_user_count": 0,
            "previous_active_user_count": 0,
            "conversation_count": 0,
            "previous_conversation_count": 0,
            "space_count": 0,
            "previous_space_count": 0,
            "finished_count": 0,
            "rated_count": 0,
            "timed_count": 0,
        }
    ],
}


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_rows_in_give_the_rows_expected(lake: DashboardLake, path: Path) -> None:
    case = load_case(path)
    lake.fill(case["tables"])
    found = plain_rows(lake.run(QUERIES[path.parent.name], case["parameters"]))
    assert matches(found, case["expect"]), found


@pytest.mark.parametrize("name", [name for name in QUERIES if name != "lookback_options"])
def test_query_runs_on_empty_tables(lake: DashboardLake, name: str) -> None:
    lake.fill({})
    assert plain_rows(lake.run(QUERIES[name])) == ONE_ROW_WITHOUT_DATA.get(name, [])


def test_every_query_has_an_ordinary_and_an_awkward_case() -> None:
    found = {name: sorted(path.stem for path in CASES if path.parent.name == name) for name in QUERIES}
    too_few = {name for name, cases in found.items() if len(cases) < 2}
    assert too_few <= {"lookback_options"}  # it reads nothing
    assert {path.parent.name for path in CASES} <= set(QUERIES)
