"""Values of parameters: typed, bound, never pasted."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from genie_obs.preview.file.model import Dataset, Parameter, ParameterKind
from genie_obs.preview.query.parameters import (
    ParameterError,
    Selection,
    bind_parameters,
    parse_instant,
    parse_selection,
)

NOW = datetime(2026, 11, 23, 17, 45, 30, tzinfo=UTC)


def _dataset(
    sql: str, data_type: str, kind: ParameterKind = "single", default: dict[str, Any] | None = None
) -> Dataset:
    parameter = Parameter(keyword="p", data_type=data_type, kind=kind, default=default or {})
    return Dataset(name="d", title="D", sql=sql, parameters=(parameter,))


def test_single_value_is_bound_with_its_type() -> None:
    bound = bind_parameters(_dataset("SELECT :p, ':p'", "INTEGER"), {"p": Selection(values=("30",))}, NOW)
    assert (bound.sql, bound.values) == ("SELECT :p, ':p'", {"p": 30})


def test_nothing_chosen_is_null_of_the_right_type() -> None:
    assert bind_parameters(_dataset("SELECT :p", "DATE"), {}, NOW).sql == "SELECT CAST(NULL AS DATE)"


def test_several_values_become_an_array_of_bound_values() -> None:
    hostile = "x') OR 1=1 --"
    bound = bind_parameters(_dataset("SELECT :p", "STRING", "multi"), {"p": Selection(values=("a", hostile))}, NOW)
    assert bound.sql == "SELECT array(:p__0, :p__1)"
    assert bound.values == {"p__0": "a", "p__1": hostile}


def test_no_values_are_an_empty_array() -> None:
    assert (
        bind_parameters(_dataset("SELECT :p", "STRING", "multi"), {}, NOW).sql
        == "SELECT CAST(array() AS ARRAY<STRING>)"
    )


def test_range_has_two_ends_and_relative_dates() -> None:
    default = {"range": {"min": {"value": "now-7d/d"}, "max": {"value": "now/d"}}}
    bound = bind_parameters(_dataset("x BETWEEN :p.min AND :p.max", "DATE", "range", default), {}, NOW)
    assert bound.sql == "x BETWEEN :p__min AND :p__max"
    assert bound.values == {"p__min": date(2026, 11, 16), "p__max": date(2026, 11, 23)}


def test_field_of_a_single_value_is_no_end_of_a_range() -> None:
    bound = bind_parameters(_dataset("SELECT :p.min, :p.other", "STRING"), {"p": Selection(values=("x",))}, NOW)
    assert (bound.sql, bound.values) == ("SELECT :p.min, :p.other", {"p": "x"})


def test_marker_that_is_not_declared_is_named() -> None:
    with pytest.raises(ParameterError, match=":q"):
        bind_parameters(_dataset("SELECT :q", "STRING"), {}, NOW)


@pytest.mark.parametrize(("data_type", "value"), [("INTEGER", "many"), ("DATE", "yesterday"), ("DECIMAL", "1,5")])
def test_value_of_the_wrong_type_is_refused(data_type: str, value: str) -> None:
    with pytest.raises(ParameterError, match=data_type):
        bind_parameters(_dataset("SELECT :p", data_type), {"p": Selection(values=(value,))}, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("now-0d", NOW),
        ("now/d", datetime(2026, 11, 23, tzinfo=UTC)),
        ("now/w", datetime(2026, 11, 23, tzinfo=UTC)),
        ("now-24h/h", datetime(2026, 11, 22, 17, tzinfo=UTC)),
        ("now-12M/M", datetime(2025, 11, 1, tzinfo=UTC)),
        ("now+3M/d", datetime(2027, 2, 23, tzinfo=UTC)),
        ("now-1y/y", datetime(2025, 1, 1, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T02:00:00.000+01:00", datetime(2026, 11, 1, 1, tzinfo=UTC)),
    ],
)
def test_dates_are_iso_or_relative(text: str, expected: datetime) -> None:
    assert parse_instant(text, NOW) == expected


def test_month_shift_keeps_the_last_day() -> None:
    assert parse_instant("now-1M/d", datetime(2026, 3, 31, tzinfo=UTC)) == datetime(2026, 2, 28, tzinfo=UTC)


def test_odd_selections_choose_nothing() -> None:
    for raw in ({}, {"values": 3}, {"values": {"values": "x"}}, {"operator": {"operator": "OR", "args": []}}):
        assert parse_selection(raw).is_empty
