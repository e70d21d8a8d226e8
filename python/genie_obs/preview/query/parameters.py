"""Gives the parameters in a dataset's SQL the values that are chosen, with the type that the file declares.

No value is pasted into SQL. A list becomes several bound values, ``array(:p__0, :p__1)``, and a range two, ``:p__min`` and ``:p__max``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from genie_obs.lakehouse.sql_tokens import Token, join, tokens
from genie_obs.preview.file import lenient
from genie_obs.preview.file.model import Dataset, Parameter

Scalar = str | int | float | bool | date | datetime | None

_SQL_TYPES = {"DATE": "DATE", "DATETIME": "TIMESTAMP", "INTEGER": "BIGINT", "DECIMAL": "DOUBLE"}
_RELATIVE = re.compile(r"now((?:[+-]\d{1,5}[smhdwMy])*)(?:/([smhdwMy]))?")
_OFFSET = re.compile(r"([+-]\d+)([smhdwMy])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_MONTHS_PER_YEAR = 12


class ParameterError(ValueError):
    """A parameter is not declared, or a value does not fit its type."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is chosen: values, or the two ends of a range. When nothing is, there are no values and both ends are None."""

    values: tuple[Any, ...] = ()
    low: Any = None
    high: Any = None

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is chosen."""
        return not self.values and self.low is None and self.high is None


@dataclass(frozen=True)
class BoundSql:
    """SQL with named markers and the values they stand for."""

    sql: str
    values: Mapping[str, Scalar] = field(default_factory=dict)


def parse_selection(raw: Mapping[str, Any]) -> Selection:
    """Return the selection that an object of the file describes. An unknown shape gives an empty selection."""
    span = lenient.mapping(raw.get("range"))
    if span:
        return Selection(low=_end(span.get("min")), high=_end(span.get("max")))
    found = lenient.items(lenient.path(raw, "values", "values"))
    return Selection(values=tuple(v.get("value") if isinstance(v, dict) else v for v in found))


def _end(raw: object) -> Any:
    value = raw.get("value") if isinstance(raw, dict) else raw
    return None if value == "" else value


def bind_parameters(dataset: Dataset, chosen: Mapping[str, Selection], now: datetime) -> BoundSql:
    """Return the dataset's SQL and the value of each marker: what is chosen, else the default of the parameter.

    Raises:
        ParameterError: for a marker that is not declared or a value of the wrong type.
    """
    pieces = tokens(dataset.sql)
    sql: list[str] = []
    values: dict[str, Scalar] = {}
    index = 0
    while index < len(pieces):
        token = pieces[index]
        index += 1
        if token.kind != "marker":
            sql.append(token.text)
            continue
        parameter = _declared(dataset, token.text[1:])
        # Only a range has two ends. `:p.min` of another parameter reads the field `min` of its value and stays as it is.
        end = _range_end(pieces[index : index + 2]) if parameter.kind == "range" else ""
        index += 2 if end else 0
        selection = chosen.get(parameter.keyword) or parse_selection(parameter.default)
        part, used = _bound_marker(parameter, selection, end, now)
        sql.append(part)
        values.update(used)
    return BoundSql("".join(sql), values)


def _declared(dataset: Dataset, keyword: str) -> Parameter:
    found = next((p for p in reversed(dataset.parameters) if p.keyword == keyword), None)
    if found is None:
        raise ParameterError(f"the SQL of {dataset.title or dataset.name} uses :{keyword}, which it does not declare")
    return found


def _range_end(following: list[Token]) -> str:
    """Return `min` or `max` if the two tokens after a marker say so, else ''."""
    text = join(following)
    return text[1:] if text in {".min", ".max"} else ""


def _bound_marker(parameter: Parameter, selection: Selection, end: str, now: datetime) -> tuple[str, dict[str, Scalar]]:
    sql_type = _SQL_TYPES.get(parameter.data_type, "STRING")
    if parameter.kind == "range":
        raw = selection.low if end == "min" else selection.high
        return _bound_scalar(f"{parameter.keyword}__{end or 'max'}", typed(raw, parameter.data_type, now), sql_type)
    if parameter.kind == "single":
        raw = selection.values[0] if selection.values else None
        return _bound_scalar(parameter.keyword, typed(raw, parameter.data_type, now), sql_type)
    if not selection.values:
        return f"CAST(array() AS ARRAY<{sql_type}>)", {}
    named = {
        f"{parameter.keyword}__{index}": typed(raw, parameter.data_type, now)
        for index, raw in enumerate(selection.values)
    }
    return f"array({', '.join(':' + name for name in named)})", named


def _bound_scalar(name: str, value: Scalar, sql_type: str) -> tuple[str, dict[str, Scalar]]:
    return (f"CAST(NULL AS {sql_type})", {}) if value is None else (f":{name}", {name: value})


def typed(raw: Any, data_type: str, now: datetime) -> Scalar:
    """Return a selected value as a Python value of the parameter's type; None for None.

    Raises:
        ParameterError: if it does not fit.
    """
    if raw is None or (raw == "" and data_type != "STRING"):
        return None
    try:
        if data_type == "INTEGER":
            return int(str(raw))
        if data_type == "DECIMAL":
            return float(str(raw))
        if data_type == "DATE":
            return parse_instant(str(raw), now).date()
        if data_type == "DATETIME":
            return parse_instant(str(raw), now)
    except (ValueError, OverflowError) as error:
        raise ParameterError(f"{str(raw)[:60]!r} is no {data_type}") from error
    return str(raw)


def parse_instant(text: str, now: datetime) -> datetime:
    """Return an ISO or relative date (``now-7d/d``) as an aware UTC instant.

    Raises:
        ValueError: if it is neither.
        OverflowError: if it is out of range.
    """
    match = _RELATIVE.fullmatch(text.strip())
    if not match:
        parsed = datetime.fromisoformat(text.strip())
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    instant = now.astimezone(UTC)
    for amount, unit in _OFFSET.findall(match.group(1)):
        instant = _shifted(instant, int(amount), unit)
    return _rounded_down(instant, match.group(2)) if match.group(2) else instant


def _shifted(instant: datetime, amount: int, unit: str) -> datetime:
    if unit in _SECONDS:
        return instant + timedelta(seconds=amount * _SECONDS[unit])
    months = instant.year * _MONTHS_PER_YEAR + instant.month - 1 + amount * (_MONTHS_PER_YEAR if unit == "y" else 1)
    first = instant.replace(year=months // _MONTHS_PER_YEAR, month=months % _MONTHS_PER_YEAR + 1, day=1)
    last_day = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    return first.replace(day=min(instant.day, last_day))


def _rounded_down(instant: datetime, unit: str) -> datetime:
    if unit == "s":
        return instant.replace(microsecond=0)
    if unit == "m":
        return instant.replace(second=0, microsecond=0)
    if unit == "h":
        return instant.replace(minute=0, second=0, microsecond=0)
    day = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "w":
        return day - timedelta(days=day.weekday())
    if unit == "M":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if unit == "y" else day
