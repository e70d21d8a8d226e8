"""What every chart is built from: the tile's columns by field name, and the theme."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from genie_obs.preview.file import lenient
from genie_obs.preview.file.model import Field, Widget
from genie_obs.preview.file.theme import Theme
from genie_obs.preview.query.columns import Column
from genie_obs.preview.query.expressions import truncation_unit

SELECTION = "databricks_mark_selection"
"""Name of the selection that makes a chart a source of cross-filters; AI/BI's own name for it."""

Grain = Literal["month", "week", "day", "hour", "minute", "second"]
_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
DAY = 24 * _HOUR
WEEK = 7 * DAY
_MAX_STEPS = 400
_GRAINS: tuple[Grain, ...] = ("month", "week", "day", "hour", "minute", "second")


class ChartError(ValueError):
    """A chart cannot be drawn from what the file says. The text of the error is shown in the tile."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The columns of a tile. They are called `f0`, `f1`, … and are found by the names of the query's fields."""

    widget: Widget
    fields: Sequence[Field]
    columns: Sequence[Column]
    theme: Theme
    now: datetime
    is_source: bool = False  # whether a click on a mark filters other tiles

    @property
    def encodings(self) -> Mapping[str, Any]:
        """Return the file's encodings: which field is on which axis, colour, and so on."""
        return self.widget.encodings

    @property
    def mark(self) -> Mapping[str, Any]:
        """Return the file's settings of the mark."""
        return lenient.mapping(self.widget.spec.get("mark"))

    def column(self, encoding: Mapping[str, Any]) -> Column:
        """Return the column an encoding names.

        Raises:
            ChartError: if it names none of the query's fields.
        """
        name = lenient.text(encoding.get("fieldName"))
        for field, column in zip(self.fields, self.columns, strict=False):
            if field.name == name:
                return column
        raise ChartError(
            f"no selected field to visualize: the query has no field {name!r}"
            if name
            else "no selected fields to visualize"
        )

    def expression(self, column: Column) -> str:
        """Return the expression behind a column."""
        return next((f.expression for f, c in zip(self.fields, self.columns, strict=False) if c is column), "")

    def encoding(self, *keys: str) -> dict[str, Any]:
        """Return an encoding of the file, or an empty one."""
        return lenient.mapping(lenient.path(self.encodings, *keys))


def label_of(encoding: Mapping[str, Any]) -> str:
    """Return the label of a field."""
    return lenient.text(encoding.get("displayName")) or lenient.text(encoding.get("fieldName"))


def measures_of(encoding: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of an axis. Several fields make several series."""
    several = lenient.mappings(encoding.get("fields"))
    return several or ([dict(encoding)] if encoding.get("fieldName") else [])


def distinct(values: Sequence[Any]) -> list[Any]:
    """Return the different values, in order of first appearance."""
    return list(dict.fromkeys(values))


def grain_of(column: Column, expression: str) -> Grain:
    """Return the grain of a time column: the unit its expression truncates to, else the largest unit that all values start.

    Example: when every value is a midnight, and not every one a Monday or the first of a month, the grain is `day`.
    """
    unit = truncation_unit(expression)
    for grain in _GRAINS:
        if unit == grain:
            return grain
    instants = [value for value in column.values if isinstance(value, int | float)]
    return next((grain for grain in _GRAINS if instants and all(_starts(v, grain) for v in instants)), "second")


def _starts(milliseconds: float, grain: Grain) -> bool:
    if grain in {"day", "hour", "minute"}:
        return milliseconds % {"day": DAY, "hour": _HOUR, "minute": _MINUTE}[grain] == 0
    if grain == "second":
        return True
    if milliseconds % DAY:
        return False
    day = datetime.fromtimestamp(milliseconds / 1_000, UTC)
    return day.day == 1 if grain == "month" else day.weekday() == 0


def steps_between(values: Sequence[Any], grain: Grain) -> list[float]:
    """Return every day, week or month from the first to the last value.

    Only the values themselves are returned for other grains, when a value lies between two steps, and for more than 400 steps.
    """
    known = sorted({value for value in values if isinstance(value, int | float)})
    if not known or grain not in {"day", "week", "month"}:
        return known
    if grain == "month":
        days = (datetime.fromtimestamp(value / 1_000, UTC) for value in (known[0], known[-1]))
        first, last = (day.year * 12 + day.month - 1 for day in days)
        steps = [datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC).timestamp() * 1_000 for n in range(first, last + 1)]
    else:
        width = DAY if grain == "day" else WEEK
        steps = [known[0] + width * n for n in range(int((known[-1] - known[0]) // width) + 1)]
    return known if len(steps) > _MAX_STEPS or not set(known) <= set(steps) else steps


def step_of(values: Sequence[Any]) -> float:
    """Return the smallest distance between two different numbers; 1 without two of them."""
    numbers = sorted({value for value in values if isinstance(value, int | float)})
    return min((b - a for a, b in itertools.pairwise(numbers)), default=1.0) or 1.0
