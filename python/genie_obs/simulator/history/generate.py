"""Makes an account with its history from a spec."""

import random

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.spec import AccountSpec
from genie_obs.simulator.history.background import add_background
from genie_obs.simulator.history.life import Life
from genie_obs.simulator.history.oddities import add_oddities
from genie_obs.simulator.history.people import populate
from genie_obs.simulator.history.rhythm import draw_starts, draw_turns
from genie_obs.simulator.history.special_conversations import add_special_conversations
from genie_obs.simulator.instants import DAY_US, MINUTE_US

_REST_US = 25 * MINUTE_US  # nothing of the history is younger than this


def generate_account(spec: AccountSpec) -> SimulatedAccount:
    """Return an account with a history that ends at `spec.until`. The same spec gives the same account, byte for byte.

    No message runs at that instant. With `spec.quirks` some messages have been stuck for days, and one space is hidden.
    """
    account = SimulatedAccount(spec)
    populate(account, random.Random(f"{spec.seed}/people"))
    if spec.quirks:
        add_special_conversations(account, random.Random(f"{spec.seed}/special"))
    _live_history(account, random.Random(f"{spec.seed}/history"))
    add_background(account, random.Random(f"{spec.seed}/background"))
    if spec.quirks:
        add_oddities(account, random.Random(f"{spec.seed}/oddities"))
    return account


def _live_history(account: SimulatedAccount, rng: random.Random) -> None:
    """Fill the account up to exactly `message_count` messages over `days`. At the end no message runs."""
    spec = account.spec
    now_us = account.clock.now_us
    life = Life(account, rng, limit_us=now_us - _REST_US - 5 * MINUTE_US, visible_limit_us=now_us - 5 * MINUTE_US)
    sizes = draw_turns(rng, spec.message_count - sum(1 for _ in account.messages()), spec.turns_per_conversation)
    starts = draw_starts(rng, now_us, spec.days, len(sizes))
    begin_us = now_us - spec.days * DAY_US
    for start_us, turns in zip(starts, sizes, strict=True):
        progress = (start_us - begin_us) / (spec.days * DAY_US)
        life.converse(life.pick_space(progress), start_us, turns)
