"""Which days of the query history a run reads, and for which messages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.unit.fake_tables import DAY, HOUR, NOON

from genie_obs.datasets.statements.reading_plan import (
    LOOK_FOR,
    ReadingPlan,
    days_in_turn,
    days_of,
    days_to_read,
    plan_reading,
)

TODAY = NOON.date()
Row = dict[str, Any]
NEVER_STORED = datetime(9999, 1, 1, tzinfo=UTC)
NEVER: Row = {"last_read_at": None, "first_run_at": None}


def run(started_at: datetime, *, is_history_read: bool = True, **values: Any) -> Row:
    row = {
        "status": "succeeded", "started_at": started_at, "alive_at": started_at, "finished_at": started_at + timedelta(minutes=5),
        "oldest_stored_date": None, "is_history_read": is_history_read,
    }  # fmt: skip
    return {**row, **values}


def plan(*runs: Row, oldest: date | None = None, last: Row | None = None) -> ReadingPlan:
    def find() -> Row:
        assert last is not None, "the history was read lately, so nothing else needs to be asked"
        return last

    return plan_reading(runs, now=NOON, oldest_stored_date=oldest, find_last_reading=find)


def message(created_at: datetime, **values: Any) -> Row:
    return {"created_at": created_at, "updated_timestamp": None, "ingestion_timestamp": created_at, **values}


def test_hourly_run_looks_for_what_changed_within_seven_days_and_for_nothing_else() -> None:
    found = plan(run(NOON - HOUR))

    assert (found.changed_since, found.stored_since) == (NOON - LOOK_FOR, NEVER_STORED)
    assert found.from_date == TODAY - 8 * DAY


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [(date(2026, 9, 1), None, date(2026, 9, 1)), (None, date(2026, 9, 2), date(2026, 9, 2)), (TODAY, TODAY, TODAY - 8 * DAY)],
)  # fmt: skip
def test_older_messages_that_recent_runs_stored_again_are_looked_at(
    theirs: date | None, ours: date | None, expected: date
) -> None:
    assert plan(run(NOON - HOUR, oldest_stored_date=theirs), oldest=ours).from_date == expected


def test_run_that_did_not_end_well_may_have_stored_anything() -> None:
    runs = [run(NOON - 5 * DAY, status="killed"), run(NOON - HOUR)]

    assert plan(*runs).from_date == date(1970, 1, 1)


@pytest.mark.parametrize(
    ("unread", "stored_since"),
    [
        ([run(NOON - 3 * HOUR, is_history_read=False)], NEVER_STORED),  # a later run has looked already
        ([run(NOON - HOUR, is_history_read=False)], NOON - HOUR),
        # It stored more after the run of two hours ago had looked.
        ([run(NOON - 5 * HOUR, is_history_read=False, finished_at=NOON - HOUR)], NOON - 5 * HOUR),
        ([run(NOON - 5 * HOUR, is_history_read=False, finished_at=None, alive_at=NOON - HOUR, status="running")], NOON - 5 * HOUR),
        # At work now: it will look itself.
        ([run(NOON - HOUR, is_history_read=False, finished_at=None, alive_at=NOON, status="running")], NEVER_STORED),
    ],
)  # fmt: skip
def test_what_a_run_stored_without_looking_is_looked_for_once(unread: list[Row], stored_since: datetime) -> None:
    assert plan(run(NOON - 2 * HOUR), *unread).stored_since == stored_since


def test_run_after_an_outage_looks_for_what_reached_its_seven_days_meanwhile() -> None:
    assert plan(run(NOON - 3 * DAY)).changed_since == NOON - 3 * DAY - LOOK_FOR


@pytest.mark.parametrize(
    ("last", "since"),
    [
        ({"last_read_at": NOON - 30 * DAY, "first_run_at": NOON - 90 * DAY}, NOON - 30 * DAY),
        ({"last_read_at": None, "first_run_at": NOON - 90 * DAY}, NOON - 90 * DAY),
        (NEVER, NEVER_STORED),
    ],
)
def test_history_that_was_not_read_for_long_is_made_up_for(last: Row, since: datetime) -> None:
    found = plan(run(NOON - HOUR, is_history_read=False), last=last)

    assert (found.stored_since, found.from_date) == (since, date(1970, 1, 1))
    assert found.changed_since == min(since, NOON) - LOOK_FOR


def test_clock_that_was_ahead_is_no_reading() -> None:
    assert plan(run(NOON + 9 * DAY), last=NEVER).stored_since == NEVER_STORED


@pytest.mark.parametrize("every_hours", [1, 2, 3, 4, 6, 8, 12, 24])
def test_each_run_reads_four_days_and_every_older_day_has_its_turn(every_hours: int) -> None:
    read: dict[date, list[int]] = {}
    for hour in range(0, 24 * 21, every_hours):
        now = NOON + hour * HOUR
        days = days_in_turn(now)
        assert len(days) == 4
        for day in days:
            read.setdefault(day, []).append((now.date() - day).days)

    for day in (TODAY + n * DAY for n in range(1, 10)):
        assert {0, 1} <= set(read[day])
        assert max(read[day]) >= 3  # whatever the hours of the job, also when the statement comes late
        if every_hours == 1:
            assert set(read[day]) == set(range(8))


def test_days_of_a_message_are_those_of_its_question_and_of_its_last_change() -> None:
    early = datetime(2026, 11, 3, 0, 30, tzinfo=UTC)
    changed_ms = int(datetime(2026, 11, 9, 10, tzinfo=UTC).timestamp() * 1_000)

    assert days_of([message(early)]) == {date(2026, 11, 2), date(2026, 11, 3), date(2026, 11, 4)}
    assert days_of([message(early, updated_timestamp=changed_ms)]) - days_of([message(early)]) == {date(2026, 11, 9)}


def test_hourly_run_reads_the_days_in_turn_and_none_before_the_first_question() -> None:
    usual = plan(run(NOON - HOUR))

    assert days_to_read(usual, [message(NOON - 6 * DAY), message(NOON)]) <= days_in_turn(NOON)
    assert len(days_to_read(usual, [message(NOON - LOOK_FOR)])) == 4
    assert days_to_read(usual, [message(NOON)]) == {TODAY}


@pytest.mark.parametrize(
    ("found", "owed"),
    [
        (plan(run(NOON - 2 * HOUR), run(NOON - HOUR, is_history_read=False)), {"ingestion_timestamp": NOON - HOUR}),
        (plan(run(NOON - 30 * DAY)), {"ingestion_timestamp": NOON - 31 * DAY}),
    ],
)
def test_days_of_messages_that_have_no_turn_are_read_at_once(found: ReadingPlan, owed: Row) -> None:
    days = days_to_read(found, [message(NOON - 20 * DAY, **owed), message(NOON)])

    assert {TODAY - 20 * DAY, TODAY - 19 * DAY} <= days
    assert len(days) == 6
