"""Statements as text: names qualified by token, values that cannot become SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genie_obs.identifiers import is_id, is_identifier, quote_identifier
from genie_obs.lakehouse.sql import (
    Names,
    inline_parameters,
    insert_only,
    limit_to_scope,
    mark_relations,
    parameters_of,
    qualify,
    system_tables_of,
)
from genie_obs.lakehouse.statements import Rule, expand_rules, has_statement, load_statement, rules

NAMES = Names(catalog="main", schema="genie", system_catalog="other")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM message_details", "FROM `main`.`genie`.`message_details`"),
        ("FROM message_details AS d", "FROM `main`.`genie`.`message_details` AS d"),
        ("FROM message_details\nWHERE x", "FROM `main`.`genie`.`message_details`\nWHERE x"),
        ("FROM system.access.audit", "FROM `other`.access.audit"),
        ("JOIN system.query.history AS h", "JOIN `other`.query.history AS h"),
        ("SELECT message_details.status", "SELECT message_details.status"),
        ("SELECT x.message_details", "SELECT x.message_details"),
        ("SELECT my_message_details, message_details_2", "SELECT my_message_details, message_details_2"),
        ("SELECT 'message_details system.access.audit'", "SELECT 'message_details system.access.audit'"),
        ("SELECT 'it''s message_details'", "SELECT 'it''s message_details'"),
        (r"SELECT 'it\'s message_details'", r"SELECT 'it\'s message_details'"),
        ("-- from message_details\nFROM x", "-- from message_details\nFROM x"),
        ("/* message_details */ FROM x", "/* message_details */ FROM x"),
        ("FROM `message_details`", "FROM `message_details`"),
        ("FROM c.message_details", "FROM c.message_details"),
        ("SELECT system.billing.usage, system", "SELECT system.billing.usage, system"),
        ("", ""),
    ],
)
def test_only_our_tables_and_the_system_catalog_are_qualified(text: str, expected: str) -> None:
    assert qualify(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("USING new_rows AS n ON n.id = t.id", "USING {new_rows} AS n ON n.id = t.id"),
        ("FROM new_rows JOIN new_rows AS b", "FROM {new_rows} JOIN {new_rows} AS b"),
        ("FROM new_rows WHERE x = 'new_rows {y}'", "FROM {new_rows} WHERE x = 'new_rows {{y}}'"),
        ("FROM new_rows -- {new_rows}", "FROM {new_rows} -- {{new_rows}}"),
        ("SELECT a.new_rows, old_new_rows, `new_rows` FROM new_rows", "SELECT a.new_rows, old_new_rows, `new_rows` FROM {new_rows}"),
    ],
)  # fmt: skip
def test_relations_are_marked_where_a_table_may_stand(text: str, expected: str) -> None:
    assert mark_relations(text, {"new_rows"}) == expected


def test_relation_that_a_statement_does_not_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="other_rows"):
        mark_relations("SELECT new_rows.x, 'other_rows' FROM new_rows", {"new_rows", "other_rows"})


@given(st.text())
def test_text_without_our_names_is_left_as_it_is(text: str) -> None:
    if not any(name in text for name in ("message_", "ingestion_runs", "space_details", "system")):
        assert qualify(text, NAMES) == text
        assert inline_parameters(text, {}) == text


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (False, "FALSE"),
        (-7, "-7"),
        (date(2026, 1, 2), "DATE '2026-01-02'"),
        (datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), "TIMESTAMP '2026-01-02 03:04:05.000678+00:00'"),
        (
            datetime(2026, 1, 1, 23, tzinfo=timezone(timedelta(hours=-2))),
            "TIMESTAMP '2026-01-02 01:00:00.000000+00:00'",
        ),
        ([date(2026, 1, 2), date(2026, 1, 1), date(2026, 1, 2)], "DATE '2026-01-01', DATE '2026-01-02'"),
        ([], "NULL"),
    ],
)
def test_values_become_typed_literals(value: object, literal: str) -> None:
    assert inline_parameters("x IN (:p)", {"p": value}) == f"x IN ({literal})"  # type: ignore[dict-item]  # every kind of value


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_text_becomes_hexadecimal_digits_that_cannot_end_a_literal(text: str) -> None:
    literal = inline_parameters(":p", {"p": text})

    if is_id(text):
        assert literal == f"'{text}'"
        return
    digits = literal.removeprefix("CAST(X'").removesuffix("' AS STRING)")
    assert bytes.fromhex(digits).decode() == text
    assert set(digits) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("ids", "condition"),
    [
        (("12", "2"), "w.workspace_id IN ('12', '2')"),
        (["2"], "w.workspace_id IN ('2')"),
        (("2') OR ('1' = '1",), "w.workspace_id IN (CAST(X'322729204f522028273127203d202731' AS STRING))"),
        ((), "TRUE"),
    ],
)
def test_scope_is_a_list_of_literals_or_no_condition(ids: tuple[str, ...], condition: str) -> None:
    text = "WHERE is_in_scope(w.workspace_id, :ids) AND NOT is_in_scope(w.workspace_id, :ids)"

    found = inline_parameters(limit_to_scope(text, {"ids": ids}), {"ids": ids})

    assert found == f"WHERE {condition} AND NOT {condition}"


def test_scope_given_as_text_is_refused_as_its_characters_would_be_taken_for_ids() -> None:
    with pytest.raises(TypeError, match="ids: a list of ids is needed, not str"):
        limit_to_scope("is_in_scope(workspace_id, :ids)", {"ids": "12"})


@pytest.mark.parametrize("text", ["x::int", "a:b", "':p'", "-- :p", "/* :p */", "`:p`", ":other", ":p2"])
def test_only_the_parameter_itself_is_replaced(text: str) -> None:
    assert inline_parameters(text, {"p": 1, "int": 2, "b": 3}) == text


def test_parameters_are_those_outside_strings_and_comments() -> None:
    text = "SELECT :a, ':b', `:c`, x::d FROM t -- :e\nWHERE y = :a AND z IN (:f_2)"

    assert parameters_of(text) == {"a", "f_2"}


@pytest.mark.parametrize("name", ["main", "genie_analytics", "a-b", "_x", "A1"])
def test_plain_names_are_identifiers(name: str) -> None:
    assert is_identifier(name)
    assert quote_identifier(name) == f"`{name}`"


@pytest.mark.parametrize("name", ["", "1a", "a.b", "a b", "a`b", "a'b", "é", "a\n", "a;--"])
def test_anything_else_is_no_identifier(name: str) -> None:
    assert not is_identifier(name)
    with pytest.raises(ValueError, match="not an identifier"):
        quote_identifier(name)


def test_names_are_spelled_in_full_and_quoted() -> None:
    assert NAMES.table("message_details") == "`main`.`genie`.`message_details`"
    assert NAMES.system_table("access.audit") == "`other`.`access`.`audit`"


def test_statement_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        load_statement("select_nothing")


def test_statements_are_named_by_room_and_file() -> None:
    assert load_statement("ledger/select_due").startswith("-- grain:")
    assert [has_statement(name) for name in ("ledger/select_due", "select_due", "ledger/fill_nothing")] == [
        True,
        False,
        False,
    ]


def test_system_tables_of_a_statement_are_those_outside_strings_and_comments() -> None:
    text = "SELECT 'system.access.a' FROM system.query.history -- system.access.b\nJOIN system.access.audit, system.query.history"

    assert system_tables_of(text) == ("query.history", "access.audit")


def test_rule_is_written_out_about_the_rows_it_is_called_for() -> None:
    rule = Rule(name="is_later", parameters=("one", "other"), condition="other.at > one.at OR one.other IS NULL")

    assert rule.call(("l", "w")) == "(w.at > l.at OR l.other IS NULL)"


def test_rules_in_a_statement_are_written_out_and_those_in_rules_too() -> None:
    text = expand_rules("SELECT is_reopened(l, w), is_final(l), is_finally(l), is_final FROM l")

    assert not [rule.name for rule in rules() if f"{rule.name}(" in text]
    assert text.count("l.state IN ('fetched', 'deleted', 'not_found', 'abandoned')") == 2
    assert "w.last_write_event_time > COALESCE(l.last_write_event_time" in text
    assert text.endswith(", is_finally(l), is_final FROM l")


def test_merge_for_new_rows_alone_loses_what_it_does_to_the_others_and_nothing_else() -> None:
    head = "MERGE INTO a\nUSING b\nON a.x = b.x"
    update = "\nWHEN MATCHED AND b.y > 1 THEN UPDATE SET y = b.y"
    insert = "\nWHEN NOT MATCHED THEN INSERT (x, y) VALUES (b.x, b.y)"

    assert insert_only(head + update + insert) == head + insert


@pytest.mark.parametrize(
    "text", ["SELECT 1", "MERGE INTO a\nWHEN MATCHED THEN DELETE", "MERGE INTO a\nWHEN NOT MATCHED THEN"]
)
def test_merge_without_both_clauses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="WHEN MATCHED"):
        insert_only(text)
