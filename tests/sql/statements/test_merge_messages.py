"""The MERGE of message_details: what was stored is never lost, and only what changed is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.sql.statements.lake import (
    DAY,
    HOUR,
    NOON,
    QUERY_COLUMNS,
    TODAY,
    Lake,
    Row,
    details_row,
    fetched_message,
)

from genie_obs.lakehouse.schema import table

KEY = {"workspace_id", "message_id", "created_date"}
# Written by every fetch that changes something, or fixed when the row was first stored.
BOOKKEEPING = {"is_deleted", "api_fetch_timestamp", "ingestion_timestamp", "ingestion_batch_id"}
FIRST_STORED = {"created_timestamp", "created_at"}
FETCHED_COLUMNS = [
    name for name in table("message_details").arrow_schema().names if name not in {*KEY, *BOOKKEEPING, *QUERY_COLUMNS}
]
TERMINAL = ["COMPLETED", "FAILED", "CANCELLED", "QUERY_RESULT_EXPIRED"]
RUNNING = ["SUBMITTED", "EXECUTING_QUERY", "SOMETHING_NEW", None]
NEWER = {"api_fetch_timestamp": NOON + 2 * HOUR, "ingestion_timestamp": NOON + 2 * HOUR, "ingestion_batch_id": "run2"}
CHANGES: dict[str, Any] = {
    "workspace_name": "sales renamed",
    "space_name": "Orders renamed",
    "user_id": "78",
    "user_email": "bo@example.com",
    "content": "How many orders in 2026?",
    "status": "QUERY_RESULT_EXPIRED",
    "updated_timestamp": details_row()["updated_timestamp"] + 1,
    "attachments_json": "[]",
    "statement_id": "st9",
    "query_row_count": 2,
    "feedback_rating": "NEGATIVE",
    "feedback_comment": "wrong year",
    "error_type": "ANOTHER_EXCEPTION",
    "error_message": "went wrong again",
    "content_policy": "redacted",
    "is_deleted": True,
}


def after_each(lake: Lake, cases: dict[str, tuple[Row, Row]]) -> dict[str, Row]:
    return lake.merge_each("message_details", lake.merge_messages, cases)


def changed_beside(column: str) -> Row:
    """Return a change of another column, so that the row is written."""
    return {"content": "changed"} if column != "content" else {"space_name": "changed"}


def after(lake: Lake, known: Row, fetched: Row) -> Row:
    lake.fill("message_details", known)
    lake.merge_messages(fetched)
    return lake.only("message_details")


def test_new_message_is_stored_as_it_is_without_a_joined_statement(lake: Lake) -> None:
    lake.merge_messages(fetched_message())

    assert lake.only("message_details") == {**details_row(), **dict.fromkeys(QUERY_COLUMNS), **NEWER}


def test_new_message_is_stored_with_its_statement_where_that_was_found(lake: Lake) -> None:
    joined = {name: details_row()[name] for name in QUERY_COLUMNS}

    lake.merge_messages({**fetched_message(), **joined})

    assert lake.only("message_details") == {**details_row(), **NEWER}


def test_statement_found_for_a_message_that_is_stored_already_is_left_to_enrichment(lake: Lake) -> None:
    known = details_row(**dict.fromkeys(QUERY_COLUMNS))
    joined = {name: details_row()[name] for name in QUERY_COLUMNS}

    assert after(lake, known, {**fetched_message(content="edited"), **joined})["query_execution_status"] is None


def test_message_with_nothing_but_its_ids_is_stored(lake: Lake) -> None:
    bare = {name: None for name in fetched_message() if name not in {*KEY, *BOOKKEEPING, "is_terminal"}}

    lake.merge_messages(fetched_message(**bare, is_terminal=False))

    row = lake.only("message_details")
    assert {name for name, value in row.items() if value is not None} == {*KEY, *BOOKKEEPING}


def test_row_marked_as_erased_stays_as_it_is_whatever_is_fetched_later(lake: Lake) -> None:
    lake.fill("message_details", details_row(content=None, user_email=None, answer_text=None, content_policy="erased"))
    version = lake.version("message_details")

    lake.merge_messages(
        fetched_message(content="brought back", user_email="ann@example.com", feedback_rating="NEGATIVE")
    )

    assert lake.version("message_details") == version


def test_unchanged_message_writes_nothing(lake: Lake) -> None:
    lake.fill("message_details", details_row())
    version = lake.version("message_details")

    lake.merge_messages(fetched_message())

    assert lake.version("message_details") == version


def test_answer_without_any_value_writes_nothing(lake: Lake) -> None:
    lake.fill("message_details", details_row())
    version = lake.version("message_details")

    lake.merge_messages(fetched_message(**dict.fromkeys(FETCHED_COLUMNS), is_terminal=False))

    assert lake.version("message_details") == version


def test_value_is_never_replaced_by_null(lake: Lake) -> None:
    columns = [column for column in FETCHED_COLUMNS if column != "attachments_count"]  # see the test below

    rows = after_each(lake, {c: (details_row(), fetched_message(**{c: None}, **changed_beside(c))) for c in columns})

    assert rows == {c: {**details_row(), **NEWER, **changed_beside(c)} for c in columns}


def test_count_of_attachments_is_never_replaced_by_null(lake: Lake) -> None:
    row = after(lake, details_row(), fetched_message(attachments_count=None, content="changed"))

    assert row["attachments_count"] == 3


def test_list_is_never_replaced_by_an_empty_one(lake: Lake) -> None:
    row = after(lake, details_row(), fetched_message(statement_ids=[], suggested_questions=[], content="changed"))

    assert row == {**details_row(), **NEWER, "content": "changed"}


def test_change_of_one_value_is_stored(lake: Lake) -> None:
    rows = after_each(lake, {c: (details_row(), fetched_message(**{c: value})) for c, value in CHANGES.items()})

    assert {column: row[column] for column, row in rows.items()} == CHANGES
    assert {(row["ingestion_timestamp"], row["ingestion_batch_id"]) for row in rows.values()} == {
        (NOON + 2 * HOUR, "run2")
    }


def test_missing_value_is_filled(lake: Lake) -> None:
    columns = [column for column in FETCHED_COLUMNS if column not in FIRST_STORED]

    rows = after_each(lake, {c: (details_row(**{c: None}), fetched_message(**changed_beside(c))) for c in columns})

    assert {c: row[c] for c, row in rows.items()} == {c: details_row()[c] for c in columns}


def test_time_of_the_question_never_changes(lake: Lake) -> None:
    row = after(lake, details_row(), fetched_message(created_timestamp=1, created_at=NOON - DAY, content="changed"))

    assert row == {**details_row(), **NEWER, "content": "changed"}


def test_everything_of_a_new_answer_is_taken_together(lake: Lake) -> None:
    answer = {
        "query_sql": "SELECT 2",
        "query_title": "two",
        "query_description": "counts to two",
        "query_row_count": 9,
        "statement_ids": ["st1", "st2"],
        "statement_id": "st2",
        "answer_text": "two",
        "clarification_text": "really?",
        "suggested_questions": ["three?"],
        "attachments_count": 5,
        "attachments_json": '[{"text": {}}]',
    }

    row = after(lake, details_row(), fetched_message(**answer))

    assert row == {**details_row(), **NEWER, **answer, **dict.fromkeys(QUERY_COLUMNS)}


def test_terminal_status_never_goes_back(lake: Lake) -> None:
    cases = {
        f"{known} {status}": (
            details_row(status=known),
            fetched_message(status=status, is_terminal=False, content="changed"),
        )
        for known in TERMINAL
        for status in RUNNING
    }

    rows = after_each(lake, cases)

    assert {name: (row["status"], row["content"]) for name, row in rows.items()} == {
        name: (known["status"], "changed") for name, (known, _) in cases.items()
    }


def test_terminal_status_that_would_go_back_writes_nothing(lake: Lake) -> None:
    lake.fill("message_details", details_row())
    version = lake.version("message_details")

    lake.merge_messages(fetched_message(status="ASKING_AI", is_terminal=False))

    assert lake.version("message_details") == version


def test_terminal_status_may_become_another_terminal_one(lake: Lake) -> None:
    rows = after_each(lake, {status: (details_row(), fetched_message(status=status)) for status in TERMINAL})

    assert {name: row["status"] for name, row in rows.items()} == {status: status for status in TERMINAL}


def test_running_status_follows_the_service(lake: Lake) -> None:
    cases = {
        f"{known} {status}": (details_row(status=known), fetched_message(status=status, is_terminal=status in TERMINAL))
        for known in RUNNING
        for status in ("ASKING_AI", "COMPLETED")
    }

    rows = after_each(lake, cases)

    assert {name: row["status"] for name, row in rows.items()} == {
        name: new["status"] for name, (_, new) in cases.items()
    }


def test_older_answer_is_ignored(lake: Lake) -> None:
    lake.fill("message_details", details_row())
    version = lake.version("message_details")

    lake.merge_messages(fetched_message(content="older", api_fetch_timestamp=NOON))

    assert lake.version("message_details") == version


@pytest.mark.parametrize("is_deleted", [False, True])
def test_answer_is_taken_when_the_known_one_is_yet_to_come(lake: Lake, is_deleted: bool) -> None:
    fetched = deletion_mark() if is_deleted else fetched_message(content="after the clock was set right")
    known = details_row(api_fetch_timestamp=NOON + DAY, ingestion_timestamp=NOON + DAY)

    lake.fill("message_details", known)
    lake.merge_messages(fetched, at=NOON + 2 * HOUR)

    row = lake.only("message_details")
    assert (row["content"], row["is_deleted"]) == (known["content"] if is_deleted else fetched["content"], is_deleted)


def test_answer_fetched_at_the_same_instant_is_taken(lake: Lake) -> None:
    fetched = fetched_message(content="same instant", api_fetch_timestamp=NOON + HOUR)

    assert after(lake, details_row(), fetched)["content"] == "same instant"


def test_last_change_never_goes_back(lake: Lake) -> None:
    row = after(lake, details_row(), fetched_message(updated_timestamp=5, content="changed"))

    assert row["updated_timestamp"] == details_row()["updated_timestamp"]


def deletion_mark(**values: Any) -> Row:
    return {
        "workspace_id": "1",
        "message_id": "m1",
        "created_date": TODAY,
        "is_terminal": False,
        "is_deleted": True,
        **NEWER,
        **values,
    }


def test_deletion_marks_the_row_and_keeps_everything_else(lake: Lake) -> None:
    row = after(lake, details_row(), deletion_mark())

    kept = {"api_fetch_timestamp": details_row()["api_fetch_timestamp"]}
    assert row == {**details_row(), **NEWER, **kept, "is_deleted": True}


def test_deletion_of_a_message_that_was_never_stored_stores_nothing(lake: Lake) -> None:
    lake.merge_messages(deletion_mark())

    assert lake.read("message_details") == []


def test_deletion_seen_again_writes_nothing(lake: Lake) -> None:
    lake.fill("message_details", details_row(is_deleted=True))
    version = lake.version("message_details")

    lake.merge_messages(deletion_mark())

    assert lake.version("message_details") == version


def test_message_that_is_there_again_is_no_longer_deleted(lake: Lake) -> None:
    assert after(lake, details_row(is_deleted=True), fetched_message())["is_deleted"] is False


def test_answer_older_than_the_deletion_does_not_take_the_mark_away(lake: Lake) -> None:
    lake.fill("message_details", details_row())
    lake.merge_messages(deletion_mark(api_fetch_timestamp=NOON + 3 * HOUR, ingestion_timestamp=NOON + 3 * HOUR))

    lake.merge_messages(fetched_message())

    assert lake.only("message_details")["is_deleted"] is True


def test_another_statement_clears_what_was_joined_for_the_old_one(lake: Lake) -> None:
    row = after(lake, details_row(), fetched_message(statement_id="st9"))

    assert {name: row[name] for name in QUERY_COLUMNS} == dict.fromkeys(QUERY_COLUMNS)


def test_same_statement_keeps_what_was_joined(lake: Lake) -> None:
    row = after(lake, details_row(), fetched_message(content="changed"))

    assert {name: row[name] for name in QUERY_COLUMNS} == {name: details_row()[name] for name in QUERY_COLUMNS}


def test_attachments_that_are_withheld_keep_the_known_ones_and_their_count(lake: Lake) -> None:
    row = after(lake, details_row(), fetched_message(attachments_json=None, attachments_count=0, content="changed"))

    assert (row["attachments_json"], row["attachments_count"]) == ('[{"query": {}}]', 3)


def test_attachments_that_are_empty_now_are_stored_as_empty(lake: Lake) -> None:
    row = after(lake, details_row(), fetched_message(attachments_json="[]", attachments_count=0))

    assert (row["attachments_json"], row["attachments_count"]) == ("[]", 0)


def test_messages_are_told_apart_by_workspace_message_and_day(lake: Lake) -> None:
    lake.fill("message_details", details_row(), details_row(workspace_id="2"), details_row(message_id="m2"))

    lake.merge_messages(
        fetched_message(content="one"), fetched_message(message_id="m3", created_date=TODAY - timedelta(days=1))
    )

    contents = {(row["workspace_id"], row["message_id"]): row["content"] for row in lake.read("message_details")}
    assert contents == {
        ("1", "m1"): "one",
        ("1", "m2"): "How many orders?",
        ("1", "m3"): "How many orders?",
        ("2", "m1"): "How many orders?",
    }


def test_messages_that_are_expected_to_be_new_are_inserted_and_those_that_are_there_merged(lake: Lake) -> None:
    lake.fill("message_details", details_row(), details_row(message_id="m3"))
    newer, older = fetched_message(content="another text"), fetched_message(message_id="m3", api_fetch_timestamp=NOON)

    met = lake.merge_messages(newer, fetched_message(message_id="m2"), older, expect_new=True)

    assert met == 2
    assert lake.read("message_details") == [
        {**details_row(content="another text"), **NEWER},
        {**details_row(message_id="m2"), **dict.fromkeys(QUERY_COLUMNS), **NEWER},
        details_row(message_id="m3"),
    ]


def test_messages_that_are_new_as_expected_cost_one_version(lake: Lake) -> None:
    version = lake.version("message_details")
    rows = fetched_message(), fetched_message(message_id="m2")

    assert lake.merge_messages(*rows, expect_new=True) == 0
    assert lake.version("message_details") == version + 1
    assert lake.merge_messages(*rows, expect_new=True) == 2
    assert lake.version("message_details") == version + 1
