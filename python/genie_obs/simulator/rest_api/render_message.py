"""Bodies of messages. A comment beside each oddity of the real service says how it is known."""

from typing import Any

from genie_obs.simulator.account.message import Query, SimulatedMessage
from genie_obs.simulator.account.quirk import Quirk
from genie_obs.simulator.ids import child_id
from genie_obs.simulator.rest_api.responses import dump


def cached_message(message: SimulatedMessage) -> bytes:
    """Return the body of a message as JSON. It is kept until the message changes."""
    if message.body is not None:
        return message.body
    body = dump(message_body(message))
    if message.is_settled:
        message.body = body
    return body


def message_body(message: SimulatedMessage) -> dict[str, Any]:
    """Return the body of `get message` (`GenieMessage`) as JSON values."""
    body: dict[str, Any] = {
        "space_id": message.space_id,
        "conversation_id": message.conversation_id,
        "message_id": message.message_id,
        "id": message.message_id,
        "content": message.content,
        "status": message.status,
        "user_id": message.user_id,  # observed: 0 and null occur
        "created_timestamp": message.created_us // 1000,
        "last_updated_timestamp": message.updated_us // 1000,
    }
    # observed: a private conversation shows only prompt, status, rating and times
    attachments = [] if message.is_private else _attachments(message)
    if attachments:
        body["attachments"] = attachments
    if message.feedback is not None:  # SDK: no author, no time
        rating, comment = message.feedback
        body["feedback"] = {"rating": rating} if comment is None else {"rating": rating, "comment": comment}
    if message.error is not None and message.status == "FAILED":
        body["error"] = {"error": message.error[1], "type": message.error[0]}
    return _odd(body, message) if message.quirks else body


def _odd(body: dict[str, Any], message: SimulatedMessage) -> dict[str, Any]:
    quirks = message.quirks
    if quirks & Quirk.DEPRECATED_RESULT and message.statement_ids:  # SDK: deprecated, still sent
        query = next(query for query in reversed(message.queries) if query.statement_id)
        body["query_result"] = {
            "statement_id": query.statement_id,
            "row_count": query.row_count,
            "is_truncated": query.is_truncated,
        }
    if quirks & Quirk.NULL_LEGACY_ID:  # observed: the legacy id can be null
        body["id"] = None
    if quirks & Quirk.SECONDS:  # docs: the tutorial shows ten-digit values
        body["created_timestamp"] //= 1000
        body["last_updated_timestamp"] //= 1000
    if quirks & Quirk.NO_TIMESTAMPS:  # SDK: optional
        del body["created_timestamp"], body["last_updated_timestamp"]
    if quirks & Quirk.ATTACHMENTS_NULL:  # observed: databricks-ai-bridge issue 163, also on COMPLETED messages
        body["attachments"] = None
    if quirks & Quirk.ATTACHMENTS_MISSING:  # SDK: optional
        body.pop("attachments", None)
    if quirks & Quirk.ATTACHMENTS_EMPTY:
        body["attachments"] = []
    if quirks & Quirk.UNKNOWN_ATTACHMENT:  # a kind that does not exist yet; `viz` was added in this way
        canvas = {"attachment_id": message.attachment_id("canvas"), "canvas": {"title": "Summary", "blocks": 3}}
        body["attachments"] = [*(body.get("attachments") or ()), canvas]
    if quirks & Quirk.INT_AS_STRING:  # SDK: its int64 decoder accepts numbers and strings
        for name in ("user_id", "created_timestamp", "last_updated_timestamp"):
            if isinstance(body.get(name), int):
                body[name] = str(body[name])
    return body


def _attachments(message: SimulatedMessage) -> list[dict[str, Any]]:
    # observed: attachments appear step by step. Before the query runs there are none; while it runs it has no result.
    status = message.status
    if status not in {"EXECUTING_QUERY", "COMPLETED", "FAILED", "QUERY_RESULT_EXPIRED"} and not message.is_settled:
        return []
    attachments = [_query_attachment(message, index, query) for index, query in enumerate(message.queries)]
    if message.superseded_text is not None and len(attachments) > 1:
        # observed: text before the last query is superseded
        attachments.insert(1, _text(message, "text-0", message.superseded_text, "TEXT_ATTACHMENT_PURPOSE_ANSWER"))
    if status == "EXECUTING_QUERY":
        return attachments
    if message.text is not None:
        purpose = "FOLLOW_UP_QUESTION" if message.is_clarification else "TEXT_ATTACHMENT_PURPOSE_ANSWER"
        attachments.append(_text(message, "text", message.text, purpose))
    if message.has_chart and message.queries:  # SDK: viz
        chart = {
            "title": message.queries[-1].plan.title(),
            "query_attachment_id": message.attachment_id(f"query-{len(message.queries) - 1}"),
        }
        attachments.append({"attachment_id": message.attachment_id("viz"), "viz": chart})
    if message.suggestions:
        attachments.append(
            {
                "attachment_id": message.attachment_id("suggestions"),
                "suggested_questions": {"questions": list(message.suggestions)},
            }
        )
    return attachments


def _text(message: SimulatedMessage, name: str, content: str, purpose: str) -> dict[str, Any]:
    text: dict[str, Any] = {"id": child_id(message.message_id, f"{name}-content"), "content": content}
    if not message.quirks & Quirk.NO_TEXT_PURPOSE:  # SDK: optional; older answers have none
        text["purpose"] = purpose
    return {"attachment_id": message.attachment_id(name), "text": text}


def _query_attachment(message: SimulatedMessage, index: int, query: Query) -> dict[str, Any]:
    attachment_id = message.attachment_id(f"query-{index}")
    body: dict[str, Any] = {
        "id": attachment_id,
        "title": query.plan.title(),
        "description": query.plan.description(),
        "query": query.sql,
    }
    if query.statement_id is not None:
        body["statement_id"] = query.statement_id
    if message.quirks & Quirk.INT_AS_STRING:
        body["last_updated_timestamp"] = str(message.updated_us // 1000)
    else:
        body["last_updated_timestamp"] = message.updated_us // 1000
    if query.plan.shape == "filter":  # SDK: parameters of a trusted (parameterised) answer
        body["parameters"] = [
            {"keyword": query.plan.dimension.name.replace(" ", "_"), "sql_type": "STRING", "value": query.plan.value}
        ]
    if message.quirks & Quirk.THOUGHTS:  # SDK: thoughts, on newer messages
        body["thoughts"] = [
            {"content": f"The user wants {query.plan.metric.name}.", "thought_type": "THOUGHT_TYPE_UNDERSTANDING"},
            {"content": f"{query.plan.fact.table} holds it.", "thought_type": "THOUGHT_TYPE_DATA_SOURCING"},
        ]
    if query.row_count is not None and message.status != "EXECUTING_QUERY":
        body["query_result_metadata"] = _result_metadata(message, query)
    return {"attachment_id": attachment_id, "query": body}


def _result_metadata(message: SimulatedMessage, query: Query) -> dict[str, Any]:
    row_count: int | str | None = str(query.row_count) if message.quirks & Quirk.INT_AS_STRING else query.row_count
    return {"row_count": row_count, "is_truncated": query.is_truncated}
