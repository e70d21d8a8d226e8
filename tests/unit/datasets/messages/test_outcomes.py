"""What comes of one request: the row to store and the new state of the ledger."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from tests.unit.due_messages import due, workspace
from tests.unit.fake_tables import NOON

from genie_obs.datasets.messages.outcomes import (
    absent,
    count_states,
    failed,
    find_stored,
    forbidden,
    gone,
    listed_only,
    stored,
)
from genie_obs.datasets.messages.parsing.message_rows import parse_message
from genie_obs.lakehouse.schema import table
from genie_obs.ledger.reasons import Reason
from genie_obs.ledger.rows import DueMessage
from genie_obs.ledger.states import STATES

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MILLISECONDS = int(NOON.timestamp()) * 1_000 + 123


def message(**raw: Any) -> dict[str, Any]:
    ids = {"message_id": "m1", "space_id": "s1", "conversation_id": "c1"}
    parsed = parse_message(
        {**ids, "content": "How many?", "status": "COMPLETED", "created_timestamp": MILLISECONDS, **raw}
    )
    return {**parsed, "user_email": "ana@example.com"}


def store(
    due_message: DueMessage, raw: dict[str, Any], *, at: Any = NOON + HOUR, **settings: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    outcome = stored(workspace(**settings), due_message, raw, space_name="Orders", fetched_at=at)
    assert outcome.details is not None
    return outcome.ledger, outcome.details


def test_states_are_the_nine_documented_ones() -> None:
    assert len(set(STATES)) == 9


def test_answer_is_the_first_where_the_ledger_knows_of_no_row() -> None:
    first = stored(workspace(), due(), message(), space_name=None, fetched_at=NOON)
    again = stored(workspace(), due(created_date=NOON.date()), message(), space_name=None, fetched_at=NOON)

    assert (first.is_first, again.is_first) == (True, False)


def test_final_answer_is_stored_and_the_message_is_fetched() -> None:
    ledger, details = store(due(), message())

    assert (ledger["state"], ledger["state_reason"], ledger["http_status"], ledger["next_attempt_at"]) == (
        "fetched",
        None,
        200,
        None,
    )
    assert (ledger["attempts"], ledger["last_attempt_at"], ledger["created_date"]) == (1, NOON + HOUR, NOON.date())
    assert ledger["last_write_event_time"] == NOON
    assert (details["workspace_name"], details["space_name"], details["ingestion_batch_id"]) == (
        "sales",
        "Orders",
        "run1",
    )
    assert (details["is_terminal"], details["is_deleted"]) == (True, False)
    assert details["created_at"] == NOON + timedelta(milliseconds=123)


def test_details_have_only_columns_of_the_table() -> None:
    _, details = store(due(), message())

    assert set(details) - {"is_terminal"} <= set(table("message_details").arrow_schema().names)


def test_ids_of_the_ledger_are_the_identity() -> None:
    _, details = store(due(), message(message_id="M1", space_id="S1", conversation_id="C1"))

    assert (details["message_id"], details["space_id"], details["conversation_id"]) == ("m1", "s1", "c1")


def test_message_without_a_time_takes_that_of_its_first_event() -> None:
    witnessed = NOON.date() - DAY

    ledger, details = store(due(witnessed_date=witnessed), message(created_timestamp=None))

    assert (details["created_at"], details["created_timestamp"]) == (NOON, int(NOON.timestamp()) * 1_000)
    assert details["created_date"] == ledger["created_date"] == witnessed


def test_day_a_message_is_stored_under_never_changes() -> None:
    first = date(2026, 1, 1)

    ledger, details = store(due(created_date=first), message())

    assert details["created_date"] == ledger["created_date"] == first


@pytest.mark.parametrize(
    ("age", "wait"),
    [
        (timedelta(0), 2 * MINUTE),
        (-MINUTE, 2 * MINUTE),
        (MINUTE, 2 * MINUTE),
        (10 * MINUTE, 5 * MINUTE),
        (4 * HOUR, 2 * HOUR),
        (2 * DAY, DAY),
        (6 * DAY, DAY),
    ],
)
def test_message_that_is_not_final_is_asked_again_after_half_the_time_since_its_last_change(
    age: timedelta, wait: timedelta
) -> None:
    at = NOON + age

    ledger, details = store(due(), message(status="ASKING_AI", created_timestamp=int(NOON.timestamp()) * 1_000), at=at)

    assert (ledger["state"], ledger["state_reason"], ledger["next_attempt_at"]) == (
        "settling",
        "stored while ASKING_AI",
        at + wait,
    )
    assert details["is_terminal"] is False


@pytest.mark.parametrize(
    ("written", "updated"),
    [(timedelta(0), None), (None, timedelta(0)), (-20 * DAY, timedelta(0)), (timedelta(0), -20 * DAY), (timedelta(0), 3_000 * DAY)],
    ids=["audit log", "answer", "answer, later", "audit log, later", "a time that cannot be"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("age", "wait"), [(timedelta(0), 2 * MINUTE), (10 * MINUTE, 5 * MINUTE), (4 * HOUR, 2 * HOUR), (6 * DAY, DAY)]
)
def test_old_message_that_changed_is_followed_as_closely_as_a_new_one(
    age: timedelta, wait: timedelta, written: timedelta | None, updated: timedelta | None
) -> None:
    changed = NOON + 15 * DAY
    regenerated = message(
        status="EXECUTING_QUERY",
        last_updated_timestamp=None if updated is None else int((changed + updated).timestamp()) * 1_000,
    )

    ledger, _ = store(
        due(last_write_event_time=None if written is None else changed + written), regenerated, at=changed + age
    )

    assert (ledger["state"], ledger["next_attempt_at"]) == ("settling", changed + age + wait)


def test_message_is_given_up_some_days_after_its_last_change() -> None:
    changed = NOON + 15 * DAY

    ledger, _ = store(
        due(last_write_event_time=changed), message(status="EXECUTING_QUERY"), at=changed + 7 * DAY + MINUTE
    )

    assert (ledger["state"], ledger["next_attempt_at"]) == ("abandoned", None)
    assert ledger["reason_code"] == "never_final"
    assert ledger["state_reason"] == "stored, but still EXECUTING_QUERY 7 days after its last change"


def test_time_that_is_yet_to_come_is_no_change() -> None:
    """Else a message that says 2099 would never be given up."""
    future = int((NOON + 20_000 * DAY).timestamp()) * 1_000

    ledger, _ = store(due(), message(status="ASKING_AI", last_updated_timestamp=future), at=NOON + 8 * DAY)

    assert ledger["state"] == "abandoned"


@pytest.mark.parametrize(("age", "wait"), [(MINUTE, 2 * MINUTE), (4 * HOUR, 2 * HOUR), (30 * DAY, DAY)])
def test_final_message_whose_asker_was_not_told_is_stored_and_asked_for_again(age: timedelta, wait: timedelta) -> None:
    at = NOON + age

    raw = message(created_timestamp=int(NOON.timestamp()) * 1_000)

    outcome = stored(workspace(), due(), raw, space_name=None, fetched_at=at, is_asker_pending=True)

    kept = ("state", "reason_code", "next_attempt_at", "attempts")
    assert [outcome.ledger[name] for name in kept] == ["settling", "asker_unknown", at + wait, 1]
    assert outcome.details is not None
    assert outcome.details["is_terminal"]


@pytest.mark.parametrize(
    ("age", "attempts", "state"),
    [(6 * DAY, 50, "settling"), (8 * DAY, 6, "settling"), (8 * DAY, 7, "fetched"), (100 * DAY, 0, "settling")],
)
def test_asker_is_looked_for_some_days_and_some_times(age: timedelta, attempts: int, state: str) -> None:
    waiting = due(state="settling", attempts=attempts)

    outcome = stored(workspace(), waiting, message(), space_name=None, fetched_at=NOON + age, is_asker_pending=True)

    assert (outcome.ledger["state"], outcome.ledger["attempts"]) == (state, attempts + 1)
    assert (outcome.ledger["next_attempt_at"] is None) == (state == "fetched")


def test_attempts_that_failed_before_take_none_from_looking_for_the_asker() -> None:
    outcome = stored(
        workspace(), due(state="retry", attempts=15), message(), space_name=None, fetched_at=NOON + 30 * DAY,
        is_asker_pending=True,
    )  # fmt: skip

    assert (outcome.ledger["state"], outcome.ledger["attempts"]) == ("settling", 1)


def test_unfinished_message_is_followed_for_its_answer_first() -> None:
    raw = message(status="ASKING_AI")

    outcome = stored(workspace(), due(), raw, space_name=None, fetched_at=NOON + MINUTE, is_asker_pending=True)

    assert (outcome.ledger["state"], outcome.ledger["reason_code"]) == ("settling", "running")


def test_message_that_never_becomes_final_is_abandoned_but_stored() -> None:
    ledger, details = store(due(), message(status="ASKING_AI"), at=NOON + 3 * DAY, settle_days=2)

    assert (ledger["state"], ledger["next_attempt_at"]) == ("abandoned", None)
    assert "2 days" in ledger["state_reason"]
    assert details["content"] == "How many?"


def test_deletion_of_a_stored_message_marks_it() -> None:
    outcome = gone(workspace(), due(created_date=NOON.date()), at=NOON)

    assert (outcome.ledger["state"], outcome.ledger["http_status"]) == ("deleted", 404)
    assert outcome.details is not None
    assert (outcome.details["is_deleted"], outcome.details["created_date"]) == (True, NOON.date())


def test_deletion_that_was_witnessed_is_one_also_if_nothing_was_stored() -> None:
    outcome = gone(workspace(), due(is_deletion_seen=True), at=NOON)
    find_stored(outcome, None)

    assert (outcome.ledger["state"], outcome.ledger["state_reason"], outcome.details) == (
        "deleted",
        "deleted in Genie",
        None,
    )


def test_first_404_that_nothing_else_tells_of_is_asked_again() -> None:
    outcome = absent(workspace(), due(created_date=NOON.date()), at=NOON)

    kept = ("state", "reason_code", "http_status", "next_attempt_at")
    assert [outcome.ledger[name] for name in kept] == ["retry", "absent_once", 404, NOON + 5 * MINUTE]
    assert outcome.details is None


@pytest.mark.parametrize("proof", ["is_deletion_seen", "is_absence_seen"])
def test_404_counts_with_a_deletion_in_the_audit_log_or_with_another_404(proof: str) -> None:
    outcome = absent(workspace(), due(state="retry", created_date=NOON.date(), **{proof: True}), at=NOON)

    reason = "deleted" if proof == "is_deletion_seen" else "absent"
    assert (outcome.ledger["state"], outcome.ledger["reason_code"]) == ("deleted", reason)
    assert outcome.details is not None
    assert outcome.details["is_deleted"]


def test_message_nobody_ever_saw_is_not_found() -> None:
    outcome = gone(workspace(), due(), at=NOON)
    find_stored(outcome, None)

    assert (outcome.ledger["state"], outcome.details) == ("not_found", None)


def test_message_that_is_gone_and_was_stored_without_the_ledger_being_told_is_deleted() -> None:
    outcome = gone(workspace(), due(), at=NOON)
    find_stored(outcome, NOON.date())

    assert (outcome.ledger["state"], outcome.ledger["created_date"]) == ("deleted", NOON.date())
    assert outcome.details is not None
    assert (outcome.details["is_deleted"], outcome.details["created_date"]) == (True, NOON.date())


def test_forbidden_message_waits_with_the_reason() -> None:
    outcome = forbidden(
        workspace(), due(), code=Reason.NO_PERMISSION, reason="grant it", http_status=403, at=NOON, retry_at=NOON + DAY
    )

    kept = ("state", "reason_code", "state_reason", "http_status", "next_attempt_at")
    assert [outcome.ledger[name] for name in kept] == ["forbidden", "no_permission", "grant it", 403, NOON + DAY]
    assert outcome.details is None


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [(0, 5 * MINUTE), (1, 10 * MINUTE), (2, 20 * MINUTE), (8, 1_280 * MINUTE), (9, DAY), (500, DAY)],
)
def test_failure_is_tried_again_later_and_later(attempts: int, wait: timedelta) -> None:
    outcome = failed(
        workspace(max_attempts=1_000), due(state="retry", attempts=attempts), reason="503", http_status=503, at=NOON
    )

    assert (outcome.ledger["state"], outcome.ledger["attempts"]) == ("retry", attempts + 1)
    assert (outcome.ledger["reason_code"], outcome.ledger["next_attempt_at"]) == ("request_failed", NOON + wait)


def test_failure_is_given_up_when_the_attempts_are_used_up() -> None:
    outcome = failed(workspace(max_attempts=3), due(state="retry", attempts=2), reason="503", http_status=503, at=NOON)

    assert (outcome.ledger["state"], outcome.ledger["next_attempt_at"]) == ("abandoned", None)
    assert outcome.ledger["reason_code"] == "attempts_used_up"
    assert outcome.ledger["state_reason"] == "given up after 3 attempts: 503"


@pytest.mark.parametrize("state", ["settling", "forbidden"])
def test_polling_uses_no_attempts_up(state: str) -> None:
    outcome = failed(workspace(max_attempts=3), due(state=state, attempts=99), reason="503", http_status=503, at=NOON)

    assert (outcome.ledger["state"], outcome.ledger["attempts"]) == ("retry", 1)


def test_failure_without_an_answer_has_no_status() -> None:
    assert failed(workspace(), due(), reason="timed out", http_status=None, at=NOON).ledger["http_status"] is None


@pytest.mark.parametrize(("timestamp", "day"), [(MILLISECONDS, NOON.date()), (None, NOON.date() + DAY)])
def test_listed_message_is_stored_under_its_own_day_or_that_of_the_listing(timestamp: int | None, day: date) -> None:
    outcome = listed_only(workspace(), message(created_timestamp=timestamp), space_name=None, fetched_at=NOON + DAY)

    assert outcome.is_listed_only
    assert outcome.details is not None
    assert (outcome.ledger["witnessed_date"], outcome.details["created_date"]) == (day, day)
    assert (outcome.ledger["witnesses"], outcome.ledger["attempts"]) == (["api:list"], 1)


def test_every_outcome_fills_the_ledger_in_full() -> None:
    outcomes = [
        stored(workspace(), due(), message(), space_name=None, fetched_at=NOON),
        gone(workspace(), due(), at=NOON),
        forbidden(workspace(), due(), code=Reason.NO_PERMISSION, reason="r", http_status=403, at=NOON, retry_at=NOON),
        failed(workspace(), due(), reason="r", http_status=None, at=NOON),
        listed_only(workspace(), message(), space_name=None, fetched_at=NOON),
    ]

    columns = set(table("message_ledger").arrow_schema().names) - {"user_email"}
    assert all(set(outcome.ledger) == columns for outcome in outcomes)
    assert count_states(outcomes) == {"fetched": 2, "not_found": 1, "forbidden": 1, "retry": 1}


def test_payload_is_every_text_of_the_message_in_bytes() -> None:
    more = {"answer_text": "売上は?", "suggested_questions": ["a", "bc"], "query_row_count": 7}

    few, many = (
        stored(workspace(), due(), message() | texts, space_name=None, fetched_at=NOON).payload_bytes
        for texts in ({}, more)
    )

    assert many - few == len("売上は?".encode()) + len("abc")
