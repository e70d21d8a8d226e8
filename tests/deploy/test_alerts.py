"""The alerts' queries: rows in, one answer out, on the local engine; and as Databricks SQL for an independent parser."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlglot
from sqlglot import exp
from tests.deploy.bundle import ROOT, load_bundle
from tests.sql.statements.lake import Lake, Row

from genie_obs.lakehouse.sql import qualify
from genie_obs.lakehouse.statements import our_tables

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ALERTS = sorted(path.stem for path in (ROOT / "sql" / "alerts").glob("*.sql"))


class Alerts:
    """A lakehouse whose tables each test fills anew, and the alerts on it."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.now = datetime.now(UTC)

    def run(self, name: str) -> list[Row]:
        sql = (ROOT / "sql" / "alerts" / f"{name}.sql").read_text(encoding="utf-8").strip().removesuffix(";")
        engine = self.lake._engine
        rows: list[Row] = engine.spark.sql(qualify(sql, engine.names)).toArrow().to_pylist()
        return rows

    def value(self, name: str) -> Any:
        """Return what the alert compares: the first row's column, or NULL as its `empty_result_state` would meet it."""
        evaluation = load_bundle("prod").resources["alerts"][name]["evaluation"]
        rows = self.run(name)
        values = [row[evaluation["source"]["name"]] for row in rows]
        if evaluation["source"].get("aggregation") == "MIN":
            return min(values) if values else None
        assert len(values) <= 1
        return values[0] if values else None

    def fires(self, name: str) -> bool:
        """Return what the alert would say, by its operator and the default threshold of the bundle."""
        evaluation = load_bundle("prod").resources["alerts"][name]["evaluation"]
        found = self.value(name)
        if found is None:
            return bool(evaluation["empty_result_state"] == "TRIGGERED")
        compare = {"GREATER_THAN": operator.gt, "LESS_THAN": operator.lt}[evaluation["comparison_operator"]]
        return bool(compare(found, evaluation["threshold"]["value"]["double_value"]))

    def runs(self, *rows: Row) -> None:
        filled = []
        for number, row in enumerate(rows):
            started_at = self.now - row["age"]
            finished_at = None if row.get("status") == "running" else started_at + row.get("lasted", 5 * MINUTE)
            filled.append(
                {
                    "run_id": f"r{number}", "started_at": started_at, "started_date": started_at.date(),
                    "finished_at": finished_at, "status": row.get("status", "succeeded"), "error": row.get("error"),
                    "alive_at": self.now - row["silent"] if "silent" in row else None,
                }
            )  # fmt: skip
        self.lake.fill("ingestion_runs", *filled)

    def ledger(self, *groups: tuple[str, str, int, timedelta], reason_code: str | None = None) -> None:
        """Fill the ledger with (workspace, state, how many, age)."""
        rows = []
        for number, (workspace_id, state, count, age) in enumerate(groups):
            at = self.now - age
            stored = state in {"fetched", "settling"}
            rows += [
                {
                    "workspace_id": workspace_id, "message_id": f"m{number}-{item}", "state": state, "first_event_time": at,
                    "witnessed_date": at.date(), "created_date": at.date() if stored else None,
                    "reason_code": reason_code if state == "forbidden" else None,
                }
                for item in range(count)
            ]  # fmt: skip
        self.lake.fill("message_ledger", *rows)

    def messages(self, *groups: tuple[int, timedelta, dict[str, Any]]) -> None:
        """Fill the messages with (how many, age, columns)."""
        rows = []
        for number, (count, age, columns) in enumerate(groups):
            at = self.now - age
            rows += [
                {
                    "workspace_id": "1", "message_id": f"m{number}-{item}", "created_at": at, "created_date": at.date(),
                    "status": "COMPLETED", **columns,
                }
                for item in range(count)
            ]  # fmt: skip
        self.lake.fill("message_details", *rows)


@pytest.fixture(scope="module")
def _lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    lake = Lake(tmp_path_factory.mktemp("alerts"))
    yield lake
    lake.close()


@pytest.fixture
def alerts(_lake: Lake) -> Alerts:
    _lake.clear()
    return Alerts(_lake)


FAILED = {"status": "FAILED"}
GOOD = {"feedback_rating": "POSITIVE"}
BAD = {"feedback_rating": "NEGATIVE"}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_is_one_query_of_databricks_sql_over_our_tables_only(name: str) -> None:
    text = load_bundle("prod").resources["alerts"][name]["query_text"]
    [query] = sqlglot.parse(text, dialect="databricks")
    assert isinstance(query, exp.Select)
    names = {cte.alias for cte in query.find_all(exp.CTE)}
    tables = [table for table in query.find_all(exp.Table) if table.name not in names]
    assert tables
    assert all((table.catalog, table.db) == ("main", "genie_analytics") for table in tables)
    assert {table.name for table in tables} <= set(our_tables())


