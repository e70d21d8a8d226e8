"""Makes an account from its spec."""

import random

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.spec import AccountSpec
from genie_obs.simulator.history.background import add_background
from genie_obs.simulator.history.life import live_history
from genie_obs.simulator.history.oddities import add_oddities
from genie_obs.simulator.history.people import populate
from genie_obs.simulator.history.special_conversations import add_special_conversations


def generate_account(spec: AccountSpec) -> SimulatedAccount:
    """Return an account with a history that ends at `spec.until`; the same spec gives the same account, byte for byte.

    Nothing is in flight at that instant but, with quirks, a handful of messages that have been stuck for days, and one space is hidden.
    """
    account = SimulatedAccount(spec)
    populate(account, random.Random(f"{spec.seed}/people"))
    if spec.quirks:
        add_special_conversations(account, random.Random(f"{spec.seed}/special"))
    live_history(account, random.Random(f"{spec.seed}/history"))
    add_background(account, random.Random(f"{spec.seed}/background"))
    if spec.quirks:
        add_oddities(account, random.Random(f"{spec.seed}/oddities"))
    return account
