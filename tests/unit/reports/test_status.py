"""`status`: what it makes of ledger, spaces and runs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.unit.fake_tables import NOON, FakeTables

from genie_obs.config import parse_settings
from genie_obs.errors import ConfigError
from genie_obs.reports.backlog import Guess
from genie_obs.reports.status import StatusReport, make_status

SETTINGS = parse_settings({}, {})


def counted(
    state: str, messages: int, stored: int = 0, *, workspace_id: str = "1", listed_only: int = 0, went: int = 0
) -> dict[str, Any]:
    return {
        "workspace_id": workspace_id, "state": state, "message_count": messages, "stored_count": stored,
        "listed_only_count": listed_only, "went_count": went, "oldest_event_time": NOON,
    }  # fmt: skip


def status(
    *ledger: dict[str, Any], runs: list[dict[str, Any]] | None = None, watermark: datetime | None = None, due: int = 0
) -> StatusReport:
    fake = FakeTables(
        {
            "ledger/select_ledger_states": list(ledger),
            "runs/select_recent_runs": runs or [],
            "reports/select_backlog": [{"due_count": due}],
            "runs/select_watermark": [{"watermark": watermark, "covered_since": None}],
        }
    )
    names = [{"workspace_id": "1", "workspace_name": "sales"}]
    return make_status(fake.as_tables(), SETTINGS, names, NOON)


def test_tables_that_are_not_there_are_named_with_the_way_to_create_them() -> None:
    with pytest.raises(ConfigError, match=r"message_ledger.*genie-obs init"):
        make_status(FakeTables({}, has_tables=False).as_tables(), SETTINGS, [], NOON)


def test_empty_ledger_has_no_coverage() -> None:
    report = status()

    assert (report.workspaces, report.watermark, set(report.states.values())) == ((), None, {0})


def test_workspaces_are_counted_on_their_own_and_together() -> None:
    report = status(
        counted("fetched", 8, 8, listed_only=1), counted("pending", 2), counted("fetched", 1, 1, workspace_id="2")
    )

    assert [(w.workspace_id, w.workspace_name, w.witnessed_count, w.coverage) for w in report.workspaces] == [
        ("1", "sales", 10, 0.8),
        ("2", None, 1, 1.0),
    ]
    assert (report.states["fetched"], report.states["pending"], report.states["retry"]) == (9, 2, 0)
    assert report.listed_only_count == 1


def test_messages_that_do_not_exist_do_not_lower_the_coverage() -> None:
    [workspace] = status(counted("fetched", 5, 5), counted("not_found", 3), counted("deleted", 2)).workspaces

    assert workspace.coverage == 1.0


def test_messages_of_spaces_that_went_do_not_lower_the_coverage_and_a_workspace_that_left_is_named() -> None:
    report = status(
        counted("fetched", 5, 5), counted("forbidden", 5, went=4), counted("fetched", 1, 1, workspace_id="2")
    )

    assert (report.workspaces[0].reachable_count, report.left_workspaces) == (6, ("2",))


def test_erased_rows_do_not_lower_the_coverage_and_erased_texts_are_stored() -> None:
    [workspace] = status(counted("fetched", 5, 5), counted("erased", 3, 1)).workspaces

    assert (workspace.stored_count, workspace.reachable_count, workspace.coverage) == (6, 6, 1.0)


def test_coverage_of_nothing_but_missing_messages_is_unknown() -> None:
    [workspace] = status(counted("not_found", 3)).workspaces

    assert workspace.coverage is None


def test_deleted_messages_that_are_stored_do_not_hide_missing_ones() -> None:
    [workspace] = status(counted("fetched", 3, 3), counted("deleted", 4, 4), counted("forbidden", 3)).workspaces

    assert workspace.coverage == pytest.approx(0.7)


def run_row(state: str, age: timedelta, **values: Any) -> dict[str, Any]:
    return {
        "run_id": "r",
        "status": state,
        "started_at": NOON - age,
        "alive_at": None,
        "finished_at": None,
        "drift_kinds": None,
        "sources": None,
        "watermark_after": None,
        "is_deadline_reached": None,
        "due_count": 0,
        "unread_count": 0,
        **values,
    }


@pytest.mark.parametrize(
    ("state", "minutes", "last_sign", "shown"),
    [
        ("running", 29, None, "running"),
        ("running", 31, None, "killed"),
        ("running", 300, 29, "running"),
        ("running", 300, 31, "killed"),
        ("failed", 300, 31, "failed"),
        ("succeeded", 300, 31, "succeeded"),
    ],
)
def test_run_that_never_ended_and_is_silent_was_killed(
    state: str, minutes: int, last_sign: int | None, shown: str
) -> None:
    alive_at = None if last_sign is None else NOON - timedelta(minutes=last_sign)

    [run] = status(runs=[run_row(state, timedelta(minutes=minutes), alive_at=alive_at)]).runs

    assert run["status"] == shown


def test_killed_run_is_explained() -> None:
    [run] = status(runs=[run_row("running", timedelta(hours=5), alive_at=NOON - timedelta(hours=4))]).runs

    assert run["error"].startswith("no sign of life after 2026-11-20 08:00 UTC: the process was killed")


def test_watermark_is_that_of_all_runs_not_only_of_those_shown() -> None:
    report = status(runs=[run_row("failed", timedelta(0), watermark_after=None)], watermark=NOON - timedelta(days=3))

    assert report.watermark == NOON - timedelta(days=3)


def test_status_can_be_printed_as_json() -> None:
    report = status(
        counted("fetched", 8, 8), runs=[run_row("succeeded", timedelta(0), watermark_after=NOON)], watermark=NOON
    )

    read = json.loads(json.dumps(report.to_dict()))

    assert (read["witnessed_count"], read["audit_watermark"]) == (8, NOON.isoformat())
    assert read["workspaces"][0]["coverage"] == 1.0
    assert read["runs"][0]["started_at"] == NOON.isoformat()


def kind(what: str, count: int) -> dict[str, Any]:
    return {"what": what, "count": count}


def test_drift_of_the_last_runs_is_shown_once_a_kind_with_when_it_was_last_seen() -> None:
    newest = run_row("succeeded", timedelta(0), drift_kinds=[kind("status: unknown value PAUSED", 2)])
    both = [kind("status: unknown value PAUSED", 7), kind("summary: unknown field", 1)]
    older = run_row("succeeded", timedelta(hours=1), drift_kinds=both)

    report = status(runs=[newest, older])

    assert report.drift == {
        "status: unknown value PAUSED (2 times)": newest["started_at"],
        "summary: unknown field (1 time)": older["started_at"],
    }
    assert [entry["what"] for entry in report.to_dict()["drift"]] == list(report.drift)


def source(name: str, state: str) -> dict[str, Any]:
    return {"name": name, "state": state, "detail": None if state == "read" else f"{name} is {state}"}


def test_sources_that_the_newest_run_could_not_read_are_shown() -> None:
    running = run_row("failed", timedelta(0), sources=None)  # it failed before it looked
    newest = run_row("succeeded", timedelta(hours=1), sources=[source("a", "read"), source("b", "forbidden")])
    older = run_row("succeeded", timedelta(hours=2), sources=[source("a", "missing"), source("b", "missing")])

    report = status(runs=[running, newest, older])

    assert report.unread_sources == [source("b", "forbidden")]
    assert json.loads(json.dumps(report.to_dict()))["unread_sources"] == report.unread_sources
    assert status().unread_sources == []


def test_run_at_work_is_told_with_what_is_left() -> None:
    sign = NOON - timedelta(minutes=1)

    backlog = status(runs=[run_row("running", timedelta(hours=2), alive_at=sign)], due=7).backlog

    assert (backlog.at_work_since, backlog.last_sign_at) == (NOON - timedelta(hours=2), sign)
    assert (backlog.due_count, backlog.guess) == (7, None)


def test_dead_run_is_not_at_work() -> None:
    assert status(runs=[run_row("running", timedelta(hours=2))], due=7).backlog.at_work_since is None


def test_runs_that_the_backlog_needs_are_guessed_from_those_that_stopped_at_their_deadline() -> None:
    runs = [
        run_row("succeeded", timedelta(hours=hours), is_deadline_reached=stopped, due_count=due, unread_count=left)
        for hours, stopped, due, left in ((1, True, 34_000, 25_000), (2, True, 45_000, 34_000), (3, False, 3, 0))
    ]

    report = status(runs=runs, due=25_000)

    assert report.backlog.guess == Guess(run_count=3, messages_per_run=10_000, from_run_count=2)
    assert report.to_dict()["backlog"]["guess"]["from_run_count"] == 2
    assert status(runs=runs, due=0).backlog.guess is None
