"""Spaces, users, workspaces, the record of a run, and what `status` shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from tests.sql.statements.lake import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    TODAY,
    Lake,
    Row,
    day,
    details_row,
    ledger_row,
    run_row,
    space_row,
)

from genie_obs.clock import SystemClock
from genie_obs.config import Scope
from genie_obs.drift import DriftKind
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.sources import SourceState
from genie_obs.runs.heartbeat import Heartbeat
from genie_obs.runs.open_runs import find_other_runs
from genie_obs.runs.record import RunRecord, StepRecord
from genie_obs.settings import ids

KNOWN_OF_A_SPACE = (
    "title", "description", "warehouse_id", "parent_path", "serialized_space", "space_created_at", "space_updated_at", "etag",
)  # fmt: skip
VERDICT: Row = {"state": "forbidden", "state_reason": "grant it", "http_status": 404}


class ClockAt(SystemClock):
    """A clock that says what it is told."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


LATER: Row = {"fetched_at": NOON + HOUR, "updated_at": NOON + HOUR}


def test_space_is_stored_as_it_was_read(lake: Lake) -> None:
    lake.merge_spaces(space_row())

    assert lake.only("space_details") == space_row()


def test_space_that_changed_takes_the_new_values(lake: Lake) -> None:
    changed = space_row(
        title="Renamed", description="d", warehouse_id="w2", parent_path="/x", serialized_space="{}", etag="e2",
        space_created_at=NOON - 8 * DAY, space_updated_at=NOON, **LATER,
    )  # fmt: skip
    lake.fill("space_details", space_row(), space_row(workspace_id="2"))

    lake.merge_spaces(changed)

    assert lake.read("space_details") == [changed, space_row(workspace_id="2")]


def test_space_that_can_no_longer_be_read_keeps_what_was_known(lake: Lake) -> None:
    lake.fill("space_details", space_row())

    lake.merge_spaces(space_row(**dict.fromkeys(KNOWN_OF_A_SPACE), **VERDICT, **LATER))

    assert lake.only("space_details") == space_row(**VERDICT, **LATER)


def test_space_that_can_be_read_again_loses_the_reason(lake: Lake) -> None:
    lake.fill("space_details", space_row(**VERDICT))

    lake.merge_spaces(space_row(**LATER))

    assert lake.only("space_details") == space_row(**LATER)


def test_older_reading_of_a_space_is_ignored(lake: Lake) -> None:
    lake.fill("space_details", space_row(**LATER))

    lake.merge_spaces(space_row(title="older"))

    assert lake.only("space_details") == space_row(**LATER)


def test_space_that_was_never_read_is_stored_with_its_reason(lake: Lake) -> None:
    lake.merge_spaces(space_row(**dict.fromkeys(KNOWN_OF_A_SPACE), **VERDICT))

    assert lake.only("space_details")["state_reason"] == "grant it"


@pytest.mark.parametrize(("wanted", "found"), [("", ["1", "12", "2"]), ("12,2", ["12", "2"]), ("3", [])])
def test_known_spaces_are_listed_for_the_workspaces_in_scope(lake: Lake, wanted: str, found: list[str]) -> None:
    lake.fill("space_details", *(space_row(workspace_id=workspace) for workspace in ("1", "2", "12")))

    rows = lake.select("datasets/spaces/select_spaces", workspace_ids=ids(wanted))

    assert sorted(row["workspace_id"] for row in rows) == found


def test_known_space_comes_with_what_decides_about_reading_it_again(lake: Lake) -> None:
    lake.fill("space_details", space_row(**VERDICT))

    [row] = lake.select("datasets/spaces/select_spaces", workspace_ids=())

    columns = (
        "workspace_id",
        "space_id",
        "title",
        "state",
        "reason_code",
        "state_reason",
        "http_status",
        "etag",
        "space_updated_at",
        "fetched_at",
        "went_state",
        "went_at",
        "went_by",
    )
    assert row == {name: space_row(**VERDICT)[name] for name in columns}