@pytest.mark.parametrize("name", ALERTS)
def test_alert_file_states_its_contract(name: str) -> None:
    lines = (ROOT / "sql" / "alerts" / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    words = ["query:", "title:", "answers:", "grain:", "reads:", "params:"]
    assert [line.split()[1] for line in lines[:6]] == words
    assert lines[0].split()[2] == name
    title = lines[1].partition("title:")[2].strip()
    assert load_bundle("prod").resources["alerts"][name]["display_name"] == title


@pytest.mark.parametrize("name", ALERTS)
def test_alert_on_empty_tables_gives_no_row(alerts: Alerts, name: str) -> None:
    assert alerts.run(name) == []
    state = load_bundle("prod").resources["alerts"][name]["evaluation"]["empty_result_state"]
    assert state == ("TRIGGERED" if name == "pipeline_stale" else "OK")


def test_stale_counts_hours_since_the_last_finished_run(alerts: Alerts) -> None:
    alerts.runs(
        {"age": 30 * HOUR}, {"age": 5 * HOUR, "status": "partial"}, {"age": HOUR, "status": "failed", "error": "boom"}
    )
    [row] = alerts.run("pipeline_stale")
    assert row["hours_since_last_run"] == pytest.approx(4.9, abs=0.06)
    assert (row["last_run_status"], row["last_run_error"]) == ("failed", "boom")


def test_stale_counts_from_the_first_attempt_when_no_run_ever_finished(alerts: Alerts) -> None:
    alerts.runs({"age": 9 * HOUR, "status": "failed"}, {"age": HOUR, "status": "running"})
    assert alerts.value("pipeline_stale") == pytest.approx(9.0, abs=0.06)


AT_WORK = {"status": "running", "silent": 2 * MINUTE}
DEAD = {"status": "running", "silent": 40 * MINUTE}


@pytest.mark.parametrize(
    ("runs", "hours"),
    [
        pytest.param([{"age": 10 * HOUR, **AT_WORK}], 0, id="a first backfill is at work for ten hours"),
        pytest.param([{"age": 11 * HOUR}, {"age": 10 * HOUR, **AT_WORK}], 0.9, id="a backfill after an hourly run"),
        pytest.param([{"age": 10 * HOUR, **DEAD}], 10, id="a first backfill that died"),
        pytest.param([{"age": 11 * HOUR}, {"age": 10 * HOUR, **DEAD}], 10.9, id="a backfill that died after a run"),
        pytest.param([{"age": 5 * MINUTE, "status": "running"}], 0, id="a run that has just begun"),
        pytest.param([{"age": 4 * HOUR, "lasted": 3 * HOUR}], 1, id="it ended at its deadline"),
        pytest.param(
            [{"age": 5 * HOUR, "lasted": 3 * HOUR}, {"age": 2 * HOUR, **AT_WORK}], 0, id="it ended at its deadline and reads on"
        ),
        pytest.param(
            [{"age": 30 * HOUR}, {"age": 9 * HOUR, "status": "killed"}, {"age": HOUR / 6, **AT_WORK}], 29.8,
            id="one run after another is killed, and the next is at work",
        ),
        pytest.param([{"age": 20 * HOUR, **DEAD}, {"age": HOUR}], 0.9, id="a dead run of another shard, and one that ended"),
    ],
)  # fmt: skip
def test_run_at_work_is_not_stale_however_long_and_a_dead_one_is(
    alerts: Alerts, runs: list[dict[str, Any]], hours: float
) -> None:
    alerts.runs(*runs)
    assert alerts.value("pipeline_stale") == pytest.approx(hours, abs=0.11)
    assert alerts.fires("pipeline_stale") is (hours > 3)


def test_runs_of_long_ago_are_no_sign_of_life(alerts: Alerts) -> None:
    alerts.runs({"age": 40 * DAY})
    assert alerts.run("pipeline_stale") == []


def test_coverage_is_that_of_the_worst_workspace_with_its_reasons(alerts: Alerts) -> None:
    alerts.ledger(
        ("1", "fetched", 20, 2 * DAY), ("2", "fetched", 6, 3 * DAY), ("2", "forbidden", 3, 3 * DAY), ("2", "abandoned", 1, 3 * DAY)
    )  # fmt: skip
    assert alerts.value("coverage_low") == pytest.approx(0.6)
    worst = alerts.run("coverage_low")[0]
    assert worst == {
        "coverage_ratio": pytest.approx(0.6), "workspace_id": "2", "expected_count": 10, "stored_count": 6,
        "forbidden_count": 3, "abandoned_count": 1, "waiting_count": 0,
    }  # fmt: skip


def test_coverage_leaves_out_what_is_gone_and_what_is_too_young_to_be_there(alerts: Alerts) -> None:
    alerts.ledger(("1", "fetched", 12, 2 * DAY), ("1", "deleted", 5, 2 * DAY), ("1", "pending", 9, 2 * HOUR))
    assert alerts.value("coverage_low") == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("code", "ratios"), [("no_permission", [0.5]), ("space_trashed", [1.0]), ("space_deleted", [1.0])]
)
def test_space_that_went_is_no_missing_grant(alerts: Alerts, code: str, ratios: list[float]) -> None:
    alerts.ledger(("1", "fetched", 20, 2 * DAY), ("1", "forbidden", 20, 2 * DAY), reason_code=code)
    rows = alerts.run("coverage_low")
    assert [row["coverage_ratio"] for row in rows] == ratios
    assert [row["forbidden_count"] for row in rows] == [20 if code == "no_permission" else 0]


