"""What makes a real account hard to observe, each with where it is known from.

"SDK": databricks-sdk. "docs": Databricks documentation. "observed": public code that reads live accounts.
"""

import random
from datetime import timedelta
from typing import Any

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.message import SimulatedMessage, SimulatedSpace
from genie_obs.simulator.account.quirk import Quirk
from genie_obs.simulator.history.actions import add_own_reads, add_remaining_actions
from genie_obs.simulator.history.benchmarks import add_benchmark_runs
from genie_obs.simulator.history.life import Life
from genie_obs.simulator.ids import DAY_US, HOUR_US, MINUTE_US, NEVER_US, child_id, from_us

# Share of messages with each shape, tried one after another.
_SHAPES = (
    (Quirk.INT_AS_STRING, 0.25),
    (Quirk.NULL_LEGACY_ID, 0.10),
    (Quirk.DEPRECATED_RESULT, 0.20),
    (Quirk.NO_TEXT_PURPOSE, 0.10),
    (Quirk.THOUGHTS, 0.15),
    (Quirk.SECONDS, 0.01),
    (Quirk.NO_TIMESTAMPS, 0.005),
    (Quirk.ATTACHMENTS_NULL, 0.004),
    (Quirk.ATTACHMENTS_MISSING, 0.004),
    (Quirk.ATTACHMENTS_EMPTY, 0.004),
    (Quirk.UNKNOWN_ATTACHMENT, 0.004),
    (Quirk.USER_ZERO, 0.003),
    (Quirk.USER_NULL, 0.003),
)
_LONG_CONVERSATIONS = (130, 210)
HOSTILE_TEXTS = (
    "Umsatz 📈 für die Region “Süd” – bitte 🙏🏽 👩‍👩‍👧",  # emoji with joiners and skin tones
    "ما هي المبيعات في الربع الأخير؟ \u202eabc\u202c",  # right to left, with an override
    "revenue e\u0301te\u0301 Z\u0351\u036b\u0343a\u0328lgo",  # combining marks
    "sales\u0000by region",  # NUL, legal in JSON
    '</script><img src=x onerror="alert(1)"> total orders',
    "'; DROP TABLE main.sales.orders; -- what was revenue?",
    "{{job.parameters.x}} ${jndi:test} %s %d :workspace_id_filter",
    '=HYPERLINK("https://evil.example") | net revenue',
)


def add_oddities(account: SimulatedAccount, rng: random.Random) -> None:
    """Make ordinary messages odd; small accounts get at least one of each that fits."""
    messages = list(account.messages())
    if messages:
        _shape_messages(messages, rng)
        _odd_values(messages, rng)
        _odd_texts(messages, rng)
        _odd_people(messages)
        _delete_some(account, messages, rng)
        _share_message_id(account, rng)
        _odd_statements(account, messages, rng)
        add_remaining_actions(account, messages, rng)
        add_own_reads(account, messages, rng)
        _repeat_rows(account, rng)
    _hide_one_space(account)
    _odd_audit_rows(account, messages, rng)


def _some(rng: random.Random, messages: list[SimulatedMessage], share: float, low: int = 1) -> list[SimulatedMessage]:
    return rng.sample(messages, min(len(messages), max(low, round(len(messages) * share))))


def _shape_messages(messages: list[SimulatedMessage], rng: random.Random) -> None:
    for quirk, share in _SHAPES:
        for message in _some(rng, messages, share):
            message.quirks |= quirk


def _odd_values(messages: list[SimulatedMessage], rng: random.Random) -> None:
    settled = [message for message in messages if message.final_status == "COMPLETED"]
    for message in _some(rng, settled, 0.001, low=2):
        message.final_status = "PAUSED_FOR_APPROVAL"  # SDK: its decoder turns unknown statuses into None
    failed = [message for message in messages if message.final_status == "FAILED" and message.error]
    for message in _some(rng, failed, 0.02, low=2):
        message.error = (
            "AGENT_BUDGET_EXHAUSTED_EXCEPTION",
            "The budget of this agent is used up.",
        )  # SDK: unknown error types, likewise
    old = [message for message in messages if message.final_status == "COMPLETED" and message.queries]
    for message in _some(rng, old, 0.03, low=2):
        message.final_status = "QUERY_RESULT_EXPIRED"  # observed: reached from COMPLETED, without an event
    for message in _some(rng, old, 0.01):
        if message.feedback is None:
            message.feedback = (
                "NONE",
                None,
            )  # SDK: a withdrawn rating; here without an audit row (feedback is only in the API)


