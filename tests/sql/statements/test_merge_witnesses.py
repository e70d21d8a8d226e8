"""merge_witnesses: the ledger learns what the audit log shows, and final messages are reopened by later writes."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.sql.statements.lake import DAY, HOUR, IDS, MINUTE, NOON, TODAY, Lake, Row, ledger_row

from genie_obs.datasets.events.audit_log import tells_more

FINAL = ["fetched", "deleted", "not_found", "abandoned"]
STATES = [*FINAL, "pending", "retry", "settling", "forbidden"]
FILLED = ["space_id", "conversation_id", "user_email"]  # by the first event that names them
LATER = NOON + 3 * HOUR


def witness(**values: object) -> Row:
    """Return what discovery found about the message of `ledger_row`: nothing that the ledger does not know."""
    return {
        "workspace_id": "1",
        **IDS,
        "witnessed_date": TODAY,
        "first_event_time": NOON,
        "last_write_event_time": NOON,
        "witnesses": ["createConversationMessage"],
        "user_email": "ana@example.com",
        **values,
    }


def after_each(lake: Lake, cases: dict[str, tuple[Row, Row]]) -> dict[str, Row]:
    rows = lake.merge_each("message_ledger", lambda *seen: lake.merge_witnesses(*seen, at=LATER), cases)
    for name, (known, seen) in cases.items():
        # Discovery asks before whether a MERGE would change anything, and leaves it out if not.
        assert tells_more(seen, known) == (rows[name] != known), name
    return rows


def after(lake: Lake, known: Row, seen: Row) -> Row:
    return after_each(lake, {IDS["message_id"]: (known, seen)})[IDS["message_id"]]


def test_message_seen_for_the_first_time_becomes_pending(lake: Lake) -> None:
    lake.merge_witnesses(witness(), at=LATER)

    assert lake.only("message_ledger") == {
        **witness(),
        "state": "pending",
        "state_reason": None,
        "http_status": None,
        "attempts": 0,
        "next_attempt_at": None,
        "last_attempt_at": None,
        "created_date": None,
        "updated_at": LATER,
    }


def test_message_seen_only_by_a_reader_is_pending_with_what_is_known(lake: Lake) -> None:
    lake.merge_witnesses(witness(space_id=None, conversation_id=None, last_write_event_time=None, user_email=None))

    row = lake.only("message_ledger")
    assert (row["state"], row["space_id"], row["conversation_id"], row["last_write_event_time"]) == (
        "pending",
        None,
        None,
        None,
    )


def test_nothing_new_writes_nothing(lake: Lake) -> None:
    lake.fill("message_ledger", *(ledger_row(state=state, message_id=state) for state in STATES))
    version = lake.version("message_ledger")

    lake.merge_witnesses(*(witness(message_id=state) for state in STATES), at=LATER)

    assert not any(tells_more(witness(), ledger_row(state=state)) for state in STATES)
    assert lake.version("message_ledger") == version


def test_nothing_new_about_a_message_of_which_little_is_known_writes_nothing(lake: Lake) -> None:
    unknown: Row = {"space_id": None, "conversation_id": None, "last_write_event_time": None, "user_email": None}
    lake.fill("message_ledger", ledger_row(state="pending", **unknown))
    version = lake.version("message_ledger")

    lake.merge_witnesses(witness(**unknown), at=LATER)

    assert not tells_more(witness(**unknown), ledger_row(**unknown))
    assert lake.version("message_ledger") == version


def test_another_action_joins_the_witnesses_in_order_and_changes_nothing_else(lake: Lake) -> None:
    known = ledger_row(witnesses=["createConversationMessage", "getConversationMessage"])

    row = after(lake, known, witness(witnesses=["cancelMessage", "getConversationMessage"]))

    joined = ["cancelMessage", "createConversationMessage", "getConversationMessage"]
    assert row == {**known, "witnesses": joined, "updated_at": LATER}


@pytest.mark.parametrize("created_date", [TODAY, None], ids=["stored", "not stored"])
def test_write_after_the_last_read_reopens_a_final_message(lake: Lake, created_date: object) -> None:
    known = {"state_reason": "why", "attempts": 7, "next_attempt_at": LATER + DAY, "created_date": created_date}
    written_at = NOON + 2 * HOUR
    seen = witness(last_write_event_time=written_at, witnesses=["updateConversationMessageFeedback"])

    rows = after_each(lake, {state: (ledger_row(state=state, **known), seen) for state in FINAL})

    reopened = {
        **ledger_row(**known),
        "state": "settling" if created_date else "pending",
        "state_reason": "changed after it was last read",
        "attempts": 0,
        "next_attempt_at": None,
        "last_write_event_time": written_at,
        "witnesses": ["createConversationMessage", "updateConversationMessageFeedback"],
        "updated_at": LATER,
    }
    assert rows == dict.fromkeys(FINAL, reopened)


@pytest.mark.parametrize("read_at", [NOON + MINUTE, NOON + DAY], ids=["read before", "read by a clock that was ahead"])
def test_later_write_reopens_whatever_the_clock_of_the_job_said(lake: Lake, read_at: datetime) -> None:
    written_at = NOON + 30 * MINUTE
    seen = witness(last_write_event_time=written_at)

    rows = after_each(lake, {state: (ledger_row(state=state, last_attempt_at=read_at), seen) for state in FINAL})

    found = {state: (row["state"], row["last_write_event_time"]) for state, row in rows.items()}
    assert found == dict.fromkeys(FINAL, ("settling", written_at))


def test_older_write_that_arrives_late_does_not_reopen(lake: Lake) -> None:
    written_at = NOON + 3 * HOUR
    seen = witness(last_write_event_time=NOON + 2 * HOUR, witnesses=["cancelMessage"])

    rows = after_each(
        lake, {state: (ledger_row(state=state, last_write_event_time=written_at), seen) for state in FINAL}
    )

    found = {state: (row["state"], row["last_write_event_time"]) for state, row in rows.items()}
    assert found == {state: (state, written_at) for state in FINAL}


def test_first_write_known_reopens_a_message_that_only_readers_had_shown(lake: Lake) -> None:
    known = ledger_row(last_write_event_time=None)

    row = after(lake, known, witness(last_write_event_time=NOON + 2 * HOUR))

    assert (row["state"], row["last_write_event_time"]) == ("settling", NOON + 2 * HOUR)


def test_read_never_reopens(lake: Lake) -> None:
    known = ledger_row()

    row = after(lake, known, witness(last_write_event_time=None, witnesses=["getConversationMessage"]))

    assert (row["state"], row["last_write_event_time"]) == ("fetched", NOON)


def test_settling_message_becomes_due_at_once(lake: Lake) -> None:
    known = ledger_row(state="settling", state_reason="stored while ASKING_AI", attempts=3, next_attempt_at=LATER + DAY)

    row = after(lake, known, witness(last_write_event_time=NOON + 2 * HOUR))

    assert (row["state"], row["next_attempt_at"], row["attempts"]) == ("settling", None, 3)
    assert row["state_reason"] == "stored while ASKING_AI"


def test_settling_message_keeps_its_time_when_an_older_write_arrives_late(lake: Lake) -> None:
    known = ledger_row(state="settling", next_attempt_at=LATER + DAY)
    seen = witness(last_write_event_time=NOON - MINUTE, witnesses=["cancelMessage"])

    assert after(lake, known, seen)["next_attempt_at"] == LATER + DAY


def test_message_that_cannot_be_read_now_keeps_its_time(lake: Lake) -> None:
    waiting = {"state_reason": "why", "attempts": 4, "next_attempt_at": LATER + DAY, "created_date": None}
    known = {state: ledger_row(state=state, **waiting) for state in ("retry", "forbidden")}
    written_at = NOON + 2 * HOUR

    rows = after_each(lake, {state: (row, witness(last_write_event_time=written_at)) for state, row in known.items()})

    expected = {"last_write_event_time": written_at, "updated_at": LATER}
    assert rows == {state: {**row, **expected} for state, row in known.items()}


def test_pending_message_stays_pending(lake: Lake) -> None:
    known = ledger_row(state="pending", attempts=0, last_attempt_at=None, created_date=None)

    row = after(lake, known, witness(last_write_event_time=NOON + 2 * HOUR))

    assert (row["state"], row["state_reason"], row["attempts"]) == ("pending", None, 0)


def test_first_event_time_only_goes_down(lake: Lake) -> None:
    cases = {
        name: (ledger_row(), witness(first_event_time=NOON + offset, witnesses=["cancelMessage"]))
        for name, offset in {"earlier": -HOUR, "later": HOUR}.items()
    }

    rows = after_each(lake, cases)

    assert {name: row["first_event_time"] for name, row in rows.items()} == {"earlier": NOON - HOUR, "later": NOON}
    assert {row["witnessed_date"] for row in rows.values()} == {TODAY}


def test_missing_id_or_asker_is_filled(lake: Lake) -> None:
    rows = after_each(lake, {column: (ledger_row(**{column: None}), witness()) for column in FILLED})

    assert rows == dict.fromkeys(FILLED, ledger_row(updated_at=LATER))


def test_known_id_or_asker_is_kept(lake: Lake) -> None:
    cases = {
        f"{column} {value}": (ledger_row(), witness(**{column: value}, witnesses=["cancelMessage"]))
        for column in FILLED
        for value in ("another", None)
    }

    rows = after_each(lake, cases)

    expected = ledger_row(witnesses=["cancelMessage", "createConversationMessage"], updated_at=LATER)
    assert rows == dict.fromkeys(cases, expected)


def test_message_that_was_erased_learns_nothing(lake: Lake) -> None:
    known = ledger_row(state="erased", witnesses=[], user_email=None, last_write_event_time=None)

    assert after(lake, known, witness()) == known


def test_each_message_is_found_by_workspace_message_and_day(lake: Lake) -> None:
    other_day = TODAY - DAY
    lake.fill("message_ledger", ledger_row(), ledger_row(message_id="m2", witnessed_date=other_day, witnesses=[]))

    lake.merge_witnesses(
        witness(witnesses=["cancelMessage"]),
        witness(message_id="m2", witnessed_date=other_day),
        witness(workspace_id="2"),
        at=LATER,
    )

    found = {
        (row["workspace_id"], row["message_id"]): (row["state"], row["witnesses"])
        for row in lake.read("message_ledger")
    }
    assert found == {
        ("1", "m1"): ("fetched", ["cancelMessage", "createConversationMessage"]),
        ("1", "m2"): ("fetched", ["createConversationMessage"]),
        ("2", "m1"): ("pending", ["createConversationMessage"]),
    }


def test_only_new_messages_enter_the_ledger_and_the_others_are_left_as_they_are(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row())
    later = witness(last_write_event_time=NOON + DAY)

    written = lake.merge_witnesses(later, {**later, "message_id": "m2"}, only_new=True)

    known, new = lake.read("message_ledger")
    assert written == 1
    assert known == ledger_row()
    assert (new["message_id"], new["state"]) == ("m2", "pending")
