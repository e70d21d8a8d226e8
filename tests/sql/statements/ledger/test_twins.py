"""Two ledger rows for one message, which two runs at once can leave behind, become one."""

from __future__ import annotations

import pytest
from tests.sql.statements.lake import DAY, HOUR, NOON, TODAY, Lake, ledger_row
from tests.sql.statements.merging import outcome, pending

from genie_obs.ledger.twins import join_twins

LATER = NOON + 3 * HOUR
EARLIER_DAY = TODAY - 10 * DAY
RECENTLY = {"updated_at": NOON}


def test_second_row_of_a_message_goes_and_the_first_learns_what_it_knew(lake: Lake) -> None:
    first = pending(
        witnessed_date=EARLIER_DAY, first_event_time=NOON - 10 * DAY, last_write_event_time=NOON - 10 * DAY, user_email=None, **RECENTLY
    )  # fmt: skip
    second = pending(witnesses=["updateConversationMessageFeedback"], **RECENTLY)
    other = pending(message_id="m2", **RECENTLY)
    lake.fill("message_ledger", second, first, other)

    assert join_twins(lake.tables, since=NOON, now=LATER) == 1

    kept = {
        **first,
        "last_write_event_time": NOON,
        "witnesses": ["createConversationMessage", "updateConversationMessageFeedback"],
        "user_email": "ana@example.com",
        "updated_at": LATER,
    }
    assert lake.read("message_ledger") == [kept, other]


def test_message_that_has_been_read_is_asked_for_again_if_its_second_row_knew_of_a_later_write(lake: Lake) -> None:
    lake.fill(
        "message_ledger",
        ledger_row(witnessed_date=EARLIER_DAY, last_write_event_time=NOON - DAY, created_date=EARLIER_DAY),
        pending(updated_at=NOON + HOUR),
    )

    join_twins(lake.tables, since=NOON, now=LATER)

    row = lake.only("message_ledger")
    assert (row["state"], row["reason_code"], row["witnessed_date"]) == ("settling", "changed", EARLIER_DAY)


def test_three_rows_of_a_message_become_one(lake: Lake) -> None:
    rows = [pending(witnessed_date=TODAY - n * DAY, witnesses=[f"action {n}"], **RECENTLY) for n in range(3)]
    lake.fill("message_ledger", *rows)

    assert join_twins(lake.tables, since=NOON, now=LATER) == 2

    row = lake.only("message_ledger")
    assert (row["witnessed_date"], row["witnesses"]) == (TODAY - 2 * DAY, ["action 0", "action 1", "action 2"])


@pytest.mark.parametrize(
    "second",
    [
        pending(workspace_id="2", witnessed_date=EARLIER_DAY, **RECENTLY),
        pending(message_id="m2", witnessed_date=EARLIER_DAY, **RECENTLY),
        pending(witnessed_date=EARLIER_DAY, updated_at=NOON - HOUR),
    ],
    ids=["another workspace", "another message", "not changed since"],
)
def test_nothing_is_written_where_no_message_has_two_rows(lake: Lake, second: dict[str, object]) -> None:
    lake.fill("message_ledger", pending(**RECENTLY), second)
    version = lake.version("message_ledger")

    assert join_twins(lake.tables, since=NOON, now=LATER) == 0
    assert lake.version("message_ledger") == version


def test_answer_that_was_on_its_way_for_the_second_row_makes_no_third_one(lake: Lake) -> None:
    lake.fill("message_ledger", pending(witnessed_date=EARLIER_DAY, **RECENTLY), pending(**RECENTLY))
    join_twins(lake.tables, since=NOON, now=LATER)

    lake.merge_outcomes(outcome(witnesses=None))

    row = lake.only("message_ledger")
    assert (row["witnessed_date"], row["state"]) == (EARLIER_DAY, "pending")
