"""Questions that people ask, and the answers that Genie gives."""

import random
from typing import NamedTuple

from genie_obs.simulator.business.domains import Dimension, Fact, Metric
from genie_obs.simulator.business.periods import LONG_MONTHS, LONG_PERIODS, PERIODS, Period
from genie_obs.simulator.business.phrases import FOLLOW_UP, OPENING

SHAPES = tuple(OPENING)
_SHAPE_WEIGHTS = (18, 22, 14, 13, 9, 14, 5, 5)


class Plan(NamedTuple):
    """One question in normal form. Its wording, its SQL (`sql.py`) and its answer are made from it."""

    fact: Fact
    metric: Metric
    dimension: Dimension
    value: str
    period: Period
    shape: str

    def ask(self, rng: random.Random, *, follow_up: bool) -> str:
        """Return the question in one of the ways in which people type it."""
        phrases = (FOLLOW_UP if follow_up else OPENING)[self.shape]
        text = rng.choice(phrases).format(
            metric=self.metric.name,
            period=self.period.text,
            dimension=self.dimension.name,
            plural=self.dimension.plural,
            value=self.value,
        )
        return text if follow_up else text[0].upper() + text[1:]

    def title(self) -> str:
        """Return the title that Genie gives to the query."""
        metric = self.metric.name[0].upper() + self.metric.name[1:]
        by = {
            "total": "",
            "by": f" by {self.dimension.name}",
            "top": f": top 5 {self.dimension.plural}",
            "trend": " per month",
            "compare": " against the prior year",
            "filter": f" for {self.value}",
            "share": f": share of {self.value}",
            "drop": f": decline by {self.dimension.name}",
        }[self.shape]
        return f"{metric}{by}, {self.period.text}"

    def description(self) -> str:
        """Return the sentence in which Genie explains the query."""
        return (
            f"This query calculates {self.metric.name} from {self.fact.table} for the period '{self.period.text}'"
            + (f", using {self.dimension.name} = {self.value}." if self.shape in {"filter", "share"} else ".")
        )

    def row_count(self, salt: int) -> int:
        """Return how many rows the result has. It can differ with `salt`, as between two runs of one question."""
        if self.shape in {"total", "filter", "share"}:
            return 1
        if self.shape == "trend":
            return max(1, round(self.period.months))
        if self.shape == "compare":
            return 2
        if self.shape == "drop":
            return salt % (len(self.dimension.values) + 1)
        return min(5, len(self.dimension.values)) if self.shape == "top" else len(self.dimension.values)

    def values(self, salt: int, count: int) -> list[float]:
        """Return plausible figures for `count` result rows."""
        additive = not self.metric.unit.endswith("%") and self.metric.expression.startswith(("SUM", "COUNT"))
        base = self.metric.typical * (max(self.period.months, 0.1) if additive and self.shape != "trend" else 1)
        spread = [0.72 + ((salt >> (7 * index % 48)) % 1000) / 1800 for index in range(count)]
        return [round(base * factor, 0 if base > 1000 else 2) for factor in spread]

    def answer(self, salt: int) -> str:
        """Return the answer in words."""
        text = self._summary(salt)
        return text[0].upper() + text[1:]

    def _summary(self, salt: int) -> str:
        value = f"{self.values(salt, 1)[0]:,.10g}" + (f" {self.metric.unit}" if self.metric.unit else "")
        if self.shape == "share":
            return f"{self.value} accounts for **{10 + salt % 52}%** of {self.metric.name} {self.period.text}."
        if self.shape == "compare":
            change = salt % 39 - 14
            direction = "up" if change >= 0 else "down"
            return f"{self.metric.name} {self.period.text} was **{value}**, {abs(change)}% {direction} on the same period a year ago."
        if self.shape == "drop" and self.row_count(salt) == 0:
            return f"No {self.dimension.name} had a drop of more than 10% in {self.metric.name} {self.period.text}."
        if self.shape in {"by", "top", "drop"}:
            group = f"among the {self.dimension.plural} {self.period.text}"
            return f"**{self.value}** stands out {group} with {self.metric.name} of **{value}**."
        if self.shape == "trend":
            return (
                f"{self.metric.name} moved between **{value}** and a peak {5 + salt % 30}% above it {self.period.text}."
            )
        scope = f" for {self.value}" if self.shape == "filter" else ""
        return f"{self.metric.name}{scope} {self.period.text} was **{value}**."


def pick_plan(rng: random.Random, fact: Fact) -> Plan:
    """Return a new question on a fact table."""
    dimension = rng.choice(fact.dimensions)
    shape = rng.choices(SHAPES, _SHAPE_WEIGHTS)[0]
    return Plan(
        fact, rng.choice(fact.metrics), dimension, rng.choice(dimension.values), _pick_period(rng, shape), shape
    )


def pick_follow_up(rng: random.Random, plan: Plan) -> Plan:
    """Return what somebody asks after the answer to `plan`: the same with one thing changed."""
    dimension = rng.choice(plan.fact.dimensions)
    shape = rng.choice([shape for shape in SHAPES if shape != plan.shape])
    too_short = shape in {"trend", "drop"} and plan.period.months < LONG_MONTHS
    period = _pick_period(rng, shape) if shape == "total" or too_short else plan.period
    return Plan(plan.fact, plan.metric, dimension, rng.choice(dimension.values), period, shape)


def _pick_period(rng: random.Random, shape: str) -> Period:
    """Return a period that fits the shape: a result by month needs several months."""
    return rng.choice(LONG_PERIODS if shape in {"trend", "drop"} else PERIODS)
