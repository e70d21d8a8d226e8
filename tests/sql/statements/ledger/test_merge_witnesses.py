"""The ledger learns what the audit log shows, and final messages are reopened by later writes.

Discovery asks `select_seen_again` which messages have news and merges those alone, so both must agree about every message.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import product

import pyarrow as pa
import pytest
from tests.sql.statements.lake import DAY, HOUR, IDS, MINUTE, NOON, TODAY, Lake, Row, ledger_row

from genie_obs.lakehouse.schema import table
from genie_obs.ledger.lookup import WITNESS_COLUMNS

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


def seen_again(lake: Lake, *witnesses: Row, **bounds: object) -> dict[str, Row]:
    """Return what the ledger says of witnessed messages that it knows, by message_id."""
    ids = [row["message_id"] for row in witnesses]
    widest = {
        "from_date": date(1970, 1, 1),
        "until_date": date(9999, 1, 1),
        "first_message_id": min(ids),
        "last_message_id": max(ids),
    }
    relation = pa.Table.from_pylist(list(witnesses), table("message_ledger").arrow_schema(*WITNESS_COLUMNS))
    rows = lake.select("ledger/select_seen_again", witnessed_messages=relation, **{**widest, **bounds})
    return {row["message_id"]: row for row in rows}


def after_each(lake: Lake, cases: dict[str, tuple[Row, Row]]) -> dict[str, Row]:
    lake.fill("message_ledger", *({**known, "message_id": name} for name, (known, _) in cases.items()))
    asked = seen_again(lake, *({**seen, "message_id": name} for name, (_, seen) in cases.items()))
    rows = lake.merge_each("message_ledger", lambda *seen: lake.merge_witnesses(*seen, at=LATER), cases)
    for name, (known, _) in cases.items():
        assert asked[name]["is_news"] == (rows[name] != known), name
    return rows


def after(lake: Lake, known: Row, seen: Row) -> Row:
    return after_each(lake, {IDS["message_id"]: (known, seen)})[IDS["message_id"]]


def test_message_seen_for_the_first_time_becomes_pending(lake: Lake) -> None:
    lake.merge_witnesses(witness(), at=LATER)

    assert lake.only("message_ledger") == {
        **witness(),
        "state": "pending",
        "reason_code": None,
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

    assert not any(row["is_news"] for row in seen_again(lake, *(witness(message_id=s) for s in STATES)).values())
    assert lake.version("message_ledger") == version


def test_nothing_new_about_a_message_of_which_little_is_known_writes_nothing(lake: Lake) -> None:
    unknown: Row = {"space_id": None, "conversation_id": None, "last_write_event_time": None, "user_email": None}
    lake.fill("message_ledger", ledger_row(state="pending", **unknown))
    version = lake.version("message_ledger")

    lake.merge_witnesses(witness(**unknown), at=LATER)

    assert seen_again(lake, witness(**unknown))["m1"]["is_news"] is False
    assert lake.version("message_ledger") == version


def test_another_action_joins_the_witnesses_in_order_and_changes_nothing_else(lake: Lake) -> None:
    known = ledger_row(witnesses=["createConversationMessage", "getConversationMessage"])

    row = after(lake, known, witness(witnesses=["cancelMessage", "getConversationMessage"]))

    joined = ["cancelMessage", "createConversationMessage", "getConversationMessage"]
    assert row == {**known, "witnesses": joined, "updated_at": LATER}


@pytest.mark.parametrize("created_date", [TODAY, None], ids=["stored", "not stored"])
def test_write_after_the_last_read_reopens_a_final_message(lake: Lake, created_date: object) -> None:
    known = {
        "reason_code": "absent",
        "state_reason": "why",
        "attempts": 7,
        "next_attempt_at": LATER + DAY,
        "created_date": created_date,
    }
    written_at = NOON + 2 * HOUR
    seen = witness(last_write_event_time=written_at, witnesses=["updateConversationMessageFeedback"])

    rows = after_each(lake, {state: (ledger_row(state=state, **known), seen) for state in FINAL})

    reopened = {
        **ledger_row(**known),
        "state": "settling" if created_date else "pending",
        "reason_code": "changed",
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
    reason = {"reason_code": "running", "state_reason": "stored while ASKING_AI"}
    known = ledger_row(state="settling", **reason, attempts=3, next_attempt_at=LATER + DAY)

    row = after(lake, known, witness(last_write_event_time=NOON + 2 * HOUR))

    assert (row["state"], row["next_attempt_at"], row["attempts"]) == ("settling", None, 3)
    assert {name: row[name] for name in reason} == reason


def test_settling_message_keeps_its_time_when_an_older_write_arrives_late(lake: Lake) -> None:
    known = ledger_row(state="settling", next_attempt_at=LATER + DAY)
    seen = witness(last_write_event_time=NOON - MINUTE, witnesses=["cancelMessage"])

    assert after(lake, known, seen)["next_attempt_at"] == LATER + DAY


def test_message_that_cannot_be_read_now_keeps_its_time(lake: Lake) -> None:
    waiting = {
        "reason_code": "no_permission",
        "state_reason": "why",
        "attempts": 4,
        "next_attempt_at": LATER + DAY,
        "created_date": None,
    }
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


def test_new_messages_enter_the_ledger_and_those_that_are_there_after_all_learn_what_is_new(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row())
    later = witness(last_write_event_time=NOON + DAY)

    met = lake.merge_witnesses(later, {**later, "message_id": "m2"}, expect_new=True)

    known, new = lake.read("message_ledger")
    assert met == 1
    assert (known["state"], known["last_write_event_time"]) == ("settling", NOON + DAY)
    assert (new["message_id"], new["state"]) == ("m2", "pending")


def test_message_that_is_seen_again_comes_with_what_discovery_and_plan_need(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row(), ledger_row(workspace_id="2"), ledger_row(message_id="m2"))

    assert seen_again(lake, witness(last_write_event_time=NOON + HOUR), witness(message_id="m9")) == {
        "m1": {
            "workspace_id": "1",
            "message_id": "m1",
            "witnessed_date": TODAY,
            "state": "fetched",
            "created_date": TODAY,
            "is_news": True,
            "is_due_again": True,
        }
    }


def test_messages_seen_again_are_looked_for_in_a_range_of_days_the_last_one_left_out(lake: Lake) -> None:
    days = {f"m{n}": TODAY - n * DAY for n in range(4)}
    lake.fill("message_ledger", *(ledger_row(message_id=name, witnessed_date=at) for name, at in days.items()))

    found = seen_again(lake, *(witness(message_id=name) for name in days), from_date=TODAY - 2 * DAY, until_date=TODAY)

    assert sorted(found) == ["m1", "m2"]


def learned(known: Row, seen: Row) -> Row:
    """Return what becomes of a ledger row, by the rules in words: the second opinion beside the SQL."""
    if known["state"] == "erased":
        return known
    writes = [row["last_write_event_time"] for row in (known, seen) if row["last_write_event_time"] is not None]
    row = {
        **known,
        **{column: seen[column] if known[column] is None else known[column] for column in FILLED},
        "first_event_time": min(known["first_event_time"], seen["first_event_time"]),
        "last_write_event_time": max(writes, default=None),
        "witnesses": sorted({*known["witnesses"], *seen["witnesses"]}),
    }
    if row["last_write_event_time"] != known["last_write_event_time"]:  # written since
        if known["state"] in FINAL:
            row |= {"state": "settling" if known["created_date"] else "pending", "attempts": 0}
            row |= {"reason_code": "changed", "state_reason": "changed after it was last read"}
        if known["state"] in {*FINAL, "settling"}:
            row["next_attempt_at"] = None
    return row if row == known else {**row, "updated_at": LATER}


def every_case() -> Iterator[tuple[Row, Row]]:
    """Yield a ledger row and what is seen of it: each state with each relation of times, witnesses and missing fields."""
    times = product((None, NOON), (None, NOON - HOUR, NOON, NOON + HOUR), (-HOUR, 0 * HOUR, HOUR))
    witnesses: tuple[list[str], ...] = (
        ["createConversationMessage"],
        ["cancelMessage", "createConversationMessage"],
        [],
    )
    missing = [({}, {}), *(pair for c in FILLED for pair in (({c: None}, {}), ({}, {c: None}), ({c: None}, {c: None})))]
    stored = (TODAY, None)
    for state, (known_write, seen_write, offset), actions, (unknown, unseen), day in product(
        [*STATES, "erased"], list(times), witnesses, missing, stored
    ):
        values = {"state": state, "last_write_event_time": known_write, "created_date": day, **unknown}
        seen = {"last_write_event_time": seen_write, "first_event_time": NOON + offset, "witnesses": actions, **unseen}
        yield ledger_row(next_attempt_at=LATER + DAY, attempts=3, **values), witness(**seen)


def test_what_is_called_news_is_what_the_merge_changes_and_what_is_called_due_again_is_what_it_opens(
    lake: Lake,
) -> None:
    cases = {f"{number:05}": case for number, case in enumerate(every_case())}
    lake.fill("message_ledger", *({**known, "message_id": name} for name, (known, _) in cases.items()))
    witnesses = [{**seen, "message_id": name} for name, (_, seen) in cases.items()]

    asked = seen_again(lake, *witnesses)
    lake.merge_witnesses(*witnesses, at=LATER)

    stored = {row["message_id"]: {**row, "message_id": "m1"} for row in lake.read("message_ledger")}
    assert len(cases) == len(asked) == len(stored) > 10_000
    for name, (known, seen) in cases.items():
        assert stored[name] == learned(known, seen), (known, seen)
        assert asked[name]["is_news"] == (stored[name] != known), (known, seen)
        assert asked[name]["is_due_again"] == (stored[name]["next_attempt_at"] is None), (known, seen)
