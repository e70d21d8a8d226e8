r"""One Genie message, as the API sends it, to the values of one row.

Pure and total: `parse_message` raises for no JSON object whatever, as one odd message must not stop a run. What it had
to bend is named by `find_drift`, in words that never contain a user's text. Enum values are kept verbatim, known or
not (the SDK's decoder drops unknown ones, which is why it is not used here).

Text with lone surrogates, legal in JSON and impossible in UTF-8, is stored with each of them written as the six
characters of its escape (``\ud800``). In `attachments_json` that is the same JSON value; in a plain text it is visible.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from genie_obs.drift import describe_unknown, json_type
from genie_obs.json_text import escape_lone_surrogates, to_json

TERMINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELLED", "QUERY_RESULT_EXPIRED"})
"""Statuses after which the answer no longer changes by itself (`TERMINAL_STATES` of databricks-ai-bridge)."""

KNOWN_STATUSES = TERMINAL_STATUSES | {
    # databricks-sdk, dashboards.MessageStatus
    "SUBMITTED",
    "FETCHING_METADATA",
    "FILTERING_CONTEXT",
    "ASKING_AI",
    "PENDING_WAREHOUSE",
    "EXECUTING_QUERY",
    "IN_PROGRESS",  # only in the examples of the conversation API's documentation
}

# databricks-sdk, dashboards.MessageErrorType
KNOWN_ERROR_TYPES = frozenset(
    """
    BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION CHAT_COMPLETION_CLIENT_EXCEPTION CHAT_COMPLETION_CLIENT_TIMEOUT_EXCEPTION
    CHAT_COMPLETION_NETWORK_EXCEPTION CONTENT_FILTER_EXCEPTION CONTEXT_EXCEEDED_EXCEPTION
    COULD_NOT_GET_DASHBOARD_SCHEMA_EXCEPTION COULD_NOT_GET_MODEL_DEPLOYMENTS_EXCEPTION
    COULD_NOT_GET_UC_SCHEMA_EXCEPTION DEPLOYMENT_NOT_FOUND_EXCEPTION DESCRIBE_QUERY_INVALID_SQL_ERROR
    DESCRIBE_QUERY_TIMEOUT DESCRIBE_QUERY_UNEXPECTED_FAILURE EXCEEDED_MAX_TOKEN_LENGTH_EXCEPTION
    FUNCTIONS_NOT_AVAILABLE_EXCEPTION FUNCTION_ARGUMENTS_INVALID_EXCEPTION FUNCTION_ARGUMENTS_INVALID_JSON_EXCEPTION
    FUNCTION_ARGUMENTS_INVALID_TYPE_EXCEPTION FUNCTION_CALL_MISSING_PARAMETER_EXCEPTION
    GENERATED_SQL_QUERY_TOO_LONG_EXCEPTION GENERIC_CHAT_COMPLETION_EXCEPTION
    GENERIC_CHAT_COMPLETION_SERVICE_EXCEPTION GENERIC_SQL_EXEC_API_CALL_EXCEPTION
    ILLEGAL_PARAMETER_DEFINITION_EXCEPTION INTERNAL_CATALOG_ASSET_CREATION_FAILED_EXCEPTION
    INTERNAL_CATALOG_ASSET_CREATION_ONGOING_EXCEPTION INTERNAL_CATALOG_ASSET_CREATION_UNSUPPORTED_EXCEPTION
    INTERNAL_CATALOG_MISSING_UC_PATH_EXCEPTION INTERNAL_CATALOG_PATH_OVERLAP_EXCEPTION
    INVALID_CERTIFIED_ANSWER_FUNCTION_EXCEPTION INVALID_CERTIFIED_ANSWER_IDENTIFIER_EXCEPTION
    INVALID_CHAT_COMPLETION_JSON_EXCEPTION INVALID_COMPLETION_REQUEST_EXCEPTION INVALID_FUNCTION_CALL_EXCEPTION
    INVALID_SQL_MULTIPLE_DATASET_REFERENCES_EXCEPTION INVALID_SQL_MULTIPLE_STATEMENTS_EXCEPTION
    INVALID_SQL_UNKNOWN_TABLE_EXCEPTION INVALID_TABLE_IDENTIFIER_EXCEPTION LOCAL_CONTEXT_EXCEEDED_EXCEPTION
    MESSAGE_ATTACHMENT_TOO_LONG_ERROR MESSAGE_CANCELLED_WHILE_EXECUTING_EXCEPTION
    MESSAGE_DELETED_WHILE_EXECUTING_EXCEPTION MESSAGE_UPDATED_WHILE_EXECUTING_EXCEPTION MISSING_SQL_QUERY_EXCEPTION
    NO_DEPLOYMENTS_AVAILABLE_TO_WORKSPACE NO_QUERY_TO_VISUALIZE_EXCEPTION NO_TABLES_TO_QUERY_EXCEPTION
    RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION RATE_LIMIT_EXCEEDED_SPECIFIED_WAIT_EXCEPTION
    REPLY_PROCESS_TIMEOUT_EXCEPTION RETRYABLE_PROCESSING_EXCEPTION SQL_EXECUTION_EXCEPTION
    STOP_PROCESS_DUE_TO_AUTO_REGENERATE TABLES_MISSING_EXCEPTION TOO_MANY_CERTIFIED_ANSWERS_EXCEPTION
    TOO_MANY_TABLES_EXCEPTION UNEXPECTED_REPLY_PROCESS_EXCEPTION UNKNOWN_AI_MODEL
    UNSUPPORTED_CONVERSATION_TYPE_EXCEPTION WAREHOUSE_ACCESS_MISSING_EXCEPTION WAREHOUSE_NOT_FOUND_EXCEPTION
    """.split()  # noqa: SIM905 - sixty quoted lines say no more
)
KNOWN_RATINGS = frozenset({"POSITIVE", "NEGATIVE", "NONE"})  # databricks-sdk, dashboards.GenieFeedbackRating
FOLLOW_UP_QUESTION = "FOLLOW_UP_QUESTION"
# databricks-sdk, dashboards.TextAttachmentPurpose
KNOWN_PURPOSES = frozenset({FOLLOW_UP_QUESTION, "TEXT_ATTACHMENT_PURPOSE_ANSWER"})
# databricks-sdk, dashboards.GenieMessage, and what the service sends beyond it
KNOWN_FIELDS = frozenset(
    """
    message_id id conversation_id space_id content status user_id created_timestamp last_updated_timestamp attachments
    feedback error query_result auto_regenerate_count
    """.split()  # noqa: SIM905
)
KNOWN_ATTACHMENT_KINDS = frozenset(
    {"query", "text", "suggested_questions", "viz"}
)  # databricks-sdk, dashboards.GenieAttachment

_PARAGRAPH = "\n\n"
_SECONDS_BELOW = 100_000_000_000  # the documentation's examples are in seconds, the service sends milliseconds
_EARLIEST_MS = 946_684_800_000  # 2000-01-01
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 4_102_444_800_000  # 2100-01-01
_INT64_BOUND = 1 << 63
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def is_terminal(status: str | None) -> bool:
    """Return whether the answer is final; a status nobody knows yet is not."""
    return status in TERMINAL_STATUSES


def parse_message(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row values of one message; timestamps in ms since 1970 UTC, missing values None (lists: empty).

    A value of an unexpected type becomes JSON text in a text column and None elsewhere.
    """
    attachments = _attachments(raw)
    rating, comment = _feedback(raw.get("feedback"))
    error_message, error_type = _error(raw.get("error"))
    return {
        "message_id": _text(raw.get("message_id")) or _text(raw.get("id")) or None,
        "conversation_id": _text(raw.get("conversation_id")),
        "space_id": _text(raw.get("space_id")),
        "user_id": _user_id(raw.get("user_id")),
        "content": _text(raw.get("content")),
        "status": _text(raw.get("status")),
        "created_timestamp": _timestamp_ms(raw.get("created_timestamp")),
        "updated_timestamp": _timestamp_ms(raw.get("last_updated_timestamp")),
        **_query_values(attachments, _mapping(raw.get("query_result"))),
        **_text_values(attachments),
        "suggested_questions": [text for part in attachments for text in _questions(part)],
        "attachments_count": len(attachments),
        "attachments_json": None if raw.get("attachments") is None else to_json(raw["attachments"]),
        "feedback_rating": rating,
        "feedback_comment": comment,
        "error_type": error_type,
        "error_message": error_message,
    }


