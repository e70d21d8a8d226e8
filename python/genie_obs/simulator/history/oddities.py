"""What makes a real account hard to observe: odd messages, people and spaces."""

import random
from datetime import timedelta

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.quirk import Quirk
from genie_obs.simulator.history.actions import add_own_reads, add_remaining_actions
from genie_obs.simulator.history.odd_rows import add_odd_audit_rows, make_statements_odd, repeat_audit_rows
from genie_obs.simulator.history.sampling import sample_share
from genie_obs.simulator.instants import HOUR_US, MINUTE_US, from_us

# The share of messages with each quirk. The order matters, because each draws from one generator.
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
    """Make ordinary messages odd. A small account gets at least one of each oddity that fits."""
    messages = list(account.messages())
    if messages:
        _shape_messages(messages, rng)
        _odd_values(messages, rng)
        _odd_texts(messages, rng)
        _odd_people(messages)
        _delete_some(account, messages, rng)
        _share_message_id(account, rng)
        make_statements_odd(account, messages, rng)
        add_remaining_actions(account, messages, rng)
        add_own_reads(account, messages, rng)
        repeat_audit_rows(account, rng)
    _hide_one_space(account)
    add_odd_audit_rows(account, messages, rng)


def _shape_messages(messages: list[SimulatedMessage], rng: random.Random) -> None:
    for quirk, share in _SHAPES:
        for message in sample_share(rng, messages, share):
            message.quirks |= quirk


def _odd_values(messages: list[SimulatedMessage], rng: random.Random) -> None:
    settled = [message for message in messages if message.final_status == "COMPLETED"]
    for message in sample_share(rng, settled, 0.001, low=2):
        message.final_status = "PAUSED_FOR_APPROVAL"  # SDK: its decoder turns unknown statuses into None
    failed = [message for message in messages if message.final_status == "FAILED" and message.error]
    for message in sample_share(rng, failed, 0.02, low=2):
        # SDK: its decoder turns unknown error types into None too
        message.error = ("AGENT_BUDGET_EXHAUSTED_EXCEPTION", "The budget of this agent is used up.")
    old = [message for message in messages if message.final_status == "COMPLETED" and message.queries]
    for message in sample_share(rng, old, 0.03, low=2):
        message.final_status = "QUERY_RESULT_EXPIRED"  # observed: reached from COMPLETED, without an event
    for message in sample_share(rng, old, 0.01):
        if message.feedback is None:
            # SDK: a rating that was taken back; here it leaves no audit row, so that only the API knows it
            message.feedback = ("NONE", None)


def _odd_texts(messages: list[SimulatedMessage], rng: random.Random) -> None:
    chosen = rng.sample(messages, min(len(messages), len(HOSTILE_TEXTS) + 1))
    for message, text in zip(chosen, HOSTILE_TEXTS, strict=False):
        message.content = text
        if message.text is not None:
            message.text = f"{text}\n\n{message.text}"
    if len(chosen) > len(HOSTILE_TEXTS):
        # about 200 kB, pasted from a spreadsheet
        chosen[-1].content = "Please match this list of customers: " + "ACME-0042, " * 18_200


def _odd_people(messages: list[SimulatedMessage]) -> None:
    users = (message.user for message in messages if message.user)
    people = {user.user_id: user for user in users if not user.application_id}
    for user_id in sorted(people)[3 :: max(4, len(people) // 3)]:
        people[user_id].is_deleted = True  # observed: SCIM answers 404 for good, the messages stay


def _delete_some(account: SimulatedAccount, messages: list[SimulatedMessage], rng: random.Random) -> None:
    limit_us = account.clock.now_us - 6 * MINUTE_US
    delay = timedelta(minutes=5)
    for message in sample_share(rng, messages, 0.004, low=2):
        account.delete_message(message, at=from_us(min(message.finish_us + 2 * HOUR_US, limit_us)), audit_delay=delay)
    # People delete a failed attempt, but hardly ever months of work.
    short = [message for message in messages if len(account.conversation_of(message).messages) <= 6]
    for message in sample_share(rng, short, 0.001):
        at = from_us(min(message.finish_us + 20 * HOUR_US, limit_us))
        account.delete_conversation(message.workspace_id, message.conversation_id, at=at, audit_delay=delay)


def _share_message_id(account: SimulatedAccount, rng: random.Random) -> None:
    """Give one message the id of a message in another workspace: ids are unique only within a workspace (assumed)."""
    workspaces = [
        workspace
        for workspace in account.workspaces.values()
        if any(space.conversations for space in workspace.spaces.values())
    ]
    if len(workspaces) < 2:
        return
    in_first = (row for row in account.messages() if row.workspace_id == workspaces[0].workspace_id)
    first = next((row for row in in_first if not row.deleted), None)
    if first is None:
        return
    space = next(space for space in workspaces[1].spaces.values() if space.conversations)
    conversations = list(space.conversations.values())
    conversation = rng.choice([row for row in conversations if not row.deleted] or conversations)
    message = next(iter(conversation.messages.values()))
    del conversation.messages[message.message_id]
    message.message_id = first.message_id
    for comment in message.comments or ():
        comment["message_id"] = first.message_id
    conversation.messages[message.message_id] = message


def _hide_one_space(account: SimulatedAccount) -> None:
    """Hide one space from the observer: 404 in place of 403 (observed, databricks-sdk-py issue 1073)."""
    candidates = [
        space
        for workspace in account.workspaces.values()
        for space in workspace.spaces.values()
        if len(space.conversations) > 1
    ]
    candidates.sort(key=lambda space: (len(space.conversations), space.space_id))
    if len(candidates) > 2:
        candidates[len(candidates) // 3].access = "hidden"
