"""Questions people ask, the SQL Genie writes for them, and the answers it gives."""

import random
from typing import NamedTuple

from genie_obs.simulator.business.domains import Dimension, Fact, Metric


class Period(NamedTuple):
    """A time range: how people say it and how SQL says it (`{date}` is the date column)."""

    text: str
    condition: str
    months: float


_LONG_MONTHS = 2
PERIODS = (
    Period(
        "last month",
        "{date} >= add_months(trunc(current_date(), 'MM'), -1) AND {date} < trunc(current_date(), 'MM')",
        1,
    ),
    Period("this quarter", "{date} >= trunc(current_date(), 'QUARTER')", 2),
    Period(
        "last quarter",
        "{date} >= add_months(trunc(current_date(), 'QUARTER'), -3) AND {date} < trunc(current_date(), 'QUARTER')",
        3,
    ),
    Period("this year", "{date} >= trunc(current_date(), 'YEAR')", 7),
    Period("in the last 12 months", "{date} >= add_months(current_date(), -12)", 12),
    Period(
        "last week",
        "{date} >= date_sub(trunc(current_date(), 'WEEK'), 7) AND {date} < trunc(current_date(), 'WEEK')",
        0.25,
    ),
    Period("yesterday", "{date} = date_sub(current_date(), 1)", 0.03),
    Period("in the last 30 days", "{date} >= date_sub(current_date(), 30)", 1),
)

_LONG_PERIODS = tuple(period for period in PERIODS if period.months >= _LONG_MONTHS)

# Shape of a question: how it is asked first, and how it is asked as a follow-up of another one.
_OPENING = {
    "total": (
        "What was {metric} {period}?",
        "{metric} {period}",
        "can you tell me the {metric} {period}",
        "Total {metric} {period} please",
    ),
    "by": (
        "Show me {metric} by {dimension} {period}",
        "{metric} per {dimension} {period}",
        "How does {metric} split by {dimension} {period}?",
    ),
    "top": (
        "Top 5 {plural} by {metric} {period}",
        "Which 5 {plural} had the highest {metric} {period}?",
        "best {plural} for {metric} {period}",
    ),
    "trend": (
        "How has {metric} developed month by month {period}?",
        "monthly {metric} {period}",
        "Plot {metric} over time {period}",
    ),
    "compare": (
        "Compare {metric} {period} with the same period a year ago",
        "{metric} {period} vs prior year",
        "Is {metric} {period} up or down on last year?",
    ),
    "filter": (
        "What was {metric} for {value} {period}?",
        "{metric} {value} {period}",
        "How much {metric} did we have for {value} {period}?",
    ),
    "share": ("What share of {metric} comes from {value} {period}?", "% of {metric} from {value} {period}"),
    "drop": (
        "Which {plural} had a drop of more than 10% in {metric} {period}?",
        "Where did {metric} go down most {period}, by {dimension}?",
    ),
}
_FOLLOW_UP = {
    "total": ("and in total?", "just the total {period}", "same question for {period}"),
    "by": ("break it down by {dimension}", "and by {dimension}?", "same but per {dimension}"),
    "top": ("only the top 5", "top 5 {plural} please", "which {plural} are behind that?"),
    "trend": ("as a monthly trend", "show that over time", "can you make this a line chart by month"),
    "compare": ("compare with last year", "how does that compare to the same period a year ago?", "vs prior year"),
    "filter": ("only for {value}", "and {value}?", "filter on {value}"),
    "share": ("what share is {value}?", "as % of total for {value}"),
    "drop": ("where did it drop?", "which {plural} went down?"),
}
SHAPES = tuple(_OPENING)
_SHAPE_WEIGHTS = (18, 22, 14, 13, 9, 14, 5, 5)
_SELECT = "SELECT\n  {columns}\nFROM {table} AS f{join}\nWHERE {where}"


class Plan(NamedTuple):
    """One question in normal form; text, SQL and answer are rendered from it when somebody asks for them."""

    fact: Fact
    metric: Metric
    dimension: Dimension
    value: str
    period: Period
    shape: str

    def ask(self, rng: random.Random, *, follow_up: bool) -> str:
        """Return the question as one of several people would type it."""
        phrases = (_FOLLOW_UP if follow_up else _OPENING)[self.shape]
        text = rng.choice(phrases).format(
            metric=self.metric.name,
            period=self.period.text,
            dimension=self.dimension.name,
            plural=self.dimension.plural,
            value=self.value,
        )
        return text if follow_up else text[0].upper() + text[1:]

    def title(self) -> str:
        """Return the title Genie gives to the query."""
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
        """Return the sentence with which Genie explains the query."""
        return (
            f"This query calculates {self.metric.name} from {self.fact.table} for the period '{self.period.text}'"
            + (f", using {self.dimension.name} = {self.value}." if self.shape in {"filter", "share"} else ".")
        )

    def sql(self) -> str:
        """Return the statement, in Databricks SQL."""
        return _SQL[self.shape](self)

    def row_count(self, salt: int) -> int:
        """Return how many rows the result has; `salt` makes it differ between runs of the same question."""
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
        """Return the summary in words."""
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
    """Return a fresh question on a fact table."""
    dimension = rng.choice(fact.dimensions)
    shape = rng.choices(SHAPES, _SHAPE_WEIGHTS)[0]
    return Plan(
        fact, rng.choice(fact.metrics), dimension, rng.choice(dimension.values), _pick_period(rng, shape), shape
    )


