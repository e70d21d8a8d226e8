"""merge_outcomes: the ledger says what came of each request; of two runs at once, the later request wins."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.sql.statements.lake import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    TODAY,
    Lake,
    Row,
    details_row,
    fetched_message,
    ledger_row,
)
from tests.sql.statements.merging import ASKED_AT, outcome, pending

from genie_obs.datasets.messages.merger import store_answers
from genie_obs.datasets.messages.outcomes import Outcome


def after(lake: Lake, known: Row, result: Row) -> Row:
    lake.fill("message_ledger", known)
    lake.merge_outcomes(result)
    return lake.only("message_ledger")


def test_outcome_replaces_the_state_and_nothing_that_discovery_knows(lake: Lake) -> None:
    result = outcome(
        state="retry", reason_code="request_failed", state_reason="503", http_status=503, next_attempt_at=NOON + DAY,
        created_date=None, first_event_time=NOON + HOUR, space_id="s9", conversation_id="c9",
    )  # fmt: skip

    assert after(lake, pending(), result) == {
        **pending(),
        "state": "retry",
        "reason_code": "request_failed",
        "state_reason": "503",
        "http_status": 503,
        "attempts": 2,
        "next_attempt_at": NOON + DAY,
        "last_attempt_at": ASKED_AT,
        "updated_at": ASKED_AT,
    }


def test_reason_and_time_of_an_earlier_failure_are_cleared(lake: Lake) -> None:
    why = {"reason_code": "request_failed", "state_reason": "503", "http_status": 503}

    row = after(lake, ledger_row(state="retry", **why, next_attempt_at=NOON), outcome())

    cleared = ("state", "reason_code", "state_reason", "http_status", "next_attempt_at")
    assert [row[name] for name in cleared] == ["fetched", None, None, 200, None]


@pytest.mark.parametrize(
    ("earlier_by", "is_taken"), [(-HOUR, True), (timedelta(0), True), (timedelta(microseconds=1), False), (HOUR, False)]
)
def test_outcome_of_an_older_request_is_ignored(lake: Lake, earlier_by: timedelta, is_taken: bool) -> None:
    known = ledger_row(state="forbidden", last_attempt_at=ASKED_AT + earlier_by)

    row = after(lake, known, outcome())

    assert row["state"] == ("fetched" if is_taken else "forbidden")
    assert (row == known) != is_taken


def test_ignored_outcome_writes_nothing(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row(last_attempt_at=ASKED_AT + HOUR))
    version = lake.version("message_ledger")

    lake.merge_outcomes(outcome())

    assert lake.version("message_ledger") == version


def test_answer_for_a_row_that_is_gone_does_not_enter_the_ledger(lake: Lake) -> None:
    """Only a message found in a listing comes with a witness; every other outcome is of a row that was there."""
    lake.merge_outcomes(outcome(witnesses=None))

    assert lake.read("message_ledger") == []


def test_message_found_only_in_a_listing_enters_the_ledger(lake: Lake) -> None:
    found = outcome(last_write_event_time=None)

    lake.merge_outcomes(found)

    assert lake.only("message_ledger") == {**found, "user_email": None}


@pytest.mark.parametrize(
    ("known", "new", "kept"),
    [(TODAY - DAY, TODAY, TODAY - DAY), (TODAY, None, TODAY), (None, TODAY, TODAY), (None, None, None)],
)
def test_day_a_message_is_stored_under_is_kept(lake: Lake, known: object, new: object, kept: object) -> None:
    row = after(lake, ledger_row(created_date=known), outcome(created_date=new))

    assert row["created_date"] == kept


def test_message_moves_between_states_without_a_second_row(lake: Lake) -> None:
    lake.fill("message_ledger", pending(), pending(workspace_id="2"))

    for hours, state in enumerate(("retry", "forbidden", "settling", "fetched", "deleted")):
        lake.merge_outcomes(outcome(state=state, last_attempt_at=ASKED_AT + hours * HOUR))

    states = {row["workspace_id"]: row["state"] for row in lake.read("message_ledger")}
    assert states == {"1": "deleted", "2": "pending"}


@pytest.mark.parametrize(("known", "new"), [(NOON, NOON + MINUTE), (None, NOON)], ids=["later", "first"])
def test_message_with_a_write_that_was_not_known_when_it_was_asked_for_is_not_final(
    lake: Lake, known: datetime | None, new: datetime
) -> None:
    cases = {
        state: (pending(last_write_event_time=new), outcome(state=state, last_write_event_time=known))
        for state in ("fetched", "deleted", "abandoned", "retry")
    }
    gone = outcome(state="not_found", created_date=None, last_write_event_time=known)

    rows = lake.merge_each(
        "message_ledger", lake.merge_outcomes, {**cases, "not_found": (pending(last_write_event_time=new), gone)}
    )

    assert {state: row["state"] for state, row in rows.items()} == {
        "fetched": "settling", "deleted": "settling", "abandoned": "settling", "retry": "retry", "not_found": "pending",
    }  # fmt: skip
    assert {row["last_write_event_time"] for row in rows.values()} == {new}
    assert {row["attempts"] for state, row in rows.items() if state != "retry"} == {0}
    assert {row["reason_code"] for state, row in rows.items() if state != "retry"} == {"changed"}


def test_outcome_is_taken_when_the_known_attempt_is_yet_to_come(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row(state="forbidden", last_attempt_at=ASKED_AT + HOUR))

    lake.merge_outcomes(outcome(), at=ASKED_AT + MINUTE)

    assert (lake.only("message_ledger")["state"], lake.only("message_ledger")["last_attempt_at"]) == (
        "fetched",
        ASKED_AT,
    )


def test_row_that_is_there_although_the_ledger_knew_of_none_takes_the_newer_answer(lake: Lake) -> None:
    lake.fill("message_details", details_row(content="stored by a run that died before it told the ledger"))
    answer = Outcome(ledger=outcome(), details=fetched_message(content="the newer answer"), is_first=True)

    assert store_answers(lake.tables, [answer], latest_credible_at=NOON + DAY)
    assert lake.only("message_details")["content"] == "the newer answer"