def test_forbidden_spaces_are_listed_by_how_many_messages_they_hide(lake: Lake) -> None:
    lake.fill(
        "space_details",
        space_row(space_id="few", **VERDICT),
        space_row(space_id="many", **VERDICT, title=None),
        space_row(space_id="readable"),
        space_row(space_id="unused", **VERDICT),
        space_row(space_id="few", workspace_id="2", **VERDICT),
    )
    lake.fill(
        "message_ledger",
        *(ledger_row(state="forbidden", message_id=f"many{n}", space_id="many") for n in range(3)),
        *(ledger_row(state="forbidden", message_id=f"readable{n}", space_id="readable") for n in range(2)),
        ledger_row(state="forbidden", message_id="f1", space_id="few"),
        ledger_row(state="fetched", message_id="f2", space_id="few"),
        ledger_row(state="forbidden", message_id="f1", space_id="few", workspace_id="2"),
    )

    def hidden(workspace_ids: str) -> list[tuple[Any, ...]]:
        return [
            tuple(row[name] for name in ("workspace_id", "space_id", "title", "state_reason", "message_count"))
            for row in lake.select("reports/select_forbidden_spaces", workspace_ids=ids(workspace_ids))
        ]

    many, few = ("1", "many", None, "grant it", 3), ("1", "few", "Orders", "grant it", 1)
    assert hidden("") == [many, few, ("2", *few[1:])]
    assert hidden("1") == [many, few]
    assert hidden("3") == []


def test_backlog_is_what_a_run_would_ask_for_now(lake: Lake) -> None:
    lake.fill(
        "message_ledger",
        ledger_row(message_id="new", state="pending", next_attempt_at=None),
        ledger_row(message_id="again", state="retry", next_attempt_at=NOON - MINUTE),
        ledger_row(message_id="later", state="retry", next_attempt_at=NOON + MINUTE),
        ledger_row(message_id="done", state="fetched"),
        ledger_row(message_id="closed", state="forbidden", next_attempt_at=None),
        ledger_row(message_id="nowhere", state="pending", space_id=None),
        ledger_row(message_id="other", state="pending", workspace_id="2"),
    )

    def due(*workspace_ids: str) -> int:
        [row] = lake.select("reports/select_backlog", now=NOON, workspace_ids=workspace_ids)
        return int(row["due_count"])

    assert (due(), due("1"), due("3")) == (3, 2, 0)


def users(lake: Lake, *rows: Row, workspace_ids: str = "1") -> list[tuple[Any, ...]]:
    lake.fill("message_details", *rows)
    found = lake.select("datasets/messages/select_known_users", from_date=day(-30), workspace_ids=ids(workspace_ids))
    return sorted(tuple(row.values()) for row in found)


def test_users_are_known_from_recent_messages(lake: Lake) -> None:
    rows = [
        details_row(user_id="7", user_email="ana@example.com"),
        details_row(message_id="m2", user_id="7", user_email="ana@example.com", created_date=day(-30)),
        details_row(message_id="m3", user_id="8", user_email=None),
        details_row(message_id="m4", user_id=None, user_email="bo@example.com"),
        details_row(message_id="m5", user_id="9", user_email="old@example.com", created_date=day(-31)),
        details_row(workspace_id="2", user_id="7", user_email="another@example.com"),
        details_row(workspace_id="3", user_id="7", user_email="third@example.com"),
    ]

    assert users(lake, *rows) == [("1", "7", "ana@example.com")]
    assert users(lake, *rows, workspace_ids="1,2") == [("1", "7", "ana@example.com"), ("2", "7", "another@example.com")]


def test_user_with_two_addresses_is_one_row(lake: Lake) -> None:
    rows = [details_row(user_email="a@example.com"), details_row(message_id="m2", user_email="b@example.com")]

    assert users(lake, *rows) == [("1", "77", "b@example.com")]


def test_no_messages_know_no_users(lake: Lake) -> None:
    assert users(lake) == []


@pytest.mark.parametrize(("wanted", "found"), [("", ["1", "12", "2"]), ("1", ["1"]), ("2,12", ["12", "2"]), ("3", [])])
def test_workspaces_are_listed_in_scope(lake: Lake, wanted: str, found: list[str]) -> None:
    rows = [
        {"account_id": "a", "workspace_id": w, "workspace_name": f"n{w}", "workspace_url": None, "status": "RUNNING"}
        for w in ("1", "2", "12")
    ]
    lake.fill("access/workspaces_latest", *rows)

    listed = sorted(
        lake.select("lakehouse/select_workspaces", workspace_ids=ids(wanted)), key=lambda row: str(row["workspace_id"])
    )

    assert [row["workspace_id"] for row in listed] == found
    assert all(set(row) == {"workspace_id", "workspace_name", "workspace_url", "status"} for row in listed)


def test_ledger_is_counted_by_workspace_and_state(lake: Lake) -> None:
    lake.fill(
        "message_ledger",
        ledger_row(message_id="m1", first_event_time=NOON - DAY),
        ledger_row(message_id="m2", witnesses=["api:list"]),
        ledger_row(message_id="m3", state="abandoned", created_date=None),
        ledger_row(message_id="m4", state="abandoned", witnesses=["api:list", "getConversationMessage"]),
        ledger_row(message_id="m1", workspace_id="2", state="pending", created_date=None, witnesses=[]),
    )

    def counted(workspace_ids: str) -> list[tuple[Any, ...]]:
        return [
            tuple(row.values()) for row in lake.select("ledger/select_ledger_states", workspace_ids=ids(workspace_ids))
        ]

    one = [("1", "abandoned", 2, 1, 1, 0, NOON), ("1", "fetched", 2, 2, 1, 0, NOON - DAY)]
    two = [("2", "pending", 1, 0, 0, 0, NOON)]
    assert counted("") == one + two
    assert counted("2") == two
    assert counted("3") == []


