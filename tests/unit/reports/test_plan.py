"""`plan`: the calls a run would make, from what the audit log and the ledger say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.fake_tables import NOON, FakeTables, days, witnessed

from genie_obs.config import parse_settings
from genie_obs.reports.plan import PlanReport, make_plan

WORKSPACES = [{"workspace_id": "1", "workspace_name": "sales"}]


def plan(
    *seen: dict[str, Any], known: list[dict[str, Any]] | None = None, runs: list[dict[str, Any]] | None = None,
    has_tables: bool = False, **flags: str,
) -> PlanReport:  # fmt: skip
    fake = FakeTables(
        {
            "datasets/events/select_audit_days": days(len(seen)) if seen else [],
            "datasets/events/select_audit_witnesses": list(seen),
            "ledger/select_seen_again": known or [],
            "runs/select_recent_runs": runs or [],
            "runs/select_watermark": [
                {"watermark": None, "covered_since": None, "events_since": None, "recorded_at": None}
            ],
        },
        has_tables=has_tables,
    )
    return make_plan(fake.as_tables(), parse_settings(flags, {}), WORKSPACES, client_id="x", now=NOON)


def test_nothing_new_plans_no_calls() -> None:
    report = plan()

    assert (report.workspaces, report.message_calls, report.seconds, report.new_message_count) == ((), 0, 0, 0)


def test_first_run_plans_one_listing_for_a_conversation_and_one_call_for_its_space() -> None:
    report = plan(witnessed("m1"), witnessed("m2"))

    [workspace] = report.workspaces
    assert (workspace.workspace_name, workspace.due_count, workspace.conversation_count) == ("sales", 2, 1)
    assert (workspace.message_calls, workspace.single_calls, workspace.space_calls) == (1, 2, 1)
    assert (report.new_message_count, report.audit_event_count) == (2, 2)


@pytest.mark.parametrize("missing", ["space_id", "conversation_id"])
def test_message_whose_place_is_unknown_is_new_but_not_due(missing: str) -> None:
    report = plan({**witnessed("m1"), missing: None})

    assert (report.new_message_count, report.message_calls) == (1, 0)


def test_messages_of_other_spaces_are_left_out() -> None:
    report = plan(witnessed("m1"), {**witnessed("m2"), "space_id": "other"}, space_ids="s")

    assert report.workspaces[0].due_count == 1


@pytest.mark.parametrize(("is_due_again", "calls"), [(True, 1), (False, 0)])
def test_known_message_is_planned_when_an_event_makes_it_due_again(is_due_again: bool, calls: int) -> None:
    known = {
        "workspace_id": "1", "message_id": "m1", "witnessed_date": NOON.date(), "state": "fetched", "created_date": NOON.date(),
        "is_news": True, "is_due_again": is_due_again,
    }  # fmt: skip

    report = plan(witnessed("m1"), known=[known], has_tables=True)

    assert (report.message_calls, report.new_message_count) == (calls, 0)


def run_row(calls: int, seconds: float) -> dict[str, Any]:
    return {"api_call_count": calls, "fetch_seconds": seconds}


@pytest.mark.parametrize(
    ("runs", "rate", "is_measured"),
    [
        ([run_row(100, 10), run_row(300, 10)], 20, True),
        ([run_row(100, 10), run_row(19, 0.001), run_row(50, 0)], 10, True),
    ],
)
def test_rate_is_that_of_earlier_runs_with_enough_calls(
    runs: list[dict[str, Any]], rate: float, is_measured: bool
) -> None:
    report = plan(witnessed("m1"), runs=runs, has_tables=True)

    assert (report.calls_per_second, report.is_rate_measured) == (rate, is_measured)
    assert report.seconds == pytest.approx(2 / rate)


def test_rate_is_never_above_the_ceiling() -> None:
    report = plan(witnessed("m1"), runs=[run_row(1_000, 10)], has_tables=True, max_requests_per_second="7")

    assert report.calls_per_second == 7


def test_without_runs_the_rate_is_assumed() -> None:
    assert not plan(witnessed("m1")).is_rate_measured


def test_plan_can_be_printed_as_json() -> None:
    read = json.loads(json.dumps(plan(witnessed("m1")).to_dict()))

    assert (read["message_calls"], read["workspaces"][0]["due_count"]) == (1, 1)