def _attachments(raw: Mapping[str, Any]) -> Sequence[Any]:
    attachments = raw.get("attachments")
    return attachments if isinstance(attachments, list) else []


def _query_values(attachments: Sequence[Any], query_result: Mapping[str, Any]) -> dict[str, Any]:
    """The last query is the answer; those before it are attempts the service corrected itself."""
    queries = [query for part in attachments if (query := _part(part, "query")) is not None]
    answer = queries[-1] if queries else {}
    # Deprecated in favour of the attachment, and still the only source in older messages.
    statement_id = _text(answer.get("statement_id")) or _text(query_result.get("statement_id"))
    row_count = _int64(_mapping(answer.get("query_result_metadata")).get("row_count"))
    candidates = [*(_text(query.get("statement_id")) for query in queries), statement_id]
    return {
        "query_sql": _text(answer.get("query")),
        "query_title": _text(answer.get("title")),
        "query_description": _text(answer.get("description")),
        "statement_id": statement_id or None,
        "query_row_count": row_count if row_count is not None else _int64(query_result.get("row_count")),
        "statement_ids": list(dict.fromkeys(filter(None, candidates))),
    }


def _text_values(attachments: Sequence[Any]) -> dict[str, Any]:
    query_positions = [at for at, part in enumerate(attachments) if _part(part, "query") is not None]
    superseded = range(query_positions[0], query_positions[-1]) if query_positions else range(0)
    answers: list[str] = []
    clarifications: list[str] = []
    for at, part in enumerate(attachments):
        text, purpose = _text_part(part)
        if not text:
            continue
        if purpose == FOLLOW_UP_QUESTION:
            clarifications.append(text)
        elif at not in superseded:
            answers.append(text)
    return {
        "answer_text": _PARAGRAPH.join(answers) or None,
        "clarification_text": _PARAGRAPH.join(clarifications) or None,
    }