def test_recent_runs_are_the_ten_newest(lake: Lake) -> None:
    lake.fill(
        "ingestion_runs", *(run_row(f"run{n:02}", at=NOON + n * HOUR) for n in (3, 0, 11, 7, 1, 2, 10, 4, 5, 6, 8, 9))
    )

    rows = lake.select("runs/select_recent_runs")

    assert [row["run_id"] for row in rows] == [f"run{n:02}" for n in range(11, 1, -1)]
    assert (rows[0]["started_at"], rows[0]["status"]) == (NOON + 11 * HOUR, "succeeded")


def test_no_runs_are_listed_before_the_first(lake: Lake) -> None:
    assert lake.select("runs/select_recent_runs") == []


def a_run(run_id: str = "run1", **values: Any) -> RunRecord:
    return RunRecord(run_id=run_id, started_at=NOON, engine="local", **values)


def filled_run() -> RunRecord:
    """Return a record in which every column has a value."""
    values: Row = {
        "sources": (
            SourceState(name="query.history", state="missing", detail="why"),
            SourceState(name="a", state="read"),
        ),
        "steps": (StepRecord(name="events", seconds=1.5, rows=3, calls=None),),
        "drift_kinds": (DriftKind(what="status: unknown value PAUSED", count=2),),
    }
    for number, column in enumerate(table("ingestion_runs").columns):
        by_type = {
            "STRING": f"text {number}", "BIGINT": number, "DOUBLE": number / 2, "ARRAY<STRING>": [f"item {number}"],
            "TIMESTAMP": NOON + number * MINUTE, "DATE": day(number), "BOOLEAN": True,
        }  # fmt: skip
        if column.name not in {"run_id", "started_date", "started_at", "engine", *values}:
            values[column.name] = by_type[column.sql_type]
    return a_run(**values)


def test_run_is_one_row_however_often_it_is_stored(lake: Lake) -> None:
    a_run().store(lake.tables)
    first = lake.only("ingestion_runs")
    kept = ("status", "finished_at", "workspace_errors", "due_count", "statements_joined_count")
    assert [first[name] for name in kept] == ["running", None, [], 0, None]

    filled_run().store(lake.tables)

    assert lake.only("ingestion_runs") == plain(filled_run())