def pick_follow_up(rng: random.Random, plan: Plan) -> Plan:
    """Return the next question of somebody who has just seen the answer to `plan`: one thing is changed."""
    dimension = rng.choice(plan.fact.dimensions)
    shape = rng.choice([shape for shape in SHAPES if shape != plan.shape])
    too_short = shape in {"trend", "drop"} and plan.period.months < _LONG_MONTHS
    period = _pick_period(rng, shape) if shape == "total" or too_short else plan.period
    return Plan(plan.fact, plan.metric, dimension, rng.choice(dimension.values), period, shape)


def _pick_period(rng: random.Random, shape: str) -> Period:
    """Month by month needs more than one month."""
    return rng.choice(_LONG_PERIODS if shape in {"trend", "drop"} else PERIODS)


def _condition(plan: Plan, *extra: str) -> str:
    return "\n  AND ".join([plan.period.condition.format(date=f"f.{plan.fact.date_column}"), *extra])


def _select(plan: Plan, columns: list[str], *, join: bool, extra: tuple[str, ...] = (), tail: str = "") -> str:
    joined = f"\n{plan.dimension.join}" if join and plan.dimension.join else ""
    text = _SELECT.format(
        columns=",\n  ".join(columns), table=plan.fact.table, join=joined, where=_condition(plan, *extra)
    )
    return text + tail


def _measure(plan: Plan) -> str:
    return f"{plan.metric.expression} AS {plan.metric.alias}"


def _group(plan: Plan) -> str:
    return f"{plan.dimension.column} AS {plan.dimension.name.replace(' ', '_')}"


def _sql_by(plan: Plan, limit: str = "") -> str:
    tail = f"\nGROUP BY ALL\nORDER BY {plan.metric.alias} DESC{limit}"
    return _select(plan, [_group(plan), _measure(plan)], join=True, tail=tail)


def _sql_trend(plan: Plan) -> str:
    month = f"date_trunc('MONTH', f.{plan.fact.date_column}) AS month"
    return _select(plan, [month, _measure(plan)], join=False, tail="\nGROUP BY ALL\nORDER BY month")


def _sql_compare(plan: Plan) -> str:
    prior = plan.period.condition.replace("{date}", f"add_months(f.{plan.fact.date_column}, 12)")
    current = plan.period.condition.format(date=f"f.{plan.fact.date_column}")
    return (
        f"SELECT\n  CASE WHEN {current} THEN 'current' ELSE 'prior year' END AS period,\n  {_measure(plan)}\n"
        f"FROM {plan.fact.table} AS f\nWHERE ({current})\n  OR ({prior})\nGROUP BY ALL"
    )


def _sql_share(plan: Plan) -> str:
    inner = _select(plan, [_group(plan), _measure(plan)], join=True, tail="\nGROUP BY ALL").replace("\n", "\n  ")
    column = plan.dimension.name.replace(" ", "_")
    return (
        f"WITH totals AS (\n  {inner}\n)\nSELECT\n  100.0 * SUM(CASE WHEN {column} = {_literal(plan.value)} THEN {plan.metric.alias} END)"
        f" / SUM({plan.metric.alias}) AS share_percent\nFROM totals"
    )


_DROP = """WITH monthly AS (
  {inner}
),
changes AS (
  SELECT
    *,
    {alias} / nullif(LAG({alias}) OVER (PARTITION BY {column} ORDER BY month), 0) - 1 AS change
  FROM monthly
)
SELECT
  *
FROM changes
WHERE change < -0.1
ORDER BY change"""


def _sql_drop(plan: Plan) -> str:
    month = f"date_trunc('MONTH', f.{plan.fact.date_column}) AS month"
    inner = _select(plan, [_group(plan), month, _measure(plan)], join=True, tail="\nGROUP BY ALL").replace("\n", "\n  ")
    return _DROP.format(inner=inner, alias=plan.metric.alias, column=plan.dimension.name.replace(" ", "_"))


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


_SQL = {
    "total": lambda plan: _select(plan, [_measure(plan)], join=False),
    "by": _sql_by,
    "top": lambda plan: _sql_by(plan, "\nLIMIT 5"),
    "trend": _sql_trend,
    "compare": _sql_compare,
    "filter": lambda plan: _select(
        plan, [_measure(plan)], join=True, extra=(f"{plan.dimension.column} = {_literal(plan.value)}",)
    ),
    "share": _sql_share,
    "drop": _sql_drop,
}
