"""Hours and days after the history, on request."""

import random
from datetime import datetime, timedelta

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.space import SimulatedConversation, SimulatedSpace
from genie_obs.simulator.history.life import Life
from genie_obs.simulator.history.rhythm import TURN_WEIGHTS, draw_moments
from genie_obs.simulator.instants import SECOND_US, from_us, to_us


def grow(account: SimulatedAccount, *, until: datetime) -> None:
    """Let people go on until `until`, and move the account's clock there.

    They open new conversations, ask again in old ones, rate late and delete, about as often as in the history.

    Raises:
        ValueError: if `until` lies before the account's clock, or has no time zone.
    """
    with account.lock:
        _live_on(account, to_us(until))


def _live_on(account: SimulatedAccount, until_us: int) -> None:
    from_time_us = account.clock.now_us
    if until_us < from_time_us:
        raise ValueError("the account's clock only moves forward")
    account.clock.now_us = until_us
    rng = account.rng
    life = Life(account, rng, limit_us=until_us, visible_limit_us=None)
    for at_us in draw_moments(account, rng, from_time_us, until_us):
        space = life.pick_space(1.0)
        recent = _recent_conversation(rng, space) if rng.random() < 0.2 else None
        if recent is not None:
            life.converse(space, at_us, rng.choice((1, 1, 2)), conversation=recent)
        else:
            life.converse(space, at_us, rng.choices(*zip(*TURN_WEIGHTS, strict=True))[0], pace_us=150 * SECOND_US)
        if rng.random() < 0.15:
            _revisit(life, space, at_us)


def _recent_conversation(rng: random.Random, space: SimulatedSpace) -> SimulatedConversation | None:
    recent = [
        row
        for row in list(space.conversations.values())[-30:]
        if row.messages and not row.deleted and not row.is_benchmark and not row.is_private
    ]
    return rng.choice(recent) if recent else None


def _revisit(life: Life, space: SimulatedSpace, at_us: int) -> None:
    """Let somebody rate or delete in an old conversation, or let a statement or a result in it change."""
    conversation = _recent_conversation(life.rng, space)
    if conversation is None:
        return
    account, rng, at = life.account, life.rng, from_us(at_us)
    message = rng.choice(list(conversation.messages.values()))
    if message.deleted or message.created_us > at_us:
        return
    delay = timedelta(microseconds=life.audit_delay_us())
    draw = rng.random()
    if draw < 0.55:
        account.rate(message, rng.choice(("POSITIVE", "POSITIVE", "NEGATIVE")), at=at, audit_delay=delay)
    elif draw < 0.7 and message.statement_ids:
        account.republish_statement(message.workspace_id, message.statement_ids[-1])
    elif draw < 0.85:
        account.delete_message(message, at=at, audit_delay=delay)
    elif draw < 0.9:
        account.delete_conversation(message.workspace_id, message.conversation_id, at=at, audit_delay=delay)
    elif message.final_status == "COMPLETED" and message.queries:
        account.expire_result(message)
