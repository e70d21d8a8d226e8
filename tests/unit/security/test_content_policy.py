from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sql.statements.lake import details_row

from genie_obs.datasets.messages.message_rows import parse_message
from genie_obs.errors import ConfigError
from genie_obs.secret import Secret
from genie_obs.security.content_policy import (
    TEXT_COLUMNS,
    ContentGuard,
    ContentPolicies,
    ContentSettings,
    Policy,
    parse_policies,
)

KEY = Secret("a key long enough")
MARK = "bob@example.com"
WORDS = "Zebrafish"
RAW = {
    "message_id": "m1",
    "space_id": "s1",
    "conversation_id": "c1",
    "content": f"{WORDS} {MARK} one",
    "status": f"{WORDS} {MARK} status",
    "user_id": 7,
    "created_timestamp": 1_795_176_000_000,
    "attachments": [
        {"query": {"query": f"{WORDS} {MARK} two", "title": f"{WORDS} {MARK} 3", "description": f"{WORDS} {MARK} 4",
         "statement_id": "st1"}},
        {"text": {"content": f"{WORDS} {MARK} five"}},
        {"text": {"content": f"{WORDS} {MARK} six", "purpose": "FOLLOW_UP_QUESTION"}},
        {"suggested_questions": {"questions": [f"{WORDS} {MARK} seven"]}},
        {"new_kind": {"deep": [f"{WORDS} {MARK} eight", {f"{WORDS} {MARK}": "\ud800"}]}},
    ],
    "feedback": {"rating": f"{WORDS} {MARK} rating", "comment": f"{WORDS} {MARK} nine"},
    "error": {"error": f"{WORDS} {MARK} ten", "type": f"{WORDS} {MARK} type"},
}  # fmt: skip


def guard(policy: str, **values: Any) -> ContentGuard:
    return ContentGuard(ContentSettings(content_policy=parse_policies(policy)), hash_key=KEY, **values)


def protected(policy: str, **values: Any) -> dict[str, Any]:
    return guard(policy, **values).protect_message(parse_message(RAW), "1", "s1")


def test_policy_of_the_space_goes_before_that_of_the_workspace_before_the_default() -> None:
    policies = parse_policies(" redacted ;1=hashed; 1/s1 = metrics_only;; 2/s1=full ")

    assert [policies.of(*place) for place in (("1", "s1"), ("1", "s2"), ("1", None), ("2", "s1"), ("2", "s2"))] == [
        Policy.METRICS_ONLY,
        Policy.HASHED,
        Policy.HASHED,
        Policy.FULL,
        Policy.REDACTED,
    ]


def test_nothing_said_is_full() -> None:
    assert parse_policies("") == ContentPolicies()


def test_every_problem_of_a_policy_is_named() -> None:
    with pytest.raises(ValueError, match=r"'some' is no policy.*two policies.*neither a workspace id.*two defaults"):
        parse_policies("full; redacted; 1=some; 2=full; 2=full; a b=full")


def test_full_is_the_message_as_it_was_parsed() -> None:
    assert protected("full") == {**parse_message(RAW), "content_policy": "full"}


def test_redacted_masks_every_text_and_keeps_the_rest() -> None:
    row = protected("redacted")

    assert MARK not in json.dumps(row)
    assert row["content"] == f"{WORDS} [email] one"
    assert row["suggested_questions"] == [f"{WORDS} [email] seven"]
    expected = json.loads(parse_message(RAW)["attachments_json"].replace(MARK, "[email]"))
    assert json.loads(row["attachments_json"]) == expected
    assert row["content_policy"] == "redacted"


@pytest.mark.parametrize("policy", ["hashed", "metrics_only"])
def test_stricter_policies_keep_no_word_but_every_metric(policy: str) -> None:
    row, whole = protected(policy), parse_message(RAW)

    assert WORDS not in json.dumps(row)
    assert row["attachments_json"] == "[]"
    kept = (
        "message_id",
        "space_id",
        "conversation_id",
        "user_id",
        "created_timestamp",
        "statement_id",
        "attachments_count",
    )
    assert {name: row[name] for name in kept} == {name: whole[name] for name in kept}
    # Where there was text there still is something, so that answers can be counted.
    assert [name for name in TEXT_COLUMNS if row.get(name)] == [name for name in TEXT_COLUMNS if whole.get(name)]


def test_known_values_of_enumerations_stay_under_every_policy() -> None:
    raw = {**RAW, "status": "COMPLETED", "feedback": {"rating": "NEGATIVE"}, "error": {"type": "SOMETHING_NEW"}}

    row = guard("metrics_only").protect_message(parse_message(raw), "1", "s1")

    assert (row["status"], row["feedback_rating"], row["error_type"]) == ("COMPLETED", "NEGATIVE", "SOMETHING_NEW")


def test_nothing_stays_nothing() -> None:
    row = guard("metrics_only").protect_message(parse_message({"message_id": "m1"}), "1", "s1")

    assert [row[name] for name in (*TEXT_COLUMNS[:-1], "attachments_json")] == [None] * len(TEXT_COLUMNS)


def test_equal_texts_have_equal_hashes_under_one_key_only() -> None:
    first, same, other = (guard("hashed").protect_text(text, Policy.HASHED) for text in ("a", "a", "b"))
    elsewhere = ContentGuard(
        ContentSettings(content_policy=parse_policies("hashed")), hash_key=Secret("another long enough")
    ).protect_text("a", Policy.HASHED)

    assert first == same
    assert len({first, other, elsewhere}) == 3


@pytest.mark.parametrize("key", [None, Secret(""), Secret("short")])
def test_hashed_without_a_key_that_cannot_be_guessed_is_refused(key: Secret | None) -> None:
    with pytest.raises(ConfigError, match="GENIE_OBS_CONTENT_HASH_KEY"):
        ContentGuard(ContentSettings(content_policy=parse_policies("full;1/s=hashed")), hash_key=key)


def test_error_of_a_statement_follows_the_stricter_of_policy_and_row() -> None:
    text = f"{WORDS} {MARK}"
    of = guard("full; 1=redacted; 2=metrics_only").protect_statement_error

    assert of(text, "3", "s", None) == text
    assert of(text, "3", "s", "full") == text
    assert of(text, "1", "s", "full") == f"{WORDS} [email]"
    assert of(text, "2", "s", "redacted") == "[not kept]"
    assert of(text, "3", "s", "erased") == "[not kept]"
    assert of(text, "3", "s", "hashed") == of(text, "3", "s", "metrics_only") == "[not kept]"
    assert of(None, "2", "s", None) is None


def test_texts_of_a_space_follow_its_policy_and_its_title_stays() -> None:
    row = {
        "title": "Sales",
        "description": f"{WORDS} {MARK}",
        "serialized_space": json.dumps({"q": [f"{WORDS} {MARK}"]}),
    }

    assert guard("full").protect_space(row, "1", "s1") == row
    assert guard("redacted").protect_space(row, "1", "s1") == {
        "title": "Sales",
        "description": f"{WORDS} [email]",
        "serialized_space": json.dumps({"q": [f"{WORDS} [email]"]}, separators=(",", ":")),
    }
    assert guard("1/s1=metrics_only").protect_space(row, "1", "s1") == {
        "title": "Sales",
        "description": "[not kept]",
        "serialized_space": "{}",
    }


def test_every_text_column_is_one_of_the_table() -> None:
    assert set(TEXT_COLUMNS) < set(details_row())
