"""When people ask, and how many questions they ask in one conversation."""

import math
import random

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.instants import DAY_US, HOUR_US, from_us

# How busy each hour is, UTC: first Europe, then the Americas.
_HOUR_WEIGHTS = (
     1,  1,  1,  1,  2,  4,  # 00 to 05
    12, 32, 60, 78, 80, 70,  # 06 to 11
    42, 60, 76, 72, 58, 36,  # 12 to 17
    18, 10,  7,  5,  3,  2,  # 18 to 23
)  # fmt: skip
_DAY_WEIGHTS = (1.15, 1.2, 1.1, 1.05, 0.85, 0.1, 0.08)  # Monday first
# How many conversations have how many questions: (questions, weight).
TURN_WEIGHTS = ((1, 34), (2, 24), (3, 15), (4, 10), (5, 6), (6, 4), (7, 2), (8, 2), (9, 1), (10, 1), (12, 1))


def draw_turns(rng: random.Random, message_count: int, fixed: float | None) -> list[int]:
    """Return sizes of conversations, which add up to `message_count`.

    With `fixed` their mean is `fixed`: 2.5 gives 2, 3, 2, 3, and so on.
    """
    sizes: list[int] = []
    left, carried = message_count, 0.0
    values, weights = zip(*TURN_WEIGHTS, strict=True)
    while left > 0:
        if fixed is None:
            size = rng.choices(values, weights)[0]
        else:
            carried += fixed
            size = max(1, int(carried))
            carried -= size
        sizes.append(min(size, left))
        left -= sizes[-1]
    return sizes


def draw_starts(rng: random.Random, now_us: int, days: int, count: int) -> list[int]:
    """Return `count` instants in the `days` before `now_us`, sorted. None lies in the last two hours.

    More lie on weekdays, in working hours and in later months.
    """
    last_us = now_us - 2 * HOUR_US
    first_us = now_us - days * DAY_US
    day_starts = [now_us - (now_us % DAY_US) - offset * DAY_US for offset in range(days, -1, -1)]
    weights = [
        (0.5 + index / len(day_starts))
        * _DAY_WEIGHTS[from_us(day).weekday()]
        * rng.uniform(0.8, 1.2)
        * (0.25 if rng.random() < 0.02 else 1)
        for index, day in enumerate(day_starts)
    ]
    starts = []
    for day in rng.choices(day_starts, weights, k=count):
        at_us = day + rng.choices(range(24), _HOUR_WEIGHTS)[0] * HOUR_US + rng.randrange(HOUR_US)
        if not first_us <= at_us <= last_us:
            at_us = first_us + rng.randrange(max(1, last_us - first_us))
        starts.append(at_us)
    return sorted(starts)


def draw_moments(account: SimulatedAccount, rng: random.Random, begin_us: int, end_us: int) -> list[int]:
    """Return instants at which somebody starts to ask, sorted, about as many as in the history of the account."""
    mean_turns = sum(turns * weight for turns, weight in TURN_WEIGHTS) / sum(weight for _, weight in TURN_WEIGHTS)
    per_hour = account.spec.message_count / account.spec.days / mean_turns / 24
    typical_hour = sum(_HOUR_WEIGHTS) / 24
    moments: list[int] = []
    for hour_us in range(begin_us - begin_us % HOUR_US, end_us, HOUR_US):
        low, high = max(hour_us, begin_us), min(hour_us + HOUR_US, end_us)
        instant = from_us(hour_us)
        by_hour = per_hour * (high - low) / HOUR_US * _HOUR_WEIGHTS[instant.hour] / typical_hour
        expected = by_hour * _DAY_WEIGHTS[instant.weekday()] * 7 / sum(_DAY_WEIGHTS)
        count = math.floor(expected + rng.random())
        moments.extend(rng.randrange(low, high) for _ in range(count))
    if not moments and end_us - begin_us >= 6 * HOUR_US:
        moments.append(rng.randrange(begin_us, end_us - HOUR_US))  # somebody asks even on a quiet weekend
    return sorted(moments)