def _odd_texts(messages: list[SimulatedMessage], rng: random.Random) -> None:
    chosen = rng.sample(messages, min(len(messages), len(HOSTILE_TEXTS) + 1))
    for message, text in zip(chosen, HOSTILE_TEXTS, strict=False):
        message.content = text
        if message.text is not None:
            message.text = f"{text}\n\n{message.text}"
    if len(chosen) > len(HOSTILE_TEXTS):
        chosen[-1].content = (
            "Please match this list of customers: " + "ACME-0042, " * 18_200
        )  # about 200 kB, pasted from a spreadsheet


def _odd_people(messages: list[SimulatedMessage]) -> None:
    askers = sorted(
        {
            message.user.user_id: message.user
            for message in messages
            if message.user and not message.user.application_id
        }.items()
    )
    for _, user in askers[3 :: max(4, len(askers) // 3)]:
        user.is_deleted = True  # observed: SCIM 404 is permanent, the messages stay


def _delete_some(account: SimulatedAccount, messages: list[SimulatedMessage], rng: random.Random) -> None:
    limit_us = account.clock.now_us - 6 * MINUTE_US
    delay = timedelta(minutes=5)
    for message in _some(rng, messages, 0.004, low=2):
        account.delete_message(message, at=from_us(min(message.finish_us + 2 * HOUR_US, limit_us)), audit_delay=delay)
    # People delete a failed try, hardly ever months of work.
    short = [message for message in messages if len(account.conversation_of(message).messages) <= 6]
    for message in _some(rng, short, 0.001):
        at = from_us(min(message.finish_us + 20 * HOUR_US, limit_us))
        account.delete_conversation(message.workspace_id, message.conversation_id, at=at, audit_delay=delay)


def _share_message_id(account: SimulatedAccount, rng: random.Random) -> None:
    """Ids are unique within a workspace only: the key of a message has two parts."""
    workspaces = [
        workspace
        for workspace in account.workspaces.values()
        if any(space.conversations for space in workspace.spaces.values())
    ]
    if len(workspaces) < 2:
        return
    first = next(
        (
            message
            for message in account.messages()
            if message.workspace_id == workspaces[0].workspace_id and not message.deleted
        ),
        None,
    )
    if first is None:
        return
    space = next(space for space in workspaces[1].spaces.values() if space.conversations)
    conversation = rng.choice(
        [row for row in space.conversations.values() if not row.deleted] or list(space.conversations.values())
    )
    message = next(iter(conversation.messages.values()))
    del conversation.messages[message.message_id]
    message.message_id = first.message_id
    for comment in message.comments or ():
        comment["message_id"] = first.message_id
    conversation.messages[message.message_id] = message


def add_special_conversations(account: SimulatedAccount, rng: random.Random) -> None:
    """Add conversations of unusual kinds, fewer in small accounts; they count towards `message_count`."""
    count, days, now_us = account.spec.message_count, account.spec.days, account.clock.now_us
    life = Life(account, rng, limit_us=now_us - 60 * MINUTE_US, visible_limit_us=now_us - 5 * MINUTE_US)
    spaces = sorted(life.spaces, key=lambda space: -space.weight)
    for index, turns in enumerate(_LONG_CONVERSATIONS if count >= 1_500 else ()):
        life.converse(
            spaces[index % len(spaces)], now_us - min(20, days) * DAY_US // (index + 1), turns, pace_us=HOUR_US
        )  # docs: up to 10,000 messages
    for index in range(min(5, count // 20)):
        _add_stuck(life, spaces[index % len(spaces)], now_us - (3 + index) * DAY_US - HOUR_US)
    for space in spaces[: min(3, count // 40)]:
        _add_private(life, space, now_us - (2 * DAY_US + rng.randrange(max(1, days - 2) * DAY_US)))
    if count >= 100:
        add_benchmark_runs(life, spaces[0], now_us)
        _add_own_conversation(life, spaces[0], now_us - DAY_US)


def _add_stuck(life: Life, space: SimulatedSpace, at_us: int) -> None:
    """Some messages never reach a terminal status (observed: a reader that waits for them stops for ever)."""
    user = life.pick_user(space)
    conversation = life.account.open_conversation(space, user, at_us, rng=life.rng)
    life.ask(space, conversation, user, at_us, via="ui", outcome="stuck")


def _add_private(life: Life, space: SimulatedSpace, at_us: int) -> None:
    """A manager sees prompt, status, rating and time of private conversations only (observed)."""
    user = life.pick_user(space)
    conversation = life.account.open_conversation(space, user, at_us, rng=life.rng)
    conversation.is_private = True
    for turn in range(2):
        life.ask(space, conversation, user, at_us + turn * 3 * MINUTE_US, via="ui", outcome="completed")


def _add_own_conversation(life: Life, space: SimulatedSpace, at_us: int) -> None:
    """The observer's own chat: all that `list conversations` shows without `include_all` (docs)."""
    conversation = life.account.open_conversation(space, life.account.observer, at_us, rng=life.rng)
    life.ask(space, conversation, life.account.observer, at_us, via="api", outcome="completed")


def _hide_one_space(account: SimulatedAccount) -> None:
    """One space is hidden from the observer: 404 in place of 403 (observed, databricks-sdk-py issue 1073)."""
    candidates = [
        space
        for workspace in account.workspaces.values()
        for space in workspace.spaces.values()
        if len(space.conversations) > 1
    ]
    candidates.sort(key=lambda space: (len(space.conversations), space.space_id))
    if len(candidates) > 2:
        candidates[len(candidates) // 3].access = "hidden"


def _odd_statements(account: SimulatedAccount, messages: list[SimulatedMessage], rng: random.Random) -> None:
    linked = [message for message in messages if message.statement_ids]
    for message in _some(rng, linked, 0.08):
        # observed: about one message statement in ten never shows up (other region, result cache)
        account.statements.by_id[message.workspace_id, message.statement_ids[-1]].visible_us = NEVER_US
    for message in _some(rng, linked, 0.01):
        account.statements.by_id[message.workspace_id, message.statement_ids[-1]].is_negative_duration = True
    for message in _some(rng, linked, 0.01):
        statement = account.statements.by_id[message.workspace_id, message.statement_ids[-1]]
        statement.update_us = min(
            statement.update_us + 3 * HOUR_US, account.clock.now_us
        )  # docs: published again, only the newest row stays


def _repeat_rows(account: SimulatedAccount, rng: random.Random) -> None:
    for event in rng.sample(account.audit.events, max(1, len(account.audit.events) // 200)):
        event.copies = 2


def _odd_audit_rows(account: SimulatedAccount, messages: list[SimulatedMessage], rng: random.Random) -> None:
    now = account.now
    for number in range(40):  # observed: thousands of dead or foreign space ids in one account
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
    for message in _some(rng, messages, 0.003, low=2) if messages else []:
        _add_refusals(account, message)
    workspace_id = next(iter(account.workspaces))
    for number, columns in enumerate(_malformed_rows(messages)):
        event_time = now - timedelta(days=1, hours=number)
        row = {"workspace_id": workspace_id, "service_name": "aibiGenie", "event_time": event_time, **columns}
        account.add_raw_audit_row(audit_delay=timedelta(minutes=3), **row)


def _add_refusals(account: SimulatedAccount, message: SimulatedMessage) -> None:
    """Refused calls: once with a full set of ids, which proves that the message exists, once without."""
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
        created({"space_id": space_id, "conversation_id": "01f0"}, '{"message_id":"01f0'),  # cut off JSON
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
        camel = {
            "spaceId": message.space_id,
            "conversation_id": message.conversation_id,
            "message_id": message.message_id,
        }
        rows.append(
            {"action_name": "getConversationMessage", "request_params": camel, "workspace_id": message.workspace_id}
        )  # observed: spaceId
    return rows
