"""Erasing: what a selector names, what goes, what stays, and that nothing brings it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from tests.sql.statements.lake import (
    DAY,
    HOUR,
    NOON,
    TODAY,
    Lake,
    Row,
    day,
    details_row,
    fetched_message,
    ledger_row,
    space_row,
)

from genie_obs.erasure.derived import ERASED, build_erasure
from genie_obs.erasure.receipt import Receipt
from genie_obs.erasure.selector import Extent
from genie_obs.lakehouse.schema import table

LATER = NOON + 3 * HOUR
EVERYTHING: dict[str, Any] = {
    "user": "",
    "space_id": "",
    "before_date": day(1),
    "workspace_ids": (),
    "is_row_erased": False,
}
NOT_KEPT = "[not kept]"
_FLAGS = pa.schema(
    [
        ("reason_code", pa.string()),
        ("state_reason", pa.string()),
        ("is_row_erased", pa.bool_()),
        ("is_asker_erased", pa.bool_()),
    ]
)


def erased(extent: Extent, **values: Any) -> Row:
    """Return what the erasure hands to its merges for one message."""
    return {
        "workspace_id": "1", "message_id": "m1", "witnessed_date": TODAY, "created_date": TODAY, "reason_code": extent.value,
        "state_reason": extent.sentence, "is_row_erased": extent.is_row, "is_asker_erased": extent.is_asker, **values,
    }  # fmt: skip


def merge(lake: Lake, *rows: Row) -> None:
    keys = table("message_ledger").arrow_schema("workspace_id", "message_id", "witnessed_date", "created_date")
    gone = pa.Table.from_pylist(list(rows), pa.unify_schemas([keys, _FLAGS]))
    lake.tables.execute("erasure/merge_erased_ledger", erased=gone, witnessed_dates=[TODAY], updated_at=LATER)
    lake.tables.change(
        "message_details", build_erasure("message_details", "message"), {ERASED: gone}, created_dates=[TODAY]
    )


def names_of(rows: Sequence[Row]) -> list[str]:
    return [row["message_id"] for row in rows]


# -- what a selector names -----------------------------------------------------------------------------------------------


def test_person_is_found_by_address_in_either_table_by_id_and_through_the_id_where_the_address_is_unknown(
    lake: Lake,
) -> None:
    asked: dict[
        str, tuple[str | None, str | None, str | None]
    ] = {  # address in the ledger, address and id in the details
        "both": ("Ana@Example.com", "Ana@Example.com", "77"),
        "details only": (None, "ana@example.com", "77"),
        "ledger only": ("ana@example.com", None, None),
        "id only": (None, None, "77"),
        "somebody else": ("bob@example.com", "bob@example.com", "88"),
        "nobody": (None, None, None),
    }
    lake.fill("message_ledger", *(ledger_row(message_id=name, user_email=v[0]) for name, v in asked.items()))
    lake.fill(
        "message_details", *(details_row(message_id=name, user_email=v[1], user_id=v[2]) for name, v in asked.items())
    )

    by_address = lake.select("erasure/select_erasable", **{**EVERYTHING, "user": "ana@example.com"})
    by_id = lake.select("erasure/select_erasable", **{**EVERYTHING, "user": "77"})

    assert names_of(by_address) == ["both", "details only", "id only", "ledger only"]
    assert names_of(by_id) == ["both", "details only", "id only"]


def test_id_of_another_workspace_is_another_person(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row(user_email=None), ledger_row(workspace_id="2", user_email=None))
    lake.fill("message_details", details_row(), details_row(workspace_id="2", user_email=None))

    found = lake.select("erasure/select_erasable", **{**EVERYTHING, "user": "ana@example.com"})

    assert [row["workspace_id"] for row in found] == ["1"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({}, ["new", "old", "other space", "other workspace", "unread"]),
        ({"space_id": "s2"}, ["other space"]),
        ({"workspace_ids": ("2", "3")}, ["other workspace"]),
        ({"before_date": TODAY}, ["old"]),
        ({"before_date": TODAY, "space_id": "s2"}, []),
    ],
)
def test_selectors_narrow_each_other_down(lake: Lake, selector: dict[str, Any], names: list[str]) -> None:
    lake.fill(
        "message_ledger",
        ledger_row(message_id="new"),
        ledger_row(message_id="old"),  # mentioned today, asked long ago
        ledger_row(message_id="other space", space_id=None),
        ledger_row(message_id="other workspace", workspace_id="2"),
        ledger_row(message_id="unread", state="pending", created_date=None),
    )
    lake.fill(
        "message_details",
        details_row(message_id="new"),
        details_row(message_id="old", created_date=day(-30)),
        details_row(message_id="other space", space_id="s2"),
        details_row(message_id="other workspace", workspace_id="2"),
    )

    found = lake.select("erasure/select_erasable", **{**EVERYTHING, **selector})

    assert sorted(names_of(found)) == names
    assert all(row["is_stored"] is (row["message_id"] != "unread") for row in found)


def test_what_is_erased_is_named_again_only_where_something_is_left(lake: Lake) -> None:
    gone = {"state": "erased", "user_email": None}
    lake.fill(
        "message_ledger",
        ledger_row(message_id="texts gone", **gone),
        ledger_row(message_id="row gone", **gone, created_date=None),
        ledger_row(message_id="came back", **gone),
        ledger_row(message_id="asker left", state="erased"),
    )
    lake.fill(
        "message_details",
        details_row(message_id="texts gone", user_id=None, user_email=None, content_policy="erased"),
        details_row(message_id="came back"),
        details_row(message_id="asker left", content_policy="erased"),
    )

    texts = lake.select("erasure/select_erasable", **EVERYTHING)
    rows = lake.select("erasure/select_erasable", **{**EVERYTHING, "is_row_erased": True})
    person = lake.select("erasure/select_erasable", **{**EVERYTHING, "user": "ana@example.com"})

    assert names_of(texts) == ["came back"]
    assert names_of(rows) == ["asker left", "came back", "texts gone"]
    assert names_of(person) == ["asker left", "came back"]


def test_messages_whose_asker_is_unknown_are_counted(lake: Lake) -> None:
    unread: Row = {"state": "pending", "created_date": None, "user_email": None}
    lake.fill(
        "message_ledger",
        ledger_row(message_id="unread", **unread),
        ledger_row(message_id="no space", **{**unread, "space_id": None, "state": "forbidden"}),
        ledger_row(message_id="other space", **{**unread, "space_id": "s2"}),
        ledger_row(message_id="asker known", **{**unread, "user_email": "bob@example.com"}),
        ledger_row(message_id="gone", **{**unread, "state": "not_found"}),
        ledger_row(message_id="other workspace", workspace_id="2", **unread),
        ledger_row(message_id="stored", user_email=None),
    )

    def count(**values: Any) -> int:
        scope = {"workspace_ids": (), "space_id": "", "before_date": day(1), **values}
        [row] = lake.select("erasure/select_unknown_askers", **scope)
        return int(row["message_count"])

    assert [count(), count(space_id="s1"), count(workspace_ids=["2"]), count(before_date=TODAY)] == [4, 3, 1, 0]


def test_old_messages_are_counted_until_they_are_erased(lake: Lake) -> None:
    lake.fill(
        "message_ledger",
        ledger_row(message_id="old", created_date=day(-30)),
        ledger_row(message_id="old, unread", witnessed_date=day(-30), created_date=None),
        ledger_row(message_id="old, erased", created_date=day(-30), state="erased"),
        ledger_row(message_id="old, elsewhere", created_date=day(-30), workspace_id="2"),
        ledger_row(message_id="new"),
    )

    assert lake.select("erasure/select_old_messages", before_date=TODAY, workspace_ids=["1"]) == [{"message_count": 2}]


def test_person_is_known_under_every_address_and_id_that_their_messages_have(lake: Lake) -> None:
    lake.fill(
        "message_details",
        details_row(message_id="m1", user_email="Ana@Example.com", user_id="77"),
        details_row(message_id="m2", user_email="ana.old@example.com", user_id="77"),
        details_row(message_id="m3", user_email=None, user_id="78"),
        details_row(message_id="m4", user_email="ana@example.com", user_id=None),
        details_row(message_id="m5", user_email="bob@example.com", user_id="88"),
    )

    def names(user: str) -> list[str]:
        [row] = lake.select("erasure/select_names_of_person", user=user)
        return sorted(row["names"] or ())

    assert names("ana@example.com") == ["77", "ana@example.com"]
    assert names("77") == ["77", "ana.old@example.com", "ana@example.com"]
    assert names("nobody@example.com") == []


# -- what goes and what stays --------------------------------------------------------------------------------------------

_TEXTS = (
    "content", "query_sql", "query_title", "query_description", "answer_text", "clarification_text", "feedback_comment",
    "error_message", "query_error_message",
)  # fmt: skip


def test_texts_go_and_everything_else_stays(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row(), ledger_row(message_id="m2"))
    lake.fill("message_details", details_row(), details_row(message_id="m2"))

    merge(lake, erased(Extent.TEXTS))

    without_texts = {
        **details_row(**dict.fromkeys(_TEXTS, NOT_KEPT)),
        "suggested_questions": [],
        "attachments_json": "[]",
        "content_policy": "erased",
    }
    reason = {"reason_code": "erased_texts", "state_reason": "erased: texts"}
    closed = {"state": "erased", **reason, "http_status": None, "updated_at": LATER}
    assert lake.read("message_details") == [without_texts, details_row(message_id="m2")]
    assert lake.read("message_ledger") == [ledger_row(**closed), ledger_row(message_id="m2")]


def test_asker_goes_where_a_person_is_erased(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row())
    lake.fill("message_details", details_row())

    merge(lake, erased(Extent.TEXTS_AND_ASKER))

    row, known = lake.only("message_details"), lake.only("message_ledger")
    assert (row["user_id"], row["user_email"], known["user_email"]) == (None, None, None)
    assert (row["status"], row["created_at"], known["created_date"]) == ("COMPLETED", NOON, TODAY)


def test_rows_go_where_no_metrics_are_kept_and_the_ledger_keeps_that_the_message_was(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row())
    lake.fill("message_details", details_row(), details_row(message_id="m2"))

    merge(lake, erased(Extent.ROW))

    known = lake.only("message_ledger")
    assert names_of(lake.read("message_details")) == ["m2"]
    assert (known["state"], known["created_date"], known["user_email"]) == ("erased", None, None)


def test_text_that_is_not_there_is_not_said_to_have_been(lake: Lake) -> None:
    nothing: Row = {**dict.fromkeys(_TEXTS), "suggested_questions": None, "attachments_json": None}
    lake.fill("message_ledger", ledger_row())
    lake.fill("message_details", details_row(**nothing))

    merge(lake, erased(Extent.TEXTS))

    row = lake.only("message_details")
    assert {name: row[name] for name in nothing} == nothing


def test_words_where_an_enumeration_belongs_go_too(lake: Lake) -> None:
    words = "ana asked about wages"
    lake.fill("message_ledger", ledger_row())
    lake.fill("message_details", details_row(status=words, error_type=words, feedback_rating=words))

    merge(lake, erased(Extent.TEXTS))

    row = lake.only("message_details")
    assert (row["status"], row["error_type"], row["feedback_rating"]) == (NOT_KEPT, NOT_KEPT, NOT_KEPT)


def test_description_and_configuration_of_a_space_go_and_are_not_read_again(lake: Lake) -> None:
    lake.fill("space_details", space_row(), space_row(workspace_id="2"), space_row(space_id="s2"))
    scope = {"space_id": "s1", "workspace_ids": ["1"]}
    found = lake.select("erasure/select_erasable_spaces", **scope)

    spaces = pa.Table.from_pylist(found, table("space_details").arrow_schema("workspace_id", "space_id"))
    lake.tables.change("space_details", build_erasure("space_details", "space"), {ERASED: spaces})
    lake.merge_spaces(
        space_row(description="new", parent_path="/new", title="Renamed", fetched_at=LATER, updated_at=LATER)
    )

    empty = {
        "description": NOT_KEPT,
        "parent_path": NOT_KEPT,
        "serialized_space": "{}",
        "content_policy": "erased",
    }
    assert found == [{"workspace_id": "1", "space_id": "s1"}]
    assert lake.read("space_details") == [
        space_row(**empty, title="Renamed", fetched_at=LATER, updated_at=LATER),
        space_row(space_id="s2"),
        space_row(workspace_id="2"),
    ]
    assert lake.select("erasure/select_erasable_spaces", **scope) == []


# -- nothing brings it back ----------------------------------------------------------------------------------------------


def test_no_event_and_no_answer_opens_an_erased_message(lake: Lake) -> None:
    known = ledger_row(state="erased", user_email=None)
    lake.fill("message_ledger", known)
    seen: Row = {
        name: known[name] for name in ("workspace_id", "message_id", "space_id", "conversation_id", "witnessed_date")
    }

    lake.merge_witnesses(
        {**seen, "first_event_time": NOON - HOUR, "last_write_event_time": LATER, "witnesses": ["updateFeedback"],
         "user_email": "ana@example.com"}, at=LATER,
    )  # fmt: skip
    answer = {**known, "state": "fetched", "last_attempt_at": LATER, "updated_at": LATER}
    lake.merge_outcomes({name: value for name, value in answer.items() if name != "user_email"})

    assert lake.only("message_ledger") == known


def test_what_a_run_stored_meanwhile_is_found(lake: Lake) -> None:
    gone = {"state": "erased", "reason_code": "erased_texts", "updated_at": LATER}
    lake.fill(
        "message_ledger",
        ledger_row(message_id="stored meanwhile", **gone),
        ledger_row(message_id="row back", **{**gone, "reason_code": "erased_row", "created_date": None}),
        ledger_row(message_id="made by an older version", **{**gone, "reason_code": None}),
        ledger_row(message_id="as it should be", **gone),
        ledger_row(message_id="long ago", **{**gone, "updated_at": LATER - 9 * DAY}),
        ledger_row(message_id="not erased"),
    )
    lake.fill(
        "message_details",
        *(
            details_row(message_id=name)
            for name in ("stored meanwhile", "row back", "made by an older version", "long ago", "not erased")
        ),
        details_row(message_id="as it should be", content_policy="erased"),
    )

    found = lake.select("erasure/select_come_back", since=LATER - 7 * DAY)

    assert {row["message_id"]: row["reason_code"] for row in found} == {
        "made by an older version": "erased_texts_and_asker",
        "row back": "erased_row",
        "stored meanwhile": "erased_texts",
    }
    assert lake.select("erasure/select_erased_lately", since=LATER - 7 * DAY) == [{"message_count": 4}]


def test_answer_for_an_erased_row_is_not_stored(lake: Lake) -> None:
    row = details_row(content=NOT_KEPT, content_policy="erased")
    lake.fill("message_details", row)

    lake.merge_messages(fetched_message())

    assert lake.only("message_details") == row


def test_receipt_is_one_row_from_start_to_end(lake: Lake) -> None:
    receipt = Receipt(erasure_id="e1", started_at=NOON, engine="local", requested_by="ops", space_id="s1")
    receipt.save(lake.tables)
    [begun] = lake.read("erasures")

    receipt.status, receipt.finished_at, receipt.message_count = "done", LATER, 3
    receipt.save(lake.tables)

    [done] = lake.read("erasures")
    assert (begun["status"], begun["finished_at"]) == ("running", None)
    assert done == {**begun, "status": "done", "finished_at": LATER, "message_count": 3}


def test_session_of_the_local_engine_belongs_to_nobody(lake: Lake) -> None:
    assert lake.tables.current_user() == lake.select("lakehouse/select_current_user")[0]["user_name"] == ""
