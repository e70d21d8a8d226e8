from __future__ import annotations

import json
from typing import Any

import pytest

from genie_obs.datasets.messages.parsing.message_rows import parse_message
from genie_obs.errors import ConfigError
from genie_obs.lakehouse.schema import table
from genie_obs.secret import Secret
from genie_obs.security.content_policy import (
    ContentGuard,
    ContentPolicies,
    ContentSettings,
    Policy,
    parse_policies,
)
from genie_obs.security.texts import Texts

KEY = Secret("a key long enough")
MESSAGE_TEXTS = table("message_details").texts
SPACE_TEXTS = table("space_details").texts
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
    return guard(policy, **values).protect(parse_message(RAW), MESSAGE_TEXTS, Policy(policy))


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
    assert protected("full") == parse_message(RAW)


def test_redacted_masks_every_text_and_keeps_the_rest() -> None:
    row = protected("redacted")

    assert MARK not in json.dumps(row)
    assert row["content"] == f"{WORDS} [email] one"
    assert row["suggested_questions"] == [f"{WORDS} [email] seven"]
    expected = json.loads(parse_message(RAW)["attachments_json"].replace(MARK, "[email]"))
    assert json.loads(row["attachments_json"]) == expected


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
    names = (*MESSAGE_TEXTS.names, *MESSAGE_TEXTS.words)
    assert [name for name in names if row.get(name)] == [name for name in names if whole.get(name)]


def test_known_values_of_enumerations_stay_under_every_policy() -> None:
    raw = {**RAW, "status": "COMPLETED", "feedback": {"rating": "NEGATIVE"}, "error": {"type": "SOMETHING_NEW"}}

    row = guard("metrics_only").protect(parse_message(raw), MESSAGE_TEXTS, Policy.METRICS_ONLY)

    assert (row["status"], row["feedback_rating"], row["error_type"]) == ("COMPLETED", "NEGATIVE", "SOMETHING_NEW")


def test_nothing_stays_nothing() -> None:
    empty = parse_message({"message_id": "m1"})

    assert guard("metrics_only").protect(empty, MESSAGE_TEXTS, Policy.METRICS_ONLY) == empty
    assert not [name for name in (*MESSAGE_TEXTS.names, *MESSAGE_TEXTS.words) if empty.get(name)]


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


FOLDER = "/Workspace/Users/bob@example.com/Zebrafish"  # a person's own folder is named by their e-mail address
SPACE = {
    "title": "Sales",
    "description": f"{WORDS} {MARK}",
    "parent_path": FOLDER,
    "serialized_space": json.dumps({"q": [f"{WORDS} {MARK}"]}),
}


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (Policy.FULL, SPACE),
        (
            Policy.REDACTED,
            {
                "title": "Sales",
                "description": f"{WORDS} [email]",
                "parent_path": "/Workspace/Users/[email]/Zebrafish",
                "serialized_space": json.dumps({"q": [f"{WORDS} [email]"]}, separators=(",", ":")),
            },
        ),
        (
            Policy.METRICS_ONLY,
            {
                "title": "Sales",
                "description": "[not kept]",
                "parent_path": "[not kept]",
                "serialized_space": "{}",
            },
        ),
    ],
)
def test_texts_of_a_space_follow_its_policy_its_folder_too_and_its_title_stays(
    policy: Policy, kept: dict[str, Any]
) -> None:
    assert guard("full; 1=redacted; 2=metrics_only").protect(SPACE, SPACE_TEXTS, policy) == kept


TEXTS = Texts(plain=("note",), lists=("labels",), json={"detail": "{}"}, words=("kind",))


def test_only_the_texts_that_a_table_declares_are_touched_and_columns_that_are_not_there_stay_away() -> None:
    row = {"note": "a", "labels": ["b", None], "detail": '{"c": 1}', "kind": "words", "name": "d", "count": 1}

    kept = guard("metrics_only").protect(row, TEXTS, Policy.METRICS_ONLY)

    assert kept == {
        "note": "[not kept]",
        "labels": ["[not kept]", None],
        "detail": "{}",
        "kind": "[not kept]",
        "name": "d",
        "count": 1,
    }
    assert guard("metrics_only").protect({"name": "d"}, TEXTS, Policy.METRICS_ONLY) == {"name": "d"}


@pytest.mark.parametrize("text", ["no JSON", "[" * 100_000 + "]" * 100_000], ids=["no JSON", "too deep"])
def test_json_text_that_cannot_be_walked_is_masked_as_the_text_it_is(text: str) -> None:
    kept = guard("redacted").protect({"detail": f"{text} {MARK}"}, TEXTS, Policy.REDACTED)

    assert MARK not in kept["detail"]
    assert kept["detail"].startswith(text[:5])
