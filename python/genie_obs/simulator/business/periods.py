"""Time ranges that people ask about."""

from typing import NamedTuple


class Period(NamedTuple):
    """A time range, in words and as a condition in SQL. `{date}` stands for the date column."""

    text: str
    condition: str
    months: float


LONG_MONTHS = 2
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
LONG_PERIODS = tuple(period for period in PERIODS if period.months >= LONG_MONTHS)
