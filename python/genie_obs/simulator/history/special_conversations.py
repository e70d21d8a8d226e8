"""Special conversations: very long, stuck, private, benchmark, and the observer's own."""

import random

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.space import SimulatedSpace
from genie_obs.simulator.history.benchmarks import add_benchmark_runs
from genie_obs.simulator.history.life import Life
from genie_obs.simulator.instants import DAY_US, HOUR_US, MINUTE_US

_LONG_CONVERSATIONS = (130, 210)  # questions; docs: up to 10,000 messages


def add_special_conversations(account: SimulatedAccount, rng: random.Random) -> None:
    """Add the special conversations, fewer to a small account. Their messages count towards `message_count`."""
    count, days, now_us = account.spec.message_count, account.spec.days, account.clock.now_us
    life = Life(account, rng, limit_us=now_us - 60 * MINUTE_US, visible_limit_us=now_us - 5 * MINUTE_US)
    spaces = sorted(life.spaces, key=lambda space: -space.weight)
    for index, turns in enumerate(_LONG_CONVERSATIONS if count >= 1_500 else ()):
        start_us = now_us - min(20, days) * DAY_US // (index + 1)
        life.converse(spaces[index % len(spaces)], start_us, turns, pace_us=HOUR_US)
    for index in range(min(5, count // 20)):
        _add_stuck(life, spaces[index % len(spaces)], now_us - (3 + index) * DAY_US - HOUR_US)
    for space in spaces[: min(3, count // 40)]:
        _add_private(life, space, now_us - (2 * DAY_US + rng.randrange(max(1, days - 2) * DAY_US)))
    if count >= 100:
        add_benchmark_runs(life, spaces[0], now_us)
        _add_own_conversation(life, spaces[0], now_us - DAY_US)


def _add_stuck(life: Life, space: SimulatedSpace, at_us: int) -> None:
    """Add a message that never reaches a terminal status (observed: a reader that waits for it waits for ever)."""
    user = life.pick_user(space)
    conversation = life.account.open_conversation(space, user, at_us, rng=life.rng)
    life.ask(space, conversation, user, at_us, via="ui", outcome="stuck")


def _add_private(life: Life, space: SimulatedSpace, at_us: int) -> None:
    """Add a private conversation: a manager sees only prompt, status, rating and times (observed)."""
    user = life.pick_user(space)
    conversation = life.account.open_conversation(space, user, at_us, rng=life.rng)
    conversation.is_private = True
    for turn in range(2):
        life.ask(space, conversation, user, at_us + turn * 3 * MINUTE_US, via="ui", outcome="completed")


def _add_own_conversation(life: Life, space: SimulatedSpace, at_us: int) -> None:
    """Add a conversation of the observer: without `include_all`, `list conversations` shows nothing else (docs)."""
    conversation = life.account.open_conversation(space, life.account.observer, at_us, rng=life.rng)
    life.ask(space, conversation, life.account.observer, at_us, via="api", outcome="completed")
