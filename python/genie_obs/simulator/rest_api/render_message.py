"""Bodies of the Genie REST API.

Every oddity of the real service is written here next to where it is known from: "SDK" is databricks-sdk, "docs" the
Databricks documentation, "observed" public code that reads live workspaces.
"""

import json
from typing import Any

from genie_obs.simulator.account.message import Query, SimulatedConversation, SimulatedMessage, SimulatedSpace
from genie_obs.simulator.account.quirk import Quirk
from genie_obs.simulator.ids import child_id, entropy, from_us


def dump(body: Any) -> bytes:
    """Return compact JSON in UTF-8; characters beyond ASCII stay themselves."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def cached_message(message: SimulatedMessage) -> bytes:
    """Return the rendered body of a message, kept until the message changes."""
    if message.body is not None:
        return message.body
    body = dump(message_body(message))
    if message.is_settled:
        message.body = body
    return body


def message_body(message: SimulatedMessage) -> dict[str, Any]:
    """Return the body of `get message` (`GenieMessage`) as JSON values."""
    flags = message.quirks.value
    body: dict[str, Any] = {
        "space_id": message.space_id,
        "conversation_id": message.conversation_id,
        "message_id": message.message_id,
        "id": message.message_id,
        "content": message.content,
        "status": message.status,
    }
    body["user_id"] = message.user_id  # observed: 0 and null occur
    body["created_timestamp"] = message.created_us // 1000
    body["last_updated_timestamp"] = message.updated_us // 1000
    attachments = (
        [] if message.is_private else _attachments(message)
    )  # observed: private conversations show prompt, status, rating, time only
    if attachments:
        body["attachments"] = attachments
    if message.feedback is not None:  # SDK: no author, no time
        rating, comment = message.feedback
        body["feedback"] = {"rating": rating} if comment is None else {"rating": rating, "comment": comment}
    if message.error is not None and message.status == "FAILED":
        body["error"] = {"error": message.error[1], "type": message.error[0]}
    return _odd(body, message) if flags else body


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
    if quirks & Quirk.UNKNOWN_ATTACHMENT:  # a kind of the future: viz itself was added this way
        canvas = {"attachment_id": message.attachment_id("canvas"), "canvas": {"title": "Summary", "blocks": 3}}
        body["attachments"] = [*(body.get("attachments") or ()), canvas]
    if quirks & Quirk.INT_AS_STRING:  # SDK: its int64 decoder accepts numbers and strings
        for name in ("user_id", "created_timestamp", "last_updated_timestamp"):
            if isinstance(body.get(name), int):
                body[name] = str(body[name])
    return body


def _attachments(message: SimulatedMessage) -> list[dict[str, Any]]:
    # observed: attachments fill in progressively; before the query runs there is none, while it runs it has no result
    status = message.status
    if status not in {"EXECUTING_QUERY", "COMPLETED", "FAILED", "QUERY_RESULT_EXPIRED"} and not message.is_settled:
        return []
    attachments = [_query_attachment(message, index, query) for index, query in enumerate(message.queries)]
    if (
        message.superseded_text is not None and len(attachments) > 1
    ):  # observed: text before the last query is superseded
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


def conversation_body(conversation: SimulatedConversation) -> dict[str, Any]:
    """Return `GenieConversationSummary`: no user, no update time, no count (SDK)."""
    kind = "GENIE_CONVERSATION_TYPE_AGENT" if conversation.is_agent else "GENIE_CONVERSATION_TYPE_CHAT"
    return {
        "conversation_id": conversation.conversation_id,
        "title": conversation.title,
        "created_timestamp": conversation.created_us // 1000,
        "agent_type": kind,
    }


def space_body(space: SimulatedSpace, *, serialized: bool) -> dict[str, Any]:
    """Return `GenieSpace`; `serialized_space` only when it was asked for (docs)."""
    body: dict[str, Any] = {
        "space_id": space.space_id,
        "title": space.title,
        "description": space.description,
        "warehouse_id": space.warehouse_id,
        "parent_path": f"/Workspace/Users/{space.owner.email}",
        "etag": f"{entropy(space.space_id) ^ space.modified_us:016x}"[:16],
        "create_time": from_us(space.created_us).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "update_time": from_us(max(space.created_us, space.modified_us)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if serialized:
        body["serialized_space"] = json.dumps(_serialized_space(space), separators=(",", ":"))
    return body


def _serialized_space(space: SimulatedSpace) -> dict[str, Any]:
    fact = space.fact
    questions = [f"What was {metric.name} last month?" for metric in fact.metrics]
    snippet = f"SELECT {fact.metrics[0].expression} AS {fact.metrics[0].alias} FROM {fact.table} AS f"  # noqa: S608 - a made-up statement, never executed
    return {
        "version": 2,
        "config": {
            "sample_questions": [{"id": child_id(space.space_id, text), "question": [text]} for text in questions]
        },
        "data_sources": {"tables": [{"identifier": table} for table in fact.tables]},
        "instructions": {
            "text_instructions": [
                {
                    "id": child_id(space.space_id, "text"),
                    "content": [f"{term}: {meaning}\n" for term, meaning in space.domain.definitions],
                }
            ],
            "example_question_sqls": [
                {"id": child_id(space.space_id, "example"), "question": [questions[0]], "sql": [snippet]}
            ],
        },
        "benchmarks": {
            "questions": [{"id": child_id(space.space_id, f"b{text}"), "question": [text]} for text in questions]
        },
    }


def statement_response(query: Query) -> dict[str, Any]:
    """Return the rows of a query attachment, as `sql.StatementResponse` (inline, strings)."""
    count = query.row_count or 0
    salt = entropy(query.statement_id or "")
    metric, dimension = query.plan.metric, query.plan.dimension
    grouped = query.plan.shape in {"by", "top", "drop"}
    figures = [f"{value:.10g}" for value in query.plan.values(salt, min(count, 5_000))]  # docs: at most 5,000 rows
    rows = [
        [dimension.values[index % len(dimension.values)], value] if grouped else [value]
        for index, value in enumerate(figures)
    ]
    names = (
        [(dimension.name.replace(" ", "_"), "STRING"), (metric.alias, "DOUBLE")]
        if grouped
        else [(metric.alias, "DOUBLE")]
    )
    columns = [
        {"name": name, "type_text": kind, "type_name": kind, "position": index}
        for index, (name, kind) in enumerate(names)
    ]
    manifest = {
        "format": "JSON_ARRAY",
        "schema": {"column_count": len(columns), "columns": columns},
        "total_chunk_count": 1,
        "total_row_count": len(rows),
        "truncated": query.is_truncated,
    }
    result = {"chunk_index": 0, "row_offset": 0, "row_count": len(rows), "data_array": rows}
    return {
        "statement_response": {
            "statement_id": query.statement_id,
            "status": {"state": "SUCCEEDED"},
            "manifest": manifest,
            "result": result,
        }
    }
