"""Bodies of spaces and conversations."""

import json
from typing import Any

from genie_obs.simulator.account.space import SimulatedConversation, SimulatedSpace
from genie_obs.simulator.ids import child_id, entropy
from genie_obs.simulator.instants import from_us


def conversation_body(conversation: SimulatedConversation) -> dict[str, Any]:
    """Return `GenieConversationSummary`. It has no user, no update time and no count (SDK)."""
    kind = "GENIE_CONVERSATION_TYPE_AGENT" if conversation.is_agent else "GENIE_CONVERSATION_TYPE_CHAT"
    return {
        "conversation_id": conversation.conversation_id,
        "title": conversation.title,
        "created_timestamp": conversation.created_us // 1000,
        "agent_type": kind,
    }


def space_body(space: SimulatedSpace, *, serialized: bool) -> dict[str, Any]:
    """Return `GenieSpace`, with `serialized_space` only if `serialized` (docs)."""
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
