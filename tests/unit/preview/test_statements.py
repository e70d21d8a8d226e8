"""The SQL of a tile: grouping, conditions and ordering around the dataset."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from genie_obs.preview.file.model import Dataset, Field, Query
from genie_obs.preview.query.filters import ControlKind, Predicate, Scope
from genie_obs.preview.query.parameters import BoundSql, ParameterError, Selection
from genie_obs.preview.query.statements import Statement, build_statement

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DATASET = Dataset(name="d", title="D", sql="SELECT * FROM t ORDER BY x; -- end", columns={"double": "`x` * 2"})
NO_FILTER = Scope(parameters={}, predicates=())


def _build(query: Query, scope: Scope = NO_FILTER, sql_type: str = "string", **options: Any) -> Statement:
    def type_of(_: BoundSql) -> str:
        return sql_type

    return build_statement(DATASET, query, scope, now=NOW, type_of=type_of, **options)


def _query(*expressions: str, **options: Any) -> Query:
    fields = tuple(Field(name=f"n{i}", expression=e) for i, e in enumerate(expressions))
    return Query(name="main_query", dataset="d", fields=fields, **options)


def _where(kind: ControlKind, selection: Selection, sql_type: str) -> tuple[str, list[Any]]:
    scope = Scope(parameters={}, predicates=(Predicate(expression="`c`", selection=selection, kind=kind),))
    bound = _build(_query("`x`", is_disaggregated=True), scope, sql_type).bound
    where = next(line for line in bound.sql.splitlines() if line.startswith("WHERE"))
    return where, list(bound.values.values())


def test_plain_rows_are_the_dataset_itself_with_its_order() -> None:
    statement = _build(_query("`x`", "`y`", is_disaggregated=True), extra=("message_id",))
    assert statement.bound.sql == "SELECT * FROM t ORDER BY x"
    assert statement.columns == ("x", "y", "message_id")


def test_aggregates_group_by_the_other_fields() -> None:
    assert _build(_query("`x`", "COUNT(`*`)")).bound.sql.splitlines() == [
        "SELECT `x` AS f0, COUNT(*) AS f1",
        "FROM (",
        "SELECT * FROM t ORDER BY x",
        ") AS dataset",
        "GROUP BY `x`",
        "ORDER BY f0 ASC",
    ]


def test_fields_without_aggregates_are_distinct() -> None:
    assert "GROUP BY `x`, `y`" in _build(_query("`x`", "`y`")).bound.sql


def test_only_aggregates_need_no_grouping() -> None:
    assert "GROUP" not in _build(_query("COUNT(`*`)", "MAX(`x`)")).bound.sql


def test_calculated_columns_are_put_in() -> None:
    assert "(`x` * 2) AS f0" in _build(_query("`double`", is_disaggregated=True)).bound.sql


def test_filters_of_the_query_come_before_grouping_and_orders_after() -> None:
    query = _query("`x`", "COUNT(`*`)", filters=("`s` IN ('F')",), orders=(("COUNT(`*`)", True), ("`x`", False)))
    lines = _build(query).bound.sql.splitlines()
    assert lines[-3:] == ["WHERE (`s` IN ('F'))", "GROUP BY `x`", "ORDER BY f1 DESC, f0 ASC"]


def test_groups_that_are_equal_in_the_order_of_the_file_come_by_their_keys() -> None:
    query = _query("`x`", "`y`", "COUNT(`*`)", orders=(("COUNT(`*`)", True), ("`y`", True)))
    assert _build(query).bound.sql.endswith("ORDER BY f2 DESC, f1 DESC, f0 ASC")


def test_single_rows_keep_to_the_order_of_the_file() -> None:
    query = _query("`x`", "`y`", is_disaggregated=True, orders=(("`y`", True),))
    assert _build(query).bound.sql.endswith("ORDER BY f1 DESC")


def test_chosen_values_are_bound_and_null_is_asked_for() -> None:
    assert _where("multi", Selection(values=("a'b", None)), "string") == (
        "WHERE (`c` IN (:filter_value_0) OR `c` IS NULL)",
        ["a'b"],
    )


def test_range_of_days_includes_the_whole_last_day_of_instants() -> None:
    where, values = _where("daterange", Selection(low="2026-11-01", high="2026-11-02"), "timestamp")
    assert where == "WHERE (`c` >= :filter_value_0 AND `c` < :filter_value_1)"
    assert values == [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)]


def test_range_may_be_open() -> None:
    assert _where("range", Selection(low=2.5), "double") == ("WHERE (`c` >= :filter_value_0)", [2.5])


def test_date_picker_means_one_day() -> None:
    _, values = _where("date", Selection(values=("now-1d/d",)), "date")
    assert values == [date(2026, 11, 22), date(2026, 11, 22)]


def test_clicked_instants_arrive_as_milliseconds() -> None:
    _, values = _where("multi", Selection(values=(1_793_404_800_000,)), "timestamp")
    assert values == [datetime(2026, 10, 31, tzinfo=UTC)]


def test_text_entry_matches_parts_of_words() -> None:
    where, values = _where("text", Selection(values=("100%",)), "string")
    assert "contains(lower(CAST(`c` AS STRING)), lower(:filter_value_0))" in where
    assert values == ["100%"]


def test_value_that_does_not_fit_the_column_is_refused() -> None:
    with pytest.raises(ParameterError, match="does not fit"):
        _where("single", Selection(values=("many",)), "bigint")


def test_dataset_without_sql_is_refused() -> None:
    with pytest.raises(ParameterError, match="has no SQL"):
        build_statement(
            Dataset(name="d", title="", sql=" "), _query("`x`"), NO_FILTER, now=NOW, type_of=lambda _: "string"
        )