def plain(record: RunRecord) -> Row:
    """Return the row of a record as a reader gives it: lists for tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in record.to_row().items()}


def test_value_that_is_gone_is_gone_in_the_stored_record_too(lake: Lake) -> None:
    filled_run().store(lake.tables)

    a_run().store(lake.tables)

    assert lake.only("ingestion_runs") == plain(a_run())


@pytest.mark.parametrize("is_new", [True, False])
def test_new_run_is_inserted_with_every_column(lake: Lake, is_new: bool) -> None:
    filled_run().store(lake.tables, is_new=is_new)

    assert lake.only("ingestion_runs") == plain(filled_run())


def test_runs_do_not_touch_each_other(lake: Lake) -> None:
    for run_id in ("a", "b"):
        a_run(run_id).store(lake.tables, is_new=True)
    a_run("a", status="failed").store(lake.tables)

    assert [(row["run_id"], row["status"], row["started_date"]) for row in lake.read("ingestion_runs")] == [
        ("a", "failed", TODAY),
        ("b", "running", TODAY),
    ]


def test_runs_of_the_last_days_are_found_and_all_that_have_not_ended(lake: Lake) -> None:
    lake.fill(
        "ingestion_runs",
        run_row("ended long ago", at=NOON - 3 * DAY),
        run_row("ended", at=NOON - 2 * DAY, oldest_stored_date=day(-9), enrich_seconds=0.1),
        run_row("silent", status="running", finished_at=None, alive_at=None),
        run_row(
            "alive", status="running", finished_at=None, alive_at=NOON + HOUR, workspace_ids=["1"], space_ids=["s1"]
        ),
    )

    rows = {row["run_id"]: row for row in lake.select("runs/select_earlier_runs", since=day(-2))}

    assert set(rows) == {"ended", "silent", "alive"}
    assert (rows["ended"]["oldest_stored_date"], rows["ended"]["is_history_read"]) == (day(-9), True)
    assert rows["silent"]["alive_at"] == NOON
    assert rows["alive"] == {
        "run_id": "alive",
        "status": "running",
        "started_date": TODAY,
        "started_at": NOON,
        "alive_at": NOON + HOUR,
        "finished_at": None,
        "oldest_stored_date": None,
        "is_history_read": False,
        "workspace_ids": ["1"],
        "space_ids": ["s1"],
    }


def test_silent_run_is_recorded_as_killed_and_others_are_returned(lake: Lake) -> None:
    open_run: Row = {"status": "running", "finished_at": None}
    lake.fill(
        "ingestion_runs",
        run_row("ended", alive_at=NOON),
        run_row("silent", **open_run, alive_at=NOON + MINUTE, fetched_count=7),
        run_row("alive", **open_run, alive_at=NOON + HOUR),
        run_row("elsewhere", **open_run, alive_at=NOON + HOUR, workspace_ids=["2"]),
    )

    others = find_other_runs(lake.tables, Scope(workspace_ids=("1",)), NOON + HOUR)

    assert [[run["run_id"] for run in runs] for runs in (others.at_work, others.died)] == [["alive"], ["silent"]]
    assert others.earliest_start == NOON
    rows = {row["run_id"]: row for row in lake.read("ingestion_runs")}
    assert {run_id: row["status"] for run_id, row in rows.items()} == {
        "ended": "succeeded",
        "silent": "killed",
        "alive": "running",
        "elsewhere": "running",
    }
    silent = rows["silent"]
    assert (silent["finished_at"], silent["alive_at"], silent["fetched_count"]) == (None, NOON + MINUTE, 7)
    assert silent["error"].startswith("no sign of life after 2026-11-20 12:01 UTC")


def test_nothing_is_written_while_no_run_is_silent(lake: Lake) -> None:
    lake.fill("ingestion_runs", run_row("ended"), run_row("alive", status="running", finished_at=None, alive_at=NOON))
    version = lake.version("ingestion_runs")

    find_other_runs(lake.tables, Scope(), NOON + MINUTE)

    assert lake.version("ingestion_runs") == version


def heartbeat(lake: Lake, clock: ClockAt) -> Heartbeat:
    return Heartbeat(lake.tables, clock, run_id="run1", started_at=NOON, started_date=TODAY)


def test_run_that_was_taken_for_dead_takes_its_word_back(lake: Lake) -> None:
    a_run().store(lake.tables)
    find_other_runs(lake.tables, Scope(), NOON + HOUR)
    assert lake.only("ingestion_runs")["status"] == "killed"

    heartbeat(lake, ClockAt(NOON + HOUR)).beat()

    row = lake.only("ingestion_runs")
    assert (row["status"], row["error"], row["alive_at"]) == ("running", None, NOON + HOUR)


def test_sign_of_life_is_given_every_two_minutes(lake: Lake) -> None:
    a_run().store(lake.tables)
    clock = ClockAt(NOON + MINUTE)
    signs = heartbeat(lake, clock)
    version = lake.version("ingestion_runs")
    assert signs.seconds_left() == 60.0
    signs.beat()
    assert lake.version("ingestion_runs") == version

    clock.at = NOON + 2 * MINUTE
    assert signs.seconds_left() == 1.0  # never none at all: who waits for it must not spin
    signs.beat()
    signs.beat()

    assert lake.version("ingestion_runs") == version + 1
    assert lake.only("ingestion_runs")["alive_at"] == NOON + 2 * MINUTE


def test_sign_of_life_does_not_open_a_run_that_has_ended(lake: Lake) -> None:
    lake.fill("ingestion_runs", run_row("run1", alive_at=NOON))

    heartbeat(lake, ClockAt(NOON + HOUR)).beat()

    assert lake.only("ingestion_runs")["status"] == "succeeded"


@pytest.mark.parametrize(
    ("others", "earliest"),
    [
        ([], None),
        ([run_row("this", at=NOON)], None),
        ([run_row("before", at=NOON - HOUR)], None),
        ([run_row("ended as we began", at=NOON - MINUTE)], NOON - MINUTE),
        ([run_row("at work", at=NOON - HOUR, finished_at=None), run_row("later", at=NOON + HOUR)], NOON - HOUR),
    ],
    ids=lambda value: "+".join(run["run_id"] for run in value) if isinstance(value, list) else "",
)
def test_runs_that_were_at_work_since_an_instant_are_found(
    lake: Lake, others: list[Row], earliest: datetime | None
) -> None:
    lake.fill("ingestion_runs", *others)

    assert lake.select("runs/select_overlapping_runs", run_id="this", since=NOON) == [{"started_at": earliest}]
