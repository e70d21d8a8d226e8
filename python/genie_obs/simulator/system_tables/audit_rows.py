"""Rows of `system.access.audit`."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genie_obs.simulator.account.audit import AuditEvent
from genie_obs.simulator.ids import entropy, seeded_uuid
from genie_obs.simulator.instants import from_us

SYSTEM_USER = "System-User"  # observed: background work
_BROWSERS = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
)
_PROGRAMS = (
    "databricks-sdk-py/0.67.0 python/3.12.3 os/linux auth/oauth-m2m",
    "python-requests/2.32.5",
    "genie-slack-bot/1.4 databricks-sdk-py/0.60.0",
)
# The server makes the ids of these actions. So they are only in the response (observed: events of creation have no message id in
# their parameters).
_CREATING = {"createConversationMessage", "genieCreateConversationMessage", "genieStartConversationMessage"}


@dataclass(frozen=True, slots=True)
class AuditContext:
    """What is the same in all rows of an account."""

    account_id: str
    seed: int


def event_rows(event: AuditEvent, context: AuditContext) -> list[dict[str, Any]]:
    """Return the rows of an event with its copies, oldest first."""
    template = _row(event, context)
    rows = []
    for index in range(event.repeat):
        at = from_us(event.at_us + index * event.step_us)
        row = dict(template)
        _stamp(row, event, context, index, at)
        rows.extend([row] * event.copies)
    return rows


def _stamp(row: dict[str, Any], event: AuditEvent, context: AuditContext, index: int, at: datetime) -> None:
    row["event_time"] = at
    row["event_date"] = at.date()
    row["event_id"] = seeded_uuid(context.seed, context.account_id, "event", event.seq, index)
    row["request_id"] = seeded_uuid(context.seed, "request", event.seq, index)
    if event.columns:
        row.update(event.columns)


def _row(event: AuditEvent, context: AuditContext) -> dict[str, Any]:
    who = event.user.email if event.user is not None else SYSTEM_USER
    name = event.user.name if event.user is not None else SYSTEM_USER
    status, message = event.error or (200, None)
    salt = entropy(seeded_uuid(who, event.at_us // 3_600_000_000))
    from_program = event.user is None or event.user.application_id is not None or event.action.startswith("genie")
    agents = _PROGRAMS if from_program else _BROWSERS
    return {
        "account_id": context.account_id,
        "workspace_id": event.workspace_id,
        "version": "2.0",
        "source_ip_address": f"10.{salt % 200}.{salt >> 9 & 255}.{(salt >> 17) % 254 + 1}",
        "user_agent": event.user_agent or agents[entropy(seeded_uuid(who)) % len(agents)],
        "session_id": None if from_program else seeded_uuid(context.seed, "session", who, event.at_us // 3_600_000_000),
        "user_identity": {
            "email": who,
            "subject_name": event.user.application_id if event.user is not None else SYSTEM_USER,
        },
        "service_name": "aibiGenie",
        "action_name": event.action,
        "request_params": list(_params(event).items()),
        "response": {
            "status_code": status,
            "error_message": message,
            "result": _result(event) if event.error is None else None,
        },
        "audit_level": "ACCOUNT_LEVEL" if event.workspace_id == "0" else "WORKSPACE_LEVEL",
        "identity_metadata": {
            "run_by": who,
            "run_as": who,
            "acting_resource": None,
            "run_by_display_name": name,
            "run_as_display_name": name,
        },
    }


def _params(event: AuditEvent) -> dict[str, str]:
    params: dict[str, str] = {}
    message = event.message
    space_id = message.space_id if message is not None else event.space_id
    conversation_id = message.conversation_id if message is not None else event.conversation_id
    if space_id is not None:
        params["space_id"] = space_id
    if conversation_id is not None and event.action != "genieStartConversationMessage":
        params["conversation_id"] = conversation_id
    if message is not None and event.action not in _CREATING:
        params["message_id"] = message.message_id
    if event.params:
        params.update(event.params)
    return params


def _result(event: AuditEvent) -> str | None:
    message = event.message
    if event.action == "createConversation":
        return _json({"conversation_id": event.conversation_id, "space_id": event.space_id})
    if event.action in {"createSpace", "genieCreateSpace", "cloneSpace"}:
        return _json({"space_id": event.space_id})
    if message is None or event.action not in _CREATING:
        return None
    ids: dict[str, Any] = {
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        "space_id": message.space_id,
    }
    if event.action == "createConversationMessage":
        return _json({**ids, "user_id": message.user_id})
    if event.action == "genieCreateConversationMessage":
        return _json({"id": message.message_id, **ids})
    # docs: GenieStartConversationResponse, but without the text (observed)
    return _json(
        {
            "message_id": message.message_id,
            "conversation_id": message.conversation_id,
            "conversation": {"id": message.conversation_id, "space_id": message.space_id},
            "message": {"id": message.message_id, **ids},
        }
    )


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
