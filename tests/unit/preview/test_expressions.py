"""Expressions of widgets become plain SQL; strings, comments and quoted names stay what they are."""

import pytest

from genie_obs.preview.query.expressions import (
    ExpressionError,
    bin_width,
    is_aggregate,
    plain_column,
    same,
    translate,
    truncation_unit,
)


@pytest.mark.parametrize(
    ("expression", "sql"),
    [
        ("COUNT(`*`)", "COUNT(*)"),
        ("SUM(`a b`)", "SUM(`a b`)"),
        ("BIN_FLOOR(`x`, 5)", "(floor((`x`) / ( 5)) * ( 5))"),
        ("MEASURE(`Failure rate`)", "(COUNT_IF(`s` = 'F') / COUNT(`id`))"),
        ("`Label`", "(upper(`s`))"),
        ("concat('`*`', `s`)", "concat('`*`', `s`)"),
        ("COUNT(`dotted.name`)", "COUNT(`dotted.name`)"),
    ],
)
def test_translate_spells_out_what_only_widgets_know(expression: str, sql: str) -> None:
    columns = {"Failure rate": "COUNT_IF(`s` = 'F') / COUNT(`id`)", "Label": "upper(`s`)"}
    assert translate(expression, columns) == sql


def test_translate_refuses_calculated_columns_in_a_circle() -> None:
    with pytest.raises(ExpressionError, match="circle"):
        translate("`a`", {"a": "`b`", "b": "`a`"})


def test_translate_refuses_a_call_that_is_not_closed() -> None:
    with pytest.raises(ExpressionError, match="not closed"):
        translate("BIN_FLOOR(`x`, 5", {})


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("COUNT(*)", True),
        ("percentile (`x`, 0.9)", True),
        ("`count`", False),
        ("'SUM(x)'", False),
        ("date_trunc('DAY', `x`)", False),
        ("SUM(`x`) OVER (PARTITION BY `y`)", False),
    ],
)
def test_aggregates_are_told_from_row_expressions(sql: str, expected: bool) -> None:
    assert is_aggregate(sql) is expected


def test_plain_column_is_only_a_column() -> None:
    assert plain_column(" `a.b` ") == "a.b"
    assert plain_column("SUM(`a`)") is None


def test_grain_and_width_are_read_from_expressions() -> None:
    assert truncation_unit('DATE_TRUNC("WEEK", `x`)') == "week"
    assert bin_width("BIN_FLOOR(`x`, 2.5)") == 2.5
    assert bin_width("`x`") is None


def test_same_ignores_blanks_and_the_case_of_words() -> None:
    assert same("sum( `A` )", "SUM(`A`)")
    assert not same("SUM(`a`)", "SUM(`A`)")
