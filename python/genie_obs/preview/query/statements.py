"""Builds the SQL of a tile: around the SQL of its dataset come the fields, conditions and grouping of the tile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from genie_obs.lakehouse.sql_tokens import quoted, without_end
from genie_obs.preview.file.model import Dataset, Field, Query
from genie_obs.preview.query.expressions import is_aggregate, plain_column, same, translate
from genie_obs.preview.query.filters import Predicate, Scope
from genie_obs.preview.query.parameters import (
    BoundSql,
    ParameterError,
    Scalar,
    Selection,
    bind_parameters,
    parse_instant,
    parse_selection,
)

TypeOf = Callable[[BoundSql], str]
"""Returns the SQL type, in lower case, of the one column a statement gives."""


@dataclass(frozen=True)
class Statement:
    """A statement to run.

    `columns` names the columns that are the query's fields, in order; None when they are called `f0`, `f1`, …
    `source` is the SQL of the dataset inside, or None when the statement is just that.
    """

    bound: BoundSql
    columns: tuple[str, ...] | None = None
    source: BoundSql | None = None


def dataset_sql(dataset: Dataset, scope: Scope, query: Query | None, now: datetime) -> BoundSql:
    """Return the SQL of the dataset with the values of its parameters for this tile.

    Raises:
        ParameterError: if a value does not fit, or the dataset has no SQL.
    """
    if not dataset.sql.strip():
        raise ParameterError(f"the dataset {dataset.title or dataset.name!r} has no SQL")
    fixed = {k: parse_selection(raw) for k, raw in query.fixed_values.items()} if query else {}
    bound = bind_parameters(dataset, {**scope.parameters, **fixed}, now)
    return BoundSql(without_end(bound.sql), bound.values)


def build_statement(
    dataset: Dataset, query: Query, scope: Scope, *, now: datetime, type_of: TypeOf, extra: tuple[str, ...] = ()
) -> Statement:
    """Return the statement that a widget's query means.

    `extra` are columns of the dataset to fetch beside the fields of a query that shows single rows.

    Raises:
        ParameterError: if a chosen value does not fit its parameter or column.
        ExpressionError: if a field's expression cannot be understood.
    """
    source = dataset_sql(dataset, scope, query, now)
    fields = query.fields + tuple(Field(name=name, expression=quoted(name)) for name in extra)
    plain = [plain_column(f.expression) for f in fields]
    is_plain = query.is_disaggregated and not (query.filters or query.orders or scope.predicates)
    if is_plain and all(name is not None and name not in dataset.columns for name in plain):
        # The dataset as it is: so its ORDER BY counts, and tiles that read it share one result.
        return Statement(source, tuple(name for name in plain if name is not None))
    expressions = [translate(f.expression, dataset.columns) for f in fields]
    conditions, values = _conditions(dataset, query, scope, source, now=now, type_of=type_of)
    lines = [f"SELECT {', '.join(f'{sql} AS f{index}' for index, sql in enumerate(expressions))}"]
    lines.append(inside(source))
    lines += [f"WHERE {' AND '.join(conditions)}"] if conditions else []
    keys = [] if query.is_disaggregated else [sql for sql in expressions if not is_aggregate(sql)]
    lines += [f"GROUP BY {', '.join(dict.fromkeys(keys))}"] if keys else []
    lines += _ordering(dataset, query, expressions, keys)
    return Statement(BoundSql("\n".join(lines), {**source.values, **values}), source=source)


def inside(source: BoundSql) -> str:
    """Return the FROM clause that reads a dataset."""
    return f"FROM (\n{source.sql}\n) AS dataset"


def field_statement(dataset: Dataset, expression: str, source: BoundSql) -> BoundSql:
    """Return a statement with one column, that of an expression, and no rows. It is run to learn the type of the column."""
    return BoundSql(
        f"SELECT {translate(expression, dataset.columns)} AS f0\n{inside(source)}\nLIMIT 0",
        source.values,
    )


def _ordering(dataset: Dataset, query: Query, expressions: list[str], keys: list[str]) -> list[str]:
    """Return the ORDER BY of the file. The keys of groups follow in it, so that a chart looks the same each time."""
    parts: dict[str, str] = {}
    for expression, is_descending in query.orders:
        sql = translate(expression, dataset.columns)
        alias = next((f"f{index}" for index, other in enumerate(expressions) if same(sql, other)), sql)
        parts.setdefault(alias, f"{alias} {'DESC' if is_descending else 'ASC'}")
    for index, sql in enumerate(expressions):
        if sql in keys:
            parts.setdefault(f"f{index}", f"f{index} ASC")
    return [f"ORDER BY {', '.join(parts.values())}"] if parts else []


def _conditions(
    dataset: Dataset, query: Query, scope: Scope, source: BoundSql, *, now: datetime, type_of: TypeOf
) -> tuple[list[str], dict[str, Scalar]]:
    binder = _Binder()
    conditions = [f"({translate(expression, dataset.columns)})" for expression in query.filters]
    for predicate in scope.predicates:
        sql = translate(predicate.expression, dataset.columns)
        sql_type = type_of(field_statement(dataset, predicate.expression, source))
        conditions.append(_condition(predicate, sql, sql_type, binder, now))
    return conditions, binder.values


class _Binder:
    """Collects the values of a statement and names a marker for each."""

    def __init__(self) -> None:
        self.values: dict[str, Scalar] = {}

    def mark(self, value: Scalar) -> str:
        name = f"filter_value_{len(self.values)}"
        self.values[name] = value
        return f":{name}"


def _condition(predicate: Predicate, sql: str, sql_type: str, binder: _Binder, now: datetime) -> str:
    selection = predicate.selection
    if predicate.kind == "text":
        words = [str(value) for value in selection.values if value not in (None, "")]
        parts = [f"contains(lower(CAST({sql} AS STRING)), lower({binder.mark(word)}))" for word in words]
        return f"({' AND '.join(parts)})" if parts else "TRUE"
    if predicate.kind == "date":
        day = selection.values[0] if selection.values else None
        selection = Selection(low=day, high=day)
    if selection.low is not None or selection.high is not None:
        return _between(sql, sql_type, selection, binder, now)
    return _is_in(sql, sql_type, selection, binder, now)


def _is_in(sql: str, sql_type: str, selection: Selection, binder: _Binder, now: datetime) -> str:
    present = [value for value in selection.values if value is not None]
    parts = []
    if present:
        parts.append(f"{sql} IN ({', '.join(binder.mark(_as_type(v, sql_type, now)) for v in present)})")
    if len(present) < len(selection.values):
        parts.append(f"{sql} IS NULL")
    return f"({' OR '.join(parts)})" if parts else "TRUE"


def _between(sql: str, sql_type: str, selection: Selection, binder: _Binder, now: datetime) -> str:
    parts = []
    if selection.low is not None:
        parts.append(f"{sql} >= {binder.mark(_as_type(selection.low, sql_type, now))}")
    if selection.high is not None:
        high = _as_type(selection.high, sql_type, now)
        if isinstance(high, datetime) and high == high.replace(hour=0, minute=0, second=0, microsecond=0):
            # A range of days includes its last day, up to midnight.
            parts.append(f"{sql} < {binder.mark(high + timedelta(days=1))}")
        else:
            parts.append(f"{sql} <= {binder.mark(high)}")
    return f"({' AND '.join(parts)})"


def _as_type(value: Any, sql_type: str, now: datetime) -> Scalar:
    """Return a chosen value as the type of the column it is compared with.

    Raises:
        ParameterError: if it does not fit.
    """
    try:
        if sql_type.startswith("timestamp"):
            return _instant(value, now)
        if sql_type == "date":
            return _instant(value, now).date()
        if sql_type in {"tinyint", "smallint", "int", "bigint"}:
            found = float(value)
            return int(value) if not found % 1 else found
        if sql_type in {"float", "double"} or sql_type.startswith("decimal"):
            return float(value)
        if sql_type == "boolean":
            return value if isinstance(value, bool) else str(value).lower() == "true"
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ParameterError(f"{str(value)[:60]!r} does not fit a column of type {sql_type}") from error
    return str(value)


def _instant(value: Any, now: datetime) -> datetime:
    # Charts send milliseconds; filters send text, as ISO or relative to now.
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1_000, UTC)
    return parse_instant(str(value), now)
