r"""One Genie message, as the API sends it, to the values of one row.

`parse_message` raises for no JSON object, because one odd message must not stop a run. What it had to change is named by `find_drift`
in `message_drift`. Words from a list, such as statuses, are kept verbatim, also when they are not known. (The decoder of the SDK drops
those; this is why it is not used here.)

JSON may hold lone surrogates, which UTF-8 cannot. Each of them is stored as the six characters of its escape (``\ud800``). In
`attachments_json` that is the same JSON value; in a plain text it is visible.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genie_obs.datasets.messages.parsing.json_values import to_int64, to_mapping, to_milliseconds
from genie_obs.datasets.messages.parsing.known_values import FOLLOW_UP_QUESTION, KNOWN_RATINGS
from genie_obs.json_text import to_json, to_text

_PARAGRAPH = "\n\n"


def parse_message(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row values of one message; timestamps in ms since 1970 UTC, missing values None (lists: empty).

    A value of an unexpected type becomes JSON text in a text column and None elsewhere.
    """
    attachments = _attachments(raw)
    rating, comment = _feedback(raw.get("feedback"))
    error_message, error_type = _error(raw.get("error"))
    return {
        "message_id": to_text(raw.get("message_id")) or to_text(raw.get("id")) or None,
        "conversation_id": to_text(raw.get("conversation_id")),
        "space_id": to_text(raw.get("space_id")),
        "user_id": _user_id(raw.get("user_id")),
        "content": to_text(raw.get("content")),
        "status": to_text(raw.get("status")),
        "created_timestamp": to_milliseconds(raw.get("created_timestamp")),
        "updated_timestamp": to_milliseconds(raw.get("last_updated_timestamp")),
        **_query_values(attachments, to_mapping(raw.get("query_result"))),
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
    """Return the values of the last query, which is the answer; those before it are attempts that the service corrected."""
    queries = [query for part in attachments if (query := _part(part, "query")) is not None]
    answer = queries[-1] if queries else {}
    # Deprecated in favour of the attachment, and still the only source in older messages.
    statement_id = to_text(answer.get("statement_id")) or to_text(query_result.get("statement_id"))
    row_count = to_int64(to_mapping(answer.get("query_result_metadata")).get("row_count"))
    candidates = [*(to_text(query.get("statement_id")) for query in queries), statement_id]
    return {
        "query_sql": to_text(answer.get("query")),
        "query_title": to_text(answer.get("title")),
        "query_description": to_text(answer.get("description")),
        "statement_id": statement_id or None,
        "query_row_count": row_count if row_count is not None else to_int64(query_result.get("row_count")),
        "statement_ids": list(dict.fromkeys(filter(None, candidates))),
    }


def _text_values(attachments: Sequence[Any]) -> dict[str, Any]:
    """Return the answer in words, and what Genie asked back.

    Text between the first and the last query belongs to an attempt that was corrected, and is left out. For example, of text A, query,
    text B, query, text C the answer is A and C.
    """
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
    text = to_mapping(part).get("text")
    if isinstance(text, dict):
        return to_text(text.get("content")), text.get("purpose")
    return to_text(text), None


def _questions(part: Any) -> Iterator[str]:
    suggested = to_mapping(part).get("suggested_questions")
    questions = suggested.get("questions") if isinstance(suggested, dict) else suggested
    for question in questions if isinstance(questions, list) else ():
        if text := to_text(question):
            yield text


def _part(part: Any, kind: str) -> Mapping[str, Any] | None:
    value = to_mapping(part).get(kind)
    return value if isinstance(value, dict) else None


def _feedback(feedback: Any) -> tuple[str | None, str | None]:
    """Return rating and comment; feedback of another form is kept whole, as a rating if it is one."""
    if isinstance(feedback, dict):
        return to_text(feedback.get("rating")), to_text(feedback.get("comment"))
    whole = to_text(feedback)
    return (whole, None) if whole in KNOWN_RATINGS else (None, whole)


def _error(error: Any) -> tuple[str | None, str | None]:
    """Return message and type."""
    if isinstance(error, dict):
        return to_text(error.get("error")), to_text(error.get("type"))
    return to_text(error), None


def _user_id(value: Any) -> str | None:
    text = to_text(value)
    return None if text is None or text.strip() in {"", "0"} else text