def _text_part(part: Any) -> tuple[str | None, Any]:
    text = _mapping(part).get("text")
    if isinstance(text, dict):
        return _text(text.get("content")), text.get("purpose")
    return _text(text), None


def _questions(part: Any) -> Iterator[str]:
    suggested = _mapping(part).get("suggested_questions")
    questions = suggested.get("questions") if isinstance(suggested, dict) else suggested
    for question in questions if isinstance(questions, list) else ():
        if text := _text(question):
            yield text


def _part(part: Any, kind: str) -> Mapping[str, Any] | None:
    value = _mapping(part).get(kind)
    return value if isinstance(value, dict) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _feedback(feedback: Any) -> tuple[str | None, str | None]:
    """Return rating and comment; feedback of another form is kept whole, as a rating if it is one."""
    if isinstance(feedback, dict):
        return _text(feedback.get("rating")), _text(feedback.get("comment"))
    whole = _text(feedback)
    return (whole, None) if whole in KNOWN_RATINGS else (None, whole)


def _error(error: Any) -> tuple[str | None, str | None]:
    """Return message and type."""
    if isinstance(error, dict):
        return _text(error.get("error")), _text(error.get("type"))
    return _text(error), None


def _user_id(value: Any) -> str | None:
    text = _text(value)
    return None if text is None or text.strip() in {"", "0"} else text


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return escape_lone_surrogates(value) if isinstance(value, str) else to_json(value)


