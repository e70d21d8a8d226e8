"""What in a message is not as Databricks' SDK describes it. Never says a user's words."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from genie_obs.datasets.messages.parsing.json_values import to_int64, to_mapping, to_milliseconds
from genie_obs.datasets.messages.parsing.known_values import (
    KNOWN_ATTACHMENT_KINDS,
    KNOWN_ERROR_TYPES,
    KNOWN_FIELDS,
    KNOWN_PURPOSES,
    KNOWN_RATINGS,
    KNOWN_STATUSES,
)
from genie_obs.drift import describe_unknown, json_type
from genie_obs.json_text import to_json

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def find_drift(raw: Mapping[str, Any], parsed: Mapping[str, Any] | None = None) -> list[str]:
    """Return what in a message is not as Databricks' SDK describes it, each once; never a user's text.

    For example ``status: unknown value PAUSED`` or ``attachments[].chart: unknown kind``.

    Args:
        raw: the message.
        parsed: what `parse_message` made of it, if the caller has it: saves writing its attachments as JSON once more.
    """
    drifts = list(dict.fromkeys(_drifts(raw)))
    attachments = raw.get("attachments")
    if attachments is not None and (to_json(attachments) if parsed is None else parsed["attachments_json"]) is None:
        drifts.append("attachments: too deeply nested to be stored")
    return drifts


def _drifts(raw: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{_name(name)}: unknown field" for name in raw if name not in KNOWN_FIELDS)
    if not raw.get("message_id") and not raw.get("id"):
        yield "message_id: missing"
    yield from _text_drifts("", raw, ("message_id", "conversation_id", "space_id", "content"))
    yield from _enum_drifts("status", raw.get("status"), KNOWN_STATUSES)
    for name in ("created_timestamp", "last_updated_timestamp"):
        yield from _number_drifts(name, raw.get(name))
        if to_int64(raw.get(name)) is not None and to_milliseconds(raw.get(name)) is None:
            yield f"{name}: implausible value"
    if isinstance(raw.get("user_id"), bool | float | list | dict):
        yield f"user_id: expected id, got {json_type(raw['user_id'])}"
    yield from _object_drifts("feedback", raw.get("feedback"))
    yield from _enum_drifts("feedback.rating", to_mapping(raw.get("feedback")).get("rating"), KNOWN_RATINGS)
    yield from _text_drifts("feedback.", to_mapping(raw.get("feedback")), ("comment",))
    if not isinstance(raw.get("error"), str):  # a plain text is a known older form
        yield from _object_drifts("error", raw.get("error"))
    yield from _enum_drifts("error.type", to_mapping(raw.get("error")).get("type"), KNOWN_ERROR_TYPES)
    yield from _text_drifts("error.", to_mapping(raw.get("error")), ("error",))
    yield from _object_drifts("query_result", raw.get("query_result"))
    yield from _attachments_drifts(raw.get("attachments"))


def _attachments_drifts(attachments: Any) -> Iterator[str]:
    if attachments is not None and not isinstance(attachments, list):
        yield f"attachments: expected list, got {json_type(attachments)}"
    for part in attachments if isinstance(attachments, list) else ():
        yield from _object_drifts("attachments[]", part, may_be_none=False)
        for kind, value in to_mapping(part).items():
            if kind in KNOWN_ATTACHMENT_KINDS:
                yield from _object_drifts(f"attachments[].{kind}", value)
            elif isinstance(value, dict | list):
                yield f"attachments[].{_name(kind)}: unknown kind"
        yield from _part_drifts(to_mapping(part))


def _part_drifts(part: Mapping[str, Any]) -> Iterator[str]:
    query, text = to_mapping(part.get("query")), to_mapping(part.get("text"))
    yield from _text_drifts("attachments[].query.", query, ("query", "title", "description", "statement_id"))
    yield from _object_drifts("attachments[].query.query_result_metadata", query.get("query_result_metadata"))
    row_count = to_mapping(query.get("query_result_metadata")).get("row_count")
    yield from _number_drifts("attachments[].query.query_result_metadata.row_count", row_count)
    yield from _text_drifts("attachments[].text.", text, ("content",))
    yield from _enum_drifts("attachments[].text.purpose", text.get("purpose"), KNOWN_PURPOSES)
    questions = to_mapping(part.get("suggested_questions")).get("questions")
    if questions is not None and not (isinstance(questions, list) and all(isinstance(text, str) for text in questions)):
        yield "attachments[].suggested_questions.questions: expected list of strings"


def _text_drifts(prefix: str, values: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        value = values.get(name)
        if value is not None and not isinstance(value, str):
            yield f"{prefix}{name}: expected string, got {json_type(value)}"


def _number_drifts(name: str, value: Any) -> Iterator[str]:
    if value is not None and to_int64(value) is None:
        yield f"{name}: expected integer, got {json_type(value)}"


def _object_drifts(name: str, value: Any, *, may_be_none: bool = True) -> Iterator[str]:
    if not isinstance(value, dict) and not (value is None and may_be_none):
        yield f"{name}: expected object, got {json_type(value)}"


def _enum_drifts(name: str, value: Any, known: frozenset[str]) -> Iterator[str]:
    if value is None or (isinstance(value, str) and value in known):
        return
    if isinstance(value, str):
        yield describe_unknown(name, value)
    else:
        yield f"{name}: expected string, got {json_type(value)}"


def _name(key: str) -> str:
    return key if _FIELD_NAME.fullmatch(key) else "(unreadable name)"
