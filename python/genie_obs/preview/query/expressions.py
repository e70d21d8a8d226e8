"""Turns the expressions of widgets into SQL that every engine runs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from genie_obs.lakehouse.sql_tokens import Token, join, tokens, unquoted

# A calculated column may use other ones. Nesting deeper than this is taken for a circle.
_MAX_DEPTH = 8
# fmt: off
_AGGREGATES = frozenset({
    "any_value", "approx_count_distinct", "approx_percentile", "avg", "bool_and", "bool_or", "collect_list", "collect_set", "corr",
    "count", "count_if", "every", "first", "first_value", "kurtosis", "last", "last_value", "max", "max_by", "mean", "median", "min",
    "min_by", "mode", "percentile", "percentile_approx", "percentile_cont", "percentile_disc", "skewness", "some", "std", "stddev",
    "stddev_pop", "stddev_samp", "sum", "try_avg", "try_sum", "var_pop", "var_samp", "variance",
})
# fmt: on
_TRUNCATION = re.compile(r"""^\s*DATE_TRUNC\s*\(\s*["'](\w+)["']\s*,""", re.IGNORECASE)
_BIN_WIDTH = re.compile(r"^\s*BIN_FLOOR\s*\(.*,\s*(\d+(?:\.\d+)?)\s*\)\s*$", re.IGNORECASE | re.DOTALL)


class ExpressionError(ValueError):
    """An expression cannot be understood."""


def translate(expression: str, columns: Mapping[str, str], _depth: int = 0) -> str:
    """Return the expression in plain SQL. Calculated columns, `BIN_FLOOR`, `MEASURE` and ``COUNT(`*`)`` are replaced by what they mean.

    Raises:
        ExpressionError: if calculated columns go in circles or a call is not closed.
    """
    if _depth > _MAX_DEPTH:
        raise ExpressionError("calculated columns refer to each other in a circle")
    pieces = tokens(expression)
    out: list[Token] = []
    index = 0
    while index < len(pieces):
        token = pieces[index]
        name = token.text.upper() if token.kind == "word" else ""
        if name in {"BIN_FLOOR", "MEASURE"} and (arguments := _arguments(pieces, index + 1)) is not None:
            parts, index = arguments
            sql = [translate(join(part), columns, _depth) for part in parts]
            out.append(Token("other", _spelled_out(name, sql)))
            continue
        if token.kind == "quoted":
            token = _column(token, columns, _depth)
        out.append(token)
        index += 1
    return join(out)


def _column(token: Token, columns: Mapping[str, str], depth: int) -> Token:
    name = unquoted(token.text)
    if name == "*":
        return Token("other", "*")
    if name in columns:
        return Token("other", f"({translate(columns[name], columns, depth + 1)})")
    return token


def _spelled_out(function: str, arguments: list[str]) -> str:
    if function == "MEASURE":
        return ", ".join(arguments)
    if len(arguments) != 2:  # noqa: PLR2004  # value, width
        raise ExpressionError("BIN_FLOOR takes a value and a width")
    value, width = arguments
    return f"(floor(({value}) / ({width})) * ({width}))"


def _arguments(pieces: list[Token], start: int) -> tuple[list[list[Token]], int] | None:
    """Return the arguments in the parentheses that open at `start`, and the index after them; None if none open there."""
    while start < len(pieces) and pieces[start].kind == "space":
        start += 1
    if start >= len(pieces) or pieces[start].text != "(":
        return None
    arguments: list[list[Token]] = [[]]
    depth = 0
    for index in range(start + 1, len(pieces)):
        token = pieces[index]
        if token.text == ")" and depth == 0:
            return arguments, index + 1
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            arguments.append([])
        else:
            arguments[-1].append(token)
    raise ExpressionError("a parenthesis is not closed")


def is_aggregate(sql: str) -> bool:
    """Say whether a translated expression is an aggregate. Window functions are not."""
    pieces = [token for token in tokens(sql) if token.kind not in {"space", "comment"}]
    words = [token.text.lower() if token.kind == "word" else "" for token in pieces]
    calls = {word for word, following in zip(words, pieces[1:], strict=False) if following.text == "("}
    return bool(calls & _AGGREGATES) and "over" not in words


def plain_column(expression: str) -> str | None:
    """Return the name of the column if the expression is a column and nothing else; otherwise None."""
    pieces = [token for token in tokens(expression) if token.kind != "space"]
    if len(pieces) != 1 or pieces[0].kind not in {"quoted", "word"}:
        return None
    return unquoted(pieces[0].text) if pieces[0].kind == "quoted" else pieces[0].text


def truncation_unit(expression: str) -> str | None:
    """Return the unit of a DATE_TRUNC expression in lower case, or None."""
    match = _TRUNCATION.match(expression)
    return match.group(1).lower() if match else None


def bin_width(expression: str) -> float | None:
    """Return the width of a BIN_FLOOR expression, or None."""
    match = _BIN_WIDTH.match(expression)
    return float(match.group(1)) if match else None


def same(left: str, right: str) -> bool:
    """Say whether two expressions are equal. Blanks and the case of words do not count."""
    return _normal(left) == _normal(right)


def _normal(expression: str) -> list[str]:
    return [
        token.text.lower() if token.kind == "word" else token.text
        for token in tokens(expression)
        if token.kind != "space"
    ]
