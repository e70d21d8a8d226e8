"""select_due and select_conversation_sizes: what is asked for now, and how."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pytest
from tests.sql.statements.lake import DAY, HOUR, MINUTE, NOON, TODAY, Lake, Row, day, ledger_row

from genie_obs.ledger.due import BUSY_CONVERSATIONS
from genie_obs.settings import ids

OPEN = ["pending", "retry", "settling", "forbidden"]
FINAL = ["fetched", "deleted", "not_found", "abandoned"]
TIMES: dict[str, timedelta | None] = {"never set": None, "past": -HOUR, "now": timedelta(0), "later": MINUTE}


def due(lake: Lake, *rows: Row, workspace_ids: str = "", space_ids: str = "") -> list[Row]:
    lake.fill("message_ledger", *rows)
    return lake.select("ledger/select_due", now=NOON, workspace_ids=ids(workspace_ids), space_ids=ids(space_ids))


def message_ids(rows: list[Row]) -> list[str]:
    return [row["message_id"] for row in rows]


def test_due_message_comes_with_all_that_fetching_needs(lake: Lake) -> None:
    rows = due(lake, ledger_row(state="settling", attempts=3))

    assert rows == [
        {
            "workspace_id": "1",
            "message_id": "m1",
            "space_id": "s1",
            "conversation_id": "c1",
            "witnessed_date": TODAY,
            "first_event_time": NOON,
            "last_write_event_time": NOON,
            "user_email": "ana@example.com",
            "state": "settling",
            "attempts": 3,
            "created_date": TODAY,
            "is_deletion_seen": False,
            "is_absence_seen": False,
            "is_refusal_seen": False,
            "conversation_date": TODAY,
        }
    ]


def test_empty_ledger_has_nothing_due(lake: Lake) -> None:
    assert due(lake) == []


def test_open_messages_are_due_when_their_time_has_come_and_final_ones_never(lake: Lake) -> None:
    rows = [
        ledger_row(
            state=state, message_id=f"{state} {name}", next_attempt_at=offset if offset is None else NOON + offset
        )
        for state in (*OPEN, *FINAL)
        for name, offset in TIMES.items()
    ]

    assert set(message_ids(due(lake, *rows))) == {
        f"{state} {name}" for state in OPEN for name in TIMES if name != "later"
    }


@pytest.mark.parametrize("missing", ["space_id", "conversation_id"])
def test_message_whose_place_is_unknown_waits(lake: Lake, missing: str) -> None:
    assert due(lake, ledger_row(state="pending", **{missing: None})) == []


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["1/s1", "1/s2", "12/s1", "2/s12"]),
        ({"workspace_ids": "1"}, ["1/s1", "1/s2"]),
        ({"workspace_ids": "2,12"}, ["12/s1", "2/s12"]),
        ({"space_ids": "s1"}, ["1/s1", "12/s1"]),
        ({"workspace_ids": "1,2", "space_ids": "s2,s12"}, ["1/s2", "2/s12"]),
        ({"workspace_ids": "3"}, []),
    ],
)
def test_filters_match_whole_ids(lake: Lake, filters: dict[str, str], found: list[str]) -> None:
    places = [("1", "s1"), ("1", "s2"), ("12", "s1"), ("2", "s12")]
    rows = [ledger_row(state="pending", workspace_id=w, space_id=s, message_id=f"{w}/{s}") for w, s in places]

    assert sorted(message_ids(due(lake, *rows, **filters))) == found


@pytest.mark.parametrize(
    "action", ["deleteConversationMessage", "genieDeleteConversationMessage", "deleteConversation"]
)
def test_deletion_that_was_witnessed_is_told(lake: Lake, action: str) -> None:
    [row] = due(lake, ledger_row(state="settling", witnesses=["createConversationMessage", action]))

    assert row["is_deletion_seen"] is True


@pytest.mark.parametrize("action", ["deleteConversationMessageComment", "deleteConversationMessag", "api:list"])
def test_deletion_of_something_else_is_none_of_the_message(lake: Lake, action: str) -> None:
    [row] = due(lake, ledger_row(state="settling", witnesses=[action]))

    assert row["is_deletion_seen"] is False


@pytest.mark.parametrize(
    ("values", "is_seen"),
    [
        ({"state": "retry", "reason_code": "absent_once"}, True),
        ({"state": "settling", "reason_code": "absent_once"}, False),
        ({"state": "retry", "reason_code": "request_failed"}, False),
        ({"state": "retry", "reason_code": None}, False),
    ],
)
def test_404_of_an_earlier_run_is_told(lake: Lake, values: Row, is_seen: bool) -> None:
    [row] = due(lake, ledger_row(http_status=404, **values))

    assert row["is_absence_seen"] is is_seen


def test_conversations_stay_together_the_newest_first_in_each_workspace(lake: Lake) -> None:
    def message(workspace: str, conversation: str, name: str, offset: int) -> Row:
        return ledger_row(
            state="pending",
            workspace_id=workspace,
            conversation_id=conversation,
            message_id=name,
            witnessed_date=day(offset),
        )

    rows = due(
        lake,
        message("2", "c1", "m1", 0),
        message("1", "old", "m2", -3),
        message("1", "long", "m4", -9),
        message("1", "b", "m6", -1),
        message("1", "long", "m3", 0),
        message("1", "a", "m7", -1),
        message("1", "a", "m5", -2),
    )

    ordered = [(row["workspace_id"], row["conversation_id"], row["message_id"]) for row in rows]
    assert ordered == [
        ("1", "long", "m3"),
        ("1", "long", "m4"),
        ("1", "a", "m5"),
        ("1", "a", "m7"),
        ("1", "b", "m6"),
        ("1", "old", "m2"),
        ("2", "c1", "m1"),
    ]
    assert [row["conversation_date"] for row in rows] == [day(n) for n in (0, 0, -1, -1, -1, -3, 0)]


def sizes(
    lake: Lake, *conversations: tuple[str, str], from_date: date = TODAY, due_count: int = 0
) -> dict[tuple[str, str], tuple[int, set[str]]]:
    rows = [
        {"workspace_id": workspace, "conversation_id": conversation, "due_count": due_count}
        for workspace, conversation in conversations
    ]
    busy = pa.Table.from_pylist(rows, BUSY_CONVERSATIONS)
    found = lake.select("ledger/select_conversation_sizes", busy_conversations=busy, from_date=from_date)
    return {(r["workspace_id"], r["conversation_id"]): (r["message_count"], set(r["final_message_ids"])) for r in found}


def test_size_counts_every_message_and_names_the_final_ones(lake: Lake) -> None:
    lake.fill("message_ledger", *(ledger_row(state=state, message_id=state) for state in (*OPEN, *FINAL)))

    assert sizes(lake, ("1", "c1")) == {("1", "c1"): (8, set(FINAL))}


def test_sizes_are_told_only_for_the_conversations_asked_for(lake: Lake) -> None:
    rows = [
        ledger_row(
            state="pending",
            message_id=f"{workspace}{conversation}",
            workspace_id=workspace,
            conversation_id=conversation,
        )
        for workspace in ("1", "2")
        for conversation in ("c1", "c2", None)
    ]
    lake.fill("message_ledger", *rows)

    assert sizes(lake, ("1", "c1"), ("2", "c2"), ("3", "c3")) == {("1", "c1"): (1, set()), ("2", "c2"): (1, set())}


@pytest.mark.parametrize(("due_count", "is_told"), [(1, True), (2, True), (3, False), (4, False)])
def test_size_is_told_only_where_more_is_known_than_is_due(lake: Lake, due_count: int, *, is_told: bool) -> None:
    lake.fill("message_ledger", *(ledger_row(state="pending", message_id=name) for name in "abc"))

    assert sizes(lake, ("1", "c1"), due_count=due_count) == ({("1", "c1"): (3, set())} if is_told else {})


def test_sizes_look_back_only_as_far_as_asked(lake: Lake) -> None:
    rows = [ledger_row(message_id=f"m{n}", witnessed_date=TODAY + n * DAY) for n in (-2, -1, 0)]
    lake.fill("message_ledger", *rows)

    assert sizes(lake, ("1", "c1"), from_date=day(-1)) == {("1", "c1"): (2, {"m-1", "m0"})}
