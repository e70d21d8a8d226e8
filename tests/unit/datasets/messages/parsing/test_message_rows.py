"""Every rule by which one message of the API becomes one row."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genie_obs.datasets.messages.parsing.known_values import KNOWN_ERROR_TYPES, KNOWN_STATUSES, is_terminal
from genie_obs.datasets.messages.parsing.message_drift import find_drift
from genie_obs.datasets.messages.parsing.message_rows import parse_message

COLUMNS = [
    "message_id",
    "conversation_id",
    "space_id",
    "user_id",
    "content",
    "status",
    "created_timestamp",
    "updated_timestamp",
    "query_sql",
    "query_title",
    "query_description",
    "statement_id",
    "query_row_count",
    "statement_ids",
    "answer_text",
    "clarification_text",
    "suggested_questions",
    "attachments_count",
    "attachments_json",
    "feedback_rating",
    "feedback_comment",
    "error_type",
    "error_message",
]


def query(sql: str, statement_id: str | None = None, **extra: Any) -> dict[str, Any]:
    return {"attachment_id": "a", "query": {"query": sql, "statement_id": statement_id, **extra}}


def text(content: Any, purpose: str | None = None) -> dict[str, Any]:
    return {"attachment_id": "a", "text": {"content": content, "purpose": purpose}}


def parse(*attachments: Any, **fields: Any) -> dict[str, Any]:
    return parse_message({"message_id": "m", "attachments": list(attachments), **fields})


FULL = {
    "space_id": "s",
    "conversation_id": "c",
    "message_id": "m",
    "id": "legacy",
    "content": "Umsatz pro Monat?",
    "status": "COMPLETED",
    "user_id": 4_611_686_018_427_387_904,
    "created_timestamp": 1_795_000_000_000,
    "last_updated_timestamp": "1795000005000",
    "attachments": [
        query("SELECT 1", "st-1", title="T", description="D", query_result_metadata={"row_count": "12"}),
        text("Twelve months.", "TEXT_ATTACHMENT_PURPOSE_ANSWER"),
        {"suggested_questions": {"questions": ["And by region?", "As a chart?"]}},
        {"viz": {"title": "V", "query_attachment_id": "a"}},
    ],
    "feedback": {"rating": "NEGATIVE", "comment": "wrong month"},
    "error": None,
}


def test_full_message() -> None:
    row = parse_message(FULL)
    attachments_json = row.pop("attachments_json")
    assert json.loads(attachments_json) == FULL["attachments"]
    assert row == {
        "message_id": "m",
        "conversation_id": "c",
        "space_id": "s",
        "user_id": "4611686018427387904",
        "content": "Umsatz pro Monat?",
        "status": "COMPLETED",
        "created_timestamp": 1_795_000_000_000,
        "updated_timestamp": 1_795_000_005_000,
        "query_sql": "SELECT 1",
        "query_title": "T",
        "query_description": "D",
        "statement_id": "st-1",
        "query_row_count": 12,
        "statement_ids": ["st-1"],
        "answer_text": "Twelve months.",
        "clarification_text": None,
        "suggested_questions": ["And by region?", "As a chart?"],
        "attachments_count": 4,
        "feedback_rating": "NEGATIVE",
        "feedback_comment": "wrong month",
        "error_type": None,
        "error_message": None,
    }
    assert find_drift(FULL) == []


def test_empty_message_has_every_column_and_empty_lists() -> None:
    row = parse_message({})
    assert list(row) == COLUMNS
    lists = {"statement_ids": [], "suggested_questions": [], "attachments_count": 0}
    assert row == dict.fromkeys(COLUMNS) | lists


@pytest.mark.parametrize(
    ("fields", "message_id"),
    [
        ({"message_id": "m", "id": "i"}, "m"),
        ({"message_id": None, "id": "i"}, "i"),
        ({"message_id": "", "id": "i"}, "i"),
        ({"message_id": "m", "id": None}, "m"),
        ({"message_id": "", "id": ""}, None),
    ],
)
def test_message_id_falls_back_to_the_legacy_id(fields: dict[str, Any], message_id: str | None) -> None:
    assert parse_message(fields)["message_id"] == message_id


@pytest.mark.parametrize(
    ("value", "user_id"),
    [(None, None), (0, None), ("0", None), ("", None), (7, "7"), ("7", "7"), (2**62, str(2**62))],
)
def test_user_id_is_text_and_zero_is_nobody(value: Any, user_id: str | None) -> None:
    assert parse_message({"user_id": value})["user_id"] == user_id


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (1_795_000_000_000, 1_795_000_000_000),
        ("1795000000000", 1_795_000_000_000),
        (1_795_000_000, 1_795_000_000_000),
        (" 1795000000 ", 1_795_000_000_000),
        (1.795e12, 1_795_000_000_000),
        (None, None),
        (0, None),
        (-1, None),
        (12, None),
        (1_795_000_000_000_000, None),
        (2**80, None),
        (float("nan"), None),
        (float("inf"), None),
        (1.5, None),
        (True, None),
        ("yesterday", None),
        ("", None),
        ("9" * 5_000, None),
        ("١٧٩٥٠٠٠٠٠٠", None),
        ([], None),
        ({}, None),
    ],
)
def test_timestamps_become_milliseconds_or_nothing(value: Any, milliseconds: int | None) -> None:
    row = parse_message({"created_timestamp": value, "last_updated_timestamp": value})
    assert row["created_timestamp"] == row["updated_timestamp"] == milliseconds


def test_last_query_is_the_answer_and_all_statements_are_kept_in_order() -> None:
    row = parse(
        query("SELECT wrong", "st-1", title="first"),
        query("SELECT wrong", "st-2"),
        query("SELECT again", "st-1"),
        query("SELECT empty", ""),
        query("SELECT right", "st-3", query_result_metadata={"row_count": 0}),
    )
    assert row["query_sql"] == "SELECT right"
    assert row["query_title"] is None
    assert row["statement_id"] == "st-3"
    assert row["query_row_count"] == 0
    assert row["statement_ids"] == ["st-1", "st-2", "st-3"]


def test_deprecated_query_result_is_the_fallback() -> None:
    old = {"statement_id": "st-old", "row_count": "5"}
    row = parse(query("SELECT 1"), query_result=old)
    assert (row["statement_id"], row["query_row_count"], row["statement_ids"]) == ("st-old", 5, ["st-old"])
    row = parse(query("SELECT 1", "st-new", query_result_metadata={"row_count": 9}), query_result=old)
    assert (row["statement_id"], row["query_row_count"], row["statement_ids"]) == ("st-new", 9, ["st-new"])


@pytest.mark.parametrize("purpose", ["TEXT_ATTACHMENT_PURPOSE_ANSWER", None, "", "NEWLY_INVENTED"])
def test_text_is_an_answer_unless_it_asks_back(purpose: str | None) -> None:
    row = parse(text("The answer.", purpose))
    assert (row["answer_text"], row["clarification_text"]) == ("The answer.", None)


def test_follow_up_question_is_a_clarification() -> None:
    row = parse(text("Which year?", "FOLLOW_UP_QUESTION"), text("And where?", "FOLLOW_UP_QUESTION"))
    assert (row["answer_text"], row["clarification_text"]) == (None, "Which year?\n\nAnd where?")


def test_several_texts_are_joined_by_a_blank_line() -> None:
    assert parse(text("One."), text(""), text("Two."))["answer_text"] == "One.\n\nTwo."


def test_text_between_first_and_last_query_is_superseded_but_kept_in_the_json() -> None:
    row = parse(
        text("Before."), query("1"), text("I was wrong."), query("2"), text("Oops."), query("3"), text("After.")
    )
    assert row["answer_text"] == "Before.\n\nAfter."
    assert "I was wrong." in row["attachments_json"]


def test_text_beside_a_single_query_is_kept() -> None:
    assert parse(text("Before."), query("1"), text("After."))["answer_text"] == "Before.\n\nAfter."


def test_text_in_the_same_attachment_as_the_last_query_is_kept() -> None:
    row = parse(query("1"), query("2") | text("Result."))
    assert row["answer_text"] == "Result."


def test_suggested_questions_are_concatenated() -> None:
    row = parse(
        {"suggested_questions": {"questions": ["a", None, ""]}}, {"suggested_questions": {"questions": ["b", 3]}}
    )
    assert row["suggested_questions"] == ["a", "b", "3"]


@pytest.mark.parametrize(("attachments", "count", "stored"), [(None, 0, None), ([], 0, "[]"), ({"a": 1}, 0, '{"a":1}')])
def test_attachments_of_other_shapes_are_stored_as_they_are(attachments: Any, count: int, stored: str | None) -> None:
    row = parse_message({"attachments": attachments})
    assert (row["attachments_count"], row["attachments_json"]) == (count, stored)


def test_unknown_attachments_are_counted_and_stored() -> None:
    row = parse({"chart": {"type": "bar"}}, "text", None)
    assert row["attachments_count"] == 3
    assert json.loads(row["attachments_json"]) == [{"chart": {"type": "bar"}}, "text", None]


def test_no_rating_is_kept_verbatim() -> None:
    assert parse(feedback={"rating": "NONE"})["feedback_rating"] == "NONE"


def test_error_is_an_object_or_a_plain_text() -> None:
    row = parse(error={"error": "no warehouse", "type": "WAREHOUSE_NOT_FOUND_EXCEPTION"})
    assert (row["error_message"], row["error_type"]) == ("no warehouse", "WAREHOUSE_NOT_FOUND_EXCEPTION")
    row = parse(error="it broke")
    assert (row["error_message"], row["error_type"]) == ("it broke", None)


def test_unknown_enum_values_are_kept() -> None:
    row = parse(status="PAUSED", error={"type": "NEW_EXCEPTION"}, feedback={"rating": "MEH"})
    assert (row["status"], row["error_type"], row["feedback_rating"]) == ("PAUSED", "NEW_EXCEPTION", "MEH")


def test_unexpected_types_become_json_text() -> None:
    row = parse(query({"a": 1}, ["x"]), content={"ü": [1]}, status=7, feedback={"comment": True})  # type: ignore[arg-type]
    assert row["content"] == '{"ü":[1]}'
    assert row["status"] == "7"
    assert row["feedback_comment"] == "true"
    assert row["query_sql"] == '{"a":1}'
    assert row["statement_id"] == '["x"]'


def test_any_unicode_survives() -> None:
    content = "NUL \x00 emoji 👩🏽‍🚀 rtl \u202eאב combining e\u0301 </script>"
    row = parse(text(content), content=content)
    assert row["content"] == row["answer_text"] == content
    assert json.loads(row["attachments_json"])[0]["text"]["content"] == content


def test_lone_surrogates_are_escaped_so_that_utf_8_holds_them() -> None:
    row = parse(text("a\ud800b"), content="a\udfffb")
    assert row["content"] == "a\\udfffb"
    assert row["answer_text"] == "a\\ud800b"
    assert json.loads(row["attachments_json"])[0]["text"]["content"] == "a\ud800b"
    row["attachments_json"].encode()


def test_ten_megabytes_are_never_cut() -> None:
    content = "Größe " * 1_700_000
    row = parse(text(content), content=content)
    assert row["content"] == row["answer_text"] == content
    assert len(row["attachments_json"]) > len(content)


def test_attachments_nested_beyond_the_stack_do_not_raise() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    row = parse({"chart": nested}, content=nested)
    assert (row["attachments_json"], row["content"], row["attachments_count"]) == (None, None, 1)
    assert "attachments: too deeply nested to be stored" in find_drift({"attachments": [{"chart": nested}]})
    raw = {"attachments": [{"chart": nested}]}
    assert "attachments: too deeply nested to be stored" in find_drift(raw, parse_message(raw))
    while nested:  # freed level by level: the interpreter frees it recursively otherwise
        nested = nested.pop()


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED", "QUERY_RESULT_EXPIRED"])
def test_terminal_statuses(status: str) -> None:
    assert is_terminal(status)


@pytest.mark.parametrize("status", ["EXECUTING_QUERY", "ASKING_AI", "PAUSED", "completed", "", None])
def test_other_and_unknown_statuses_are_not_terminal(status: str | None) -> None:
    assert not is_terminal(status)


def test_known_values_are_the_whole_sdk_lists() -> None:
    assert len(KNOWN_ERROR_TYPES) == 61
    assert len(KNOWN_STATUSES) == 11


@pytest.mark.parametrize(
    ("fields", "drift"),
    [
        ({"status": "PAUSED"}, "status: unknown value PAUSED"),
        ({"summary": "text"}, "summary: unknown field"),
        ({"what did she say?": "text"}, "(unreadable name): unknown field"),
        ({"status": "what the user said"}, "status: unknown value of another form"),
        ({"status": 7}, "status: expected string, got number"),
        ({"error": {"type": "NEW_EXCEPTION"}}, "error.type: unknown value NEW_EXCEPTION"),
        ({"error": 5}, "error: expected object, got number"),
        ({"error": {"error": []}}, "error.error: expected string, got list"),
        ({"feedback": "good"}, "feedback: expected object, got string"),
        ({"feedback": {"rating": "MEH"}}, "feedback.rating: unknown value MEH"),
        ({"feedback": {"comment": 1}}, "feedback.comment: expected string, got number"),
        ({"content": {"a": 1}}, "content: expected string, got object"),
        ({"created_timestamp": "yesterday"}, "created_timestamp: expected integer, got string"),
        ({"created_timestamp": 12}, "created_timestamp: implausible value"),
        ({"user_id": True}, "user_id: expected id, got boolean"),
        ({"query_result": []}, "query_result: expected object, got list"),
        ({"message_id": None}, "message_id: missing"),
        ({"attachments": {}}, "attachments: expected list, got object"),
        ({"attachments": [None]}, "attachments[]: expected object, got null"),
        ({"attachments": [{"chart": {}}]}, "attachments[].chart: unknown kind"),
        ({"attachments": [{"what is this?": {}}]}, "attachments[].(unreadable name): unknown kind"),
        ({"attachments": [{"query": "SELECT 1"}]}, "attachments[].query: expected object, got string"),
        ({"attachments": [{"query": {"query": 1}}]}, "attachments[].query.query: expected string, got number"),
        ({"attachments": [{"text": {"purpose": "NEW"}}]}, "attachments[].text.purpose: unknown value NEW"),
        (
            {"attachments": [{"query": {"query_result_metadata": {"row_count": "many"}}}]},
            "attachments[].query.query_result_metadata.row_count: expected integer, got string",
        ),
        (
            {"attachments": [{"suggested_questions": {"questions": [1]}}]},
            "attachments[].suggested_questions.questions: expected list of strings",
        ),
    ],
)
def test_drift_is_named(fields: dict[str, Any], drift: str) -> None:
    assert find_drift({"message_id": "m", **fields}) == [drift]


def test_drift_is_named_once() -> None:
    assert find_drift({"message_id": "m", "attachments": [{"chart": {}}, {"chart": {}}]}) == [
        "attachments[].chart: unknown kind"
    ]


@pytest.mark.parametrize("fields", [{"error": "plain"}, {"feedback": None}, {"attachments": [{"new_flag": True}]}, {}])
def test_known_variants_are_no_drift(fields: dict[str, Any]) -> None:
    assert find_drift({"message_id": "m", **fields}) == []


parts = ["id", "query", "text", "suggested_questions", "questions", "purpose", "query_result", "query_result_metadata"]
inner_names = ["attachments", "feedback", "rating", "comment", "error", "type", "title", "row_count"]
names = st.sampled_from([*COLUMNS, *parts, *inner_names, "last_updated_timestamp"])
# JSON has neither NaN nor Infinity, and what decodes it gives none.
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | st.text() | st.text(st.characters(categories=["Cs"]))
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names | st.text(), inner), max_leaves=8)
objects = st.dictionaries(names | st.text(), values)


@settings(max_examples=80, deadline=None)
@given(objects)
def test_no_json_object_raises_and_every_text_fits_utf_8(raw: dict[str, Any]) -> None:
    row = parse_message(raw)
    assert list(row) == COLUMNS
    json.dumps(row, ensure_ascii=False).encode()
    assert all(isinstance(line, str) for line in find_drift(raw))


@settings(max_examples=60, deadline=None)
@given(st.lists(values))
def test_attachments_json_is_the_same_json_value(attachments: list[Any]) -> None:
    # Through JSON first: that is where messages come from, and it pairs surrogates as any parser does.
    attachments = json.loads(json.dumps(attachments))
    stored = parse_message({"attachments": attachments})["attachments_json"]
    stored.encode()
    # Compared as text, as NaN is not equal to itself.
    assert json.dumps(json.loads(stored)) == json.dumps(attachments)


@pytest.mark.parametrize("attachments", [None, [], [{"text": {"content": "42"}}], "odd", 3])
def test_drift_is_the_same_with_and_without_the_parsed_message(attachments: Any) -> None:
    raw = {"message_id": "m", "status": "PAUSED", "attachments": attachments}

    assert find_drift(raw, parse_message(raw)) == find_drift(raw)
