"""The record of one run, as it is printed."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from genie_obs._version import __version__
from genie_obs.runs.dataset import StepResult
from genie_obs.runs.record import RunRecord, StepRecord

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_new_record_says_that_the_run_goes_on() -> None:
    record = RunRecord(run_id="r", started_at=NOON, engine="local")

    assert (record.status, record.finished_at, record.version, record.workspace_errors) == (
        "running",
        None,
        __version__,
        (),
    )


def test_day_of_a_run_is_the_one_in_utc() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=timezone(timedelta(hours=-3)))

    assert RunRecord(run_id="r", started_at=late, engine="local").started_date == date(2026, 11, 21)


def test_json_is_one_line_with_every_column() -> None:
    record = RunRecord(
        run_id="r", started_at=NOON, engine="local", error="a\nb é", window_start=NOON, oldest_stored_date=NOON.date()
    )

    text = record.to_json()

    assert "\n" not in text
    assert "é" in text
    read = json.loads(text)
    assert list(read) == [field.name for field in fields(RunRecord)]
    assert (read["window_start"], read["oldest_stored_date"]) == ("2026-11-20T12:00:00+00:00", "2026-11-20")
    assert (read["finished_at"], read["fetched_count"], read["workspace_ids"]) == (None, 0, None)


def record(**values: Any) -> RunRecord:
    return RunRecord(run_id="r", started_at=NOON, engine="local", **values)


def test_record_after_a_step_has_its_numbers_its_facts_and_its_time_and_the_one_before_is_as_it_was() -> None:
    before = record()
    result = StepResult(
        rows=3,
        calls=9,
        numbers={"fetched_count": 3, "api_call_count": 9},
        facts={"oldest_stored_date": NOON.date()},
        workspace_errors=("1: unreachable",),
    )

    after = before.after("messages", result, seconds=1.5)

    assert before == record()
    assert after == record(
        fetched_count=3,
        api_call_count=9,
        oldest_stored_date=NOON.date(),
        fetch_seconds=1.5,
        workspace_errors=("1: unreachable",),
        steps=(StepRecord(name="messages", seconds=1.5, rows=3, calls=9),),
    )


@pytest.mark.parametrize(
    ("counts", "total"), [((), None), ((None,), None), ((2,), 2), ((2, None), 2), ((None, 3), 3), ((2, 3), 5)]
)
def test_numbers_of_two_steps_are_added_up_and_nothing_known_is_null(
    counts: tuple[int | None, ...], total: int | None
) -> None:
    added = record()
    for number, count in enumerate(counts):
        added = added.after(f"step {number}", StepResult(numbers={"statements_joined_count": count}), seconds=1.0)

    assert added.statements_joined_count == total
    assert [step.name for step in added.steps] == [f"step {number}" for number in range(len(counts))]


def test_errors_of_workspaces_gather() -> None:
    first = record().after("a", StepResult(workspace_errors=("1: no",)), seconds=1.0)

    assert first.after("b", StepResult(workspace_errors=("2: no",)), seconds=1.0).workspace_errors == ("1: no", "2: no")


@pytest.mark.parametrize(
    ("step", "column"),
    [("events", "discover_seconds"), ("messages", "fetch_seconds"), ("statements", "enrich_seconds")],
)
def test_step_that_had_a_column_of_its_own_still_has_it(step: str, column: str) -> None:
    assert getattr(record().after(step, StepResult(), seconds=2.0), column) == 2.0
