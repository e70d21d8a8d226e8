"""How many of the messages get an oddity."""

import random

from genie_obs.simulator.account.message import SimulatedMessage


def sample_share(
    rng: random.Random, messages: list[SimulatedMessage], share: float, low: int = 1
) -> list[SimulatedMessage]:
    """Return a random `share` of the messages, but at least `low`, or all if there are fewer."""
    return rng.sample(messages, min(len(messages), max(low, round(len(messages) * share))))