def _int64(value: Any) -> int | None:
    """Return an int64, which the service sends as a number or as a string."""
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value) else None
    elif isinstance(value, float):
        value = int(value) if math.isfinite(value) and value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_INT64_BOUND <= value < _INT64_BOUND else None


def _timestamp_ms(value: Any) -> int | None:
    number = _int64(value)
    if number is None:
        return _rfc3339_ms(value)
    milliseconds = number * 1_000 if number < _SECONDS_BELOW else number
    return milliseconds if _EARLIEST_MS <= milliseconds < _LATEST_MS else None


def _rfc3339_ms(value: Any) -> int | None:
    """Read a time as text, which newer APIs of Databricks send; the one of Genie's messages has not been seen to."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if instant is None:
        return None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    try:
        milliseconds = (instant - _EPOCH) // timedelta(milliseconds=1)
    except OverflowError:  # an offset that leads out of the calendar
        return None
    return milliseconds if _EARLIEST_MS <= milliseconds < _LATEST_MS else None


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
        if _int64(raw.get(name)) is not None and _timestamp_ms(raw.get(name)) is None:
            yield f"{name}: implausible value"
    if isinstance(raw.get("user_id"), bool | float | list | dict):
        yield f"user_id: expected id, got {json_type(raw['user_id'])}"
    yield from _object_drifts("feedback", raw.get("feedback"))
    yield from _enum_drifts("feedback.rating", _mapping(raw.get("feedback")).get("rating"), KNOWN_RATINGS)
    yield from _text_drifts("feedback.", _mapping(raw.get("feedback")), ("comment",))
    if not isinstance(raw.get("error"), str):  # a plain text is a known older form
        yield from _object_drifts("error", raw.get("error"))
    yield from _enum_drifts("error.type", _mapping(raw.get("error")).get("type"), KNOWN_ERROR_TYPES)
    yield from _text_drifts("error.", _mapping(raw.get("error")), ("error",))
    yield from _object_drifts("query_result", raw.get("query_result"))
    yield from _attachments_drifts(raw.get("attachments"))


def _attachments_drifts(attachments: Any) -> Iterator[str]:
    if attachments is not None and not isinstance(attachments, list):
        yield f"attachments: expected list, got {json_type(attachments)}"
    for part in attachments if isinstance(attachments, list) else ():
        yield from _object_drifts("attachments[]", part, may_be_none=False)
        for kind, value in _mapping(part).items():
            if kind in KNOWN_ATTACHMENT_KINDS:
                yield from _object_drifts(f"attachments[].{kind}", value)
            elif isinstance(value, dict | list):
                yield f"attachments[].{_name(kind)}: unknown kind"
        yield from _part_drifts(_mapping(part))


def _part_drifts(part: Mapping[str, Any]) -> Iterator[str]:
    query, text = _mapping(part.get("query")), _mapping(part.get("text"))
    yield from _text_drifts("attachments[].query.", query, ("query", "title", "description", "statement_id"))
    yield from _object_drifts("attachments[].query.query_result_metadata", query.get("query_result_metadata"))
    row_count = _mapping(query.get("query_result_metadata")).get("row_count")
    yield from _number_drifts("attachments[].query.query_result_metadata.row_count", row_count)
    yield from _text_drifts("attachments[].text.", text, ("content",))
    yield from _enum_drifts("attachments[].text.purpose", text.get("purpose"), KNOWN_PURPOSES)
    questions = _mapping(part.get("suggested_questions")).get("questions")
    if questions is not None and not (isinstance(questions, list) and all(isinstance(text, str) for text in questions)):
        yield "attachments[].suggested_questions.questions: expected list of strings"


def _text_drifts(prefix: str, values: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        value = values.get(name)
        if value is not None and not isinstance(value, str):
            yield f"{prefix}{name}: expected string, got {json_type(value)}"


def _number_drifts(name: str, value: Any) -> Iterator[str]:
    if value is not None and _int64(value) is None:
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
