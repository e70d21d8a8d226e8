"""Odd rows of the system tables."""

import random
from datetime import timedelta
from typing import Any

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.history.sampling import sample_share
from genie_obs.simulator.ids import child_id
from genie_obs.simulator.instants import HOUR_US, MINUTE_US, NEVER_US, from_us


def make_statements_odd(account: SimulatedAccount, messages: list[SimulatedMessage], rng: random.Random) -> None:
    """Let some statements never appear, have a negative duration, or be published again."""
    linked = [message for message in messages if message.statement_ids]
    for message in sample_share(rng, linked, 0.08):
        # observed: about one statement in ten never appears (other region, result cache)
        account.statements.by_id[message.workspace_id, message.statement_ids[-1]].visible_us = NEVER_US
    for message in sample_share(rng, linked, 0.01):
        account.statements.by_id[message.workspace_id, message.statement_ids[-1]].is_negative_duration = True
    for message in sample_share(rng, linked, 0.01):
        statement = account.statements.by_id[message.workspace_id, message.statement_ids[-1]]
        # docs: a statement can be published again, and only the newest row stays
        statement.update_us = min(statement.update_us + 3 * HOUR_US, account.clock.now_us)


def repeat_audit_rows(account: SimulatedAccount, rng: random.Random) -> None:
    """Let some audit rows arrive twice."""
    for event in rng.sample(account.audit.events, max(1, len(account.audit.events) // 200)):
        event.copies = 2


def add_odd_audit_rows(account: SimulatedAccount, messages: list[SimulatedMessage], rng: random.Random) -> None:
    """Add refused calls, calls on spaces that nobody knows, and malformed rows."""
    now = account.now
    for number in range(40):  # observed: thousands of ids of deleted or foreign spaces in one account
        dead = child_id(f"{number:032x}", "dead")
        workspace_id = rng.choice(list(account.workspaces))
        at = now - timedelta(hours=rng.uniform(2, 24 * account.spec.days))
        status, action = rng.choice(((404, "getSpace"), (403, "genieGetSpace")))
        account.refused_event(
            workspace_id=workspace_id,
            action=action,
            status=status,
            space_id=dead,
            at=at,
            audit_delay=timedelta(minutes=6),
        )
    for message in sample_share(rng, messages, 0.003, low=2) if messages else []:
        _add_refusals(account, message)
    workspace_id = next(iter(account.workspaces))
    for number, columns in enumerate(_malformed_rows(messages)):
        event_time = now - timedelta(days=1, hours=number)
        row = {"workspace_id": workspace_id, "service_name": "aibiGenie", "event_time": event_time, **columns}
        account.add_raw_audit_row(audit_delay=timedelta(minutes=3), **row)


def _add_refusals(account: SimulatedAccount, message: SimulatedMessage) -> None:
    """Add two refused calls: one with all ids, which proves that the message exists, and one without."""
    at = from_us(min(message.finish_us + HOUR_US, account.clock.now_us - 10 * MINUTE_US))
    account.refused_event(
        workspace_id=message.workspace_id,
        space_id=message.space_id,
        conversation_id=message.conversation_id,
        message_id=message.message_id,
        at=at,
        audit_delay=timedelta(minutes=6),
    )
    account.refused_event(
        workspace_id=message.workspace_id, at=at, action="createConversationMessage", space_id=message.space_id
    )


def _malformed_rows(messages: list[SimulatedMessage]) -> list[dict[str, Any]]:
    def created(params: dict[str, str], result: str | None) -> dict[str, Any]:
        response = {"status_code": 200, "error_message": None, "result": result}
        return {"action_name": "createConversationMessage", "request_params": params, "response": response}

    space_id = messages[0].space_id if messages else "01f000000000100000000000000000aa"
    rows = [
        created({"space_id": space_id, "conversation_id": "01f0"}, '{"message_id":"01f0'),  # JSON that was cut off
        created({"space_id": space_id, "conversation_id": ""}, '{"message_id":"","conversation_id":""}'),  # empty ids
        created({"space_id": "new", "conversation_id": "new"}, None),  # observed: the literal `new`
        created({}, "[]"),
        created({"space_id": space_id}, "null"),
        {
            "action_name": "getConversationMessage",
            "request_params": {"space_id": space_id, "message_id": ""},
            "response": None,
        },
        {"action_name": "getSpace", "request_params": None},
        {"action_name": "someFutureAction", "request_params": {"space_id": space_id}},
    ]
    if messages:
        message = messages[len(messages) // 2]
        # observed: spaceId in place of space_id
        params = {
            "spaceId": message.space_id,
            "conversation_id": message.conversation_id,
            "message_id": message.message_id,
        }
        rows.append(
            {"action_name": "getConversationMessage", "request_params": params, "workspace_id": message.workspace_id}
        )
    return rows
