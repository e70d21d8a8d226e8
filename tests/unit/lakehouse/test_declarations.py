"""What every declared table must say of its columns. Content policy, erasure, vacuum and statistics follow from it."""

from __future__ import annotations

import re

import pytest

from genie_obs.datasets.messages.parsing.message_rows import parse_message
from genie_obs.lakehouse.schema import CONTENT_POLICY, Table, tables
from genie_obs.lakehouse.sources import SOURCES

ALL = [pytest.param(declared, id=declared.name) for declared in tables()]
TEXT_TYPES = {"STRING", "ARRAY<STRING>"}
# Header lines whose value is a list of columns. `joined on <column>` and `rule <column>` name one more in their key.
LISTS = {
    "key",
    "cluster by",
    "partition by",
    "statistics",
    "texts",
    "words",
    "people",
    "identifiers",
    "newest",
    "once",
    "quiet",
}


def header_of(declared: Table) -> dict[str, str]:
    """Return the header lines by key, read apart from the code under test; a line that goes on is joined to the one before."""
    head = re.sub(r"\n--  +", " ", declared.ddl.partition("\nCREATE TABLE")[0])
    return dict(re.findall(r"^-- ([a-z][a-z_ ]*): +(.+)$", head, re.MULTILINE))


def columns_named_in(declared: Table) -> list[str]:
    named: list[str] = []
    for key, value in header_of(declared).items():
        kind, _, column = key.partition(" on " if key.startswith("joined on ") else " ")
        if key in LISTS or key.startswith("joined on "):
            named += [item.partition(" as ")[0] for item in re.split(r",\s*", value) if item != "all"]
        if kind in {"joined", "rule"}:
            named.append(column)
    return named


@pytest.mark.parametrize("declared", ALL)
def test_every_column_that_can_hold_text_is_declared_as_exactly_one_kind(declared: Table) -> None:
    kinds = [*declared.texts.names, *declared.texts.words, *declared.people, *declared.identifiers]

    assert sorted(kinds) == sorted(column.name for column in declared.columns if column.sql_type in TEXT_TYPES)


@pytest.mark.parametrize("declared", ALL)
def test_every_name_in_a_header_is_a_column(declared: Table) -> None:
    named = columns_named_in(declared)

    assert len(named) > len(declared.key)
    assert set(named) <= set(declared.names)


@pytest.mark.parametrize("declared", ALL)
def test_every_rule_reads_columns_that_are_there(declared: Table) -> None:
    merge = declared.merge
    expressions = " ".join(filter(None, (*merge.rules.values(), merge.update_if, merge.insert_if)))

    assert set(re.findall(r"\bold\.(\w+)", expressions)) <= set(declared.names)


@pytest.mark.parametrize("declared", ALL)
def test_column_has_one_way_to_be_merged(declared: Table) -> None:
    merge = declared.merge
    ways = [*declared.key, *merge.once, *merge.newest, *merge.joined, *merge.rules]
    if merge.newest and header_of(declared)["newest"] == "all":
        ways = [*merge.newest, *declared.key]

    assert len(ways) == len(set(ways))


@pytest.mark.parametrize("declared", ALL)
def test_key_says_what_a_row_is_and_no_text_or_person_does(declared: Table) -> None:
    assert declared.key
    assert not {*declared.key} & {*declared.texts.names, *declared.texts.words, *declared.people}


@pytest.mark.parametrize("declared", ALL)
def test_log_of_a_table_quotes_no_text_and_no_person(declared: Table) -> None:
    assert declared.statistics
    assert not {*declared.statistics} & {*declared.texts.names, *declared.texts.words, *declared.people}


@pytest.mark.parametrize("declared", ALL)
def test_table_whose_texts_can_change_says_under_which_policy_they_were_written(declared: Table) -> None:
    is_inserted_once = set(declared.names) <= {*declared.key, *declared.merge.once}

    assert declared.has_content_policy or is_inserted_once or not declared.texts
    assert not declared.has_content_policy or CONTENT_POLICY in declared.identifiers


@pytest.mark.parametrize("declared", ALL)
def test_table_with_texts_or_people_says_with_whose_erasure_they_go(declared: Table) -> None:
    assert bool(declared.erased_with) == declared.is_erasable
    needed = {"message": {"workspace_id", "message_id"}, "space": {"workspace_id", "space_id"}, "person": set[str]()}
    assert set[str]().union(*(needed.get(whom, set()) for whom in declared.erased_with)) <= set(declared.names)
    assert "person" not in declared.erased_with or declared.people


@pytest.mark.parametrize("declared", ALL)
def test_table_with_texts_of_messages_bounds_how_long_they_are_kept(declared: Table) -> None:
    assert (declared.retention is not None) == (bool(declared.texts) and "message" in declared.erased_with)


def test_texts_of_a_message_are_columns_that_its_answer_fills() -> None:
    [declared] = [declared for declared in tables() if declared.name == "message_details"]
    of_history = {"query_error_message"}  # the only text that comes from the query history

    assert {*declared.texts.names, *declared.texts.words} - of_history <= set(parse_message({"message_id": "m"}))


@pytest.mark.parametrize("declared", ALL)
def test_sources_are_those_that_a_run_looks_at(declared: Table) -> None:
    assert set(declared.sources) <= {source.name for source in SOURCES}


def test_header_is_read_whole() -> None:
    """Guard of the tests above: they must not pass because they read no header."""
    [ledger] = [declared for declared in tables() if declared.name == "message_ledger"]
    [details] = [declared for declared in tables() if declared.name == "message_details"]

    assert header_of(ledger)["people"] == "user_email"
    assert {"attachments_json", "query_error_message", "status", "statement_id", "is_deleted"} <= set(
        columns_named_in(details)
    )
