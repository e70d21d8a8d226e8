"""merge_reread: messages are due again, and nothing that is known of them is lost."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest
from tests.sql.statements.lake import DAY, HOUR, NOON, TODAY, Lake, Row, ledger_row
from tests.sql.statements.merging import ASKED_AT, outcome, pending

from genie_obs.ledger.reread import mark_for_rereading

MARK = {
    "reason_code": "reread",
    "state_reason": "somebody asked with genie-obs reread that it is read again",
    "attempts": 0,
    "next_attempt_at": None,
    "updated_at": ASKED_AT,
}
TICK = timedelta(microseconds=1)


def mark(lake: Lake, *rows: Row) -> None:
    keys = [{name: row[name] for name in ("workspace_id", "message_id", "witnessed_date")} for row in rows]
    mark_for_rereading(lake.tables, pa.Table.from_pylist(keys), now=ASKED_AT)


def test_stored_messages_settle_and_others_are_pending_with_all_their_attempts(lake: Lake) -> None:
    never = {"created_date": None}
    rows = [
        ledger_row(message_id="fetched"),
        ledger_row(message_id="abandoned", state="abandoned", reason_code="never_final", state_reason="…", attempts=9),
        ledger_row(
            message_id="retry", state="retry", reason_code="request_failed", next_attempt_at=NOON + DAY, **never
        ),
        ledger_row(
            message_id="withheld", state="forbidden", reason_code="withheld", next_attempt_at=NOON + DAY, **never
        ),
        pending(message_id="pending"),
    ]
    lake.fill("message_ledger", *rows)

    mark(lake, *rows)

    expected = [{**row, **MARK, "state": "settling" if row["created_date"] else "pending"} for row in rows]
    assert lake.read("message_ledger") == sorted(expected, key=lambda row: row["message_id"])


def test_erased_messages_and_those_not_named_stay_as_they_are(lake: Lake) -> None:
    erased = ledger_row(message_id="erased", state="erased", reason_code="erased_texts")
    others = [
        ledger_row(message_id="m9"),
        ledger_row(workspace_id="2"),
        ledger_row(witnessed_date=TODAY - DAY, message_id="m8"),
    ]
    lake.fill("message_ledger", erased, *others)

    mark(lake, erased, ledger_row(), ledger_row(message_id="m8"))

    assert lake.read("message_ledger") == sorted(
        [erased, *others], key=lambda row: (row["workspace_id"], row["message_id"])
    )


def test_marked_messages_are_due_at_once(lake: Lake) -> None:
    row = ledger_row(state="retry", next_attempt_at=NOON + 30 * DAY)
    lake.fill("message_ledger", row)

    mark(lake, row)

    [due] = lake.select("ledger/select_due", now=ASKED_AT, workspace_ids=(), space_ids=())
    assert (due["state"], due["attempts"]) == ("settling", 0)


@pytest.mark.parametrize(
    ("asked_after", "is_met"), [(-HOUR, False), (-TICK, False), (timedelta(0), True), (HOUR, True)]
)
def test_only_an_answer_that_was_asked_for_after_the_mark_meets_it(
    lake: Lake, asked_after: timedelta, is_met: bool
) -> None:
    lake.fill("message_ledger", ledger_row())
    mark(lake, ledger_row())

    lake.merge_outcomes(outcome(last_attempt_at=ASKED_AT + asked_after))

    row = lake.only("message_ledger")
    assert (row["state"], row["reason_code"]) == (("fetched", None) if is_met else ("settling", "reread"))


def test_mark_of_a_clock_that_is_wrong_holds_no_answer_off_for_good(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row())
    mark(lake, ledger_row())

    lake.merge_outcomes(outcome(last_attempt_at=NOON + HOUR), at=ASKED_AT - TICK)

    assert lake.only("message_ledger")["state"] == "fetched"