def test_coverage_of_a_handful_of_messages_alarms_nobody(alerts: Alerts) -> None:
    alerts.ledger(("1", "forbidden", 9, 2 * DAY), ("2", "forbidden", 50, 40 * DAY))
    assert alerts.run("coverage_low") == []


def test_failure_jump_is_what_chance_does_not_explain(alerts: Alerts) -> None:
    alerts.messages((50, HOUR, FAILED), (50, HOUR, {}), (20, 5 * DAY, FAILED), (380, 5 * DAY, {}))
    [row] = alerts.run("failure_rate_jump")
    pooled = 70 / 500
    chance = 2 * (pooled * (1 - pooled) * (1 / 100 + 1 / 400)) ** 0.5
    assert row["jump_ratio"] == pytest.approx(0.50 - 0.05 - chance, abs=1e-4)
    assert (row["recent_failed_ratio"], row["usual_failed_ratio"]) == (0.5, 0.05)
    assert (row["recent_count"], row["usual_count"]) == (100, 400)


def test_two_more_failures_on_a_quiet_day_are_no_jump(alerts: Alerts) -> None:
    alerts.messages((3, HOUR, FAILED), (18, HOUR, {}), (20, 5 * DAY, FAILED), (380, 5 * DAY, {}))
    assert alerts.value("failure_rate_jump") < 0.05


def test_failures_without_any_before_or_after_do_not_divide_by_zero(alerts: Alerts) -> None:
    alerts.messages((30, HOUR, {}), (200, 5 * DAY, {}))
    assert alerts.value("failure_rate_jump") == 0
    alerts.messages((30, HOUR, FAILED))
    assert alerts.run("failure_rate_jump") == []


def test_unfinished_and_older_messages_do_not_count_as_failures_or_successes(alerts: Alerts) -> None:
    alerts.messages(
        (25, HOUR, {}), (25, HOUR, {"status": "EXECUTING_QUERY"}), (120, 5 * DAY, {}), (500, 40 * DAY, FAILED), (9, HOUR, {"status": None})
    )  # fmt: skip
    [row] = alerts.run("failure_rate_jump")
    assert (row["recent_count"], row["usual_count"], row["jump_ratio"]) == (25, 120, 0)


def test_negative_ratings_jump_compares_rated_answers_only(alerts: Alerts) -> None:
    alerts.messages(
        (30, DAY, BAD), (10, DAY, GOOD), (200, DAY, {}), (50, DAY, {"feedback_rating": "NONE"}), (5, 10 * DAY, BAD), (95, 10 * DAY, GOOD)
    )  # fmt: skip
    [row] = alerts.run("negative_ratings_jump")
    assert (row["recent_count"], row["usual_count"]) == (40, 100)
    assert (row["recent_negative_ratio"], row["usual_negative_ratio"]) == (0.75, 0.05)
    assert 0.4 < row["jump_ratio"] < 0.7


def test_a_few_bad_ratings_alarm_nobody(alerts: Alerts) -> None:
    alerts.messages((9, DAY, BAD), (95, 10 * DAY, GOOD))
    assert alerts.run("negative_ratings_jump") == []


def test_every_alert_fires_on_its_side_of_the_default_threshold(alerts: Alerts) -> None:
    alerts.runs({"age": 5 * HOUR})
    alerts.ledger(("1", "fetched", 94, 2 * DAY), ("1", "forbidden", 6, 2 * DAY), ("2", "fetched", 50, 2 * DAY))
    alerts.messages(
        (50, HOUR, FAILED), (50, HOUR, {}), (20, 10 * DAY, FAILED), (380, 10 * DAY, {}), (30, DAY, BAD), (95, 10 * DAY, GOOD)
    )  # fmt: skip
    assert {name: alerts.fires(name) for name in ALERTS} == dict.fromkeys(ALERTS, True)

    alerts.runs({"age": 2 * HOUR})
    alerts.ledger(("1", "fetched", 96, 2 * DAY), ("1", "forbidden", 4, 2 * DAY), ("2", "fetched", 50, 2 * DAY))
    alerts.messages(
        (6, HOUR, FAILED), (94, HOUR, {}), (20, 10 * DAY, FAILED), (380, 10 * DAY, {}), (1, DAY, BAD), (30, DAY, GOOD),
        (2, 10 * DAY, BAD), (95, 10 * DAY, GOOD),
    )  # fmt: skip
    assert {name: alerts.fires(name) for name in ALERTS} == dict.fromkeys(ALERTS, False)
