"""Rules that hold for every statement file."""

from __future__ import annotations

import re
from datetime import date
from importlib import resources
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from genie_obs.lakehouse.schema import tables
from genie_obs.lakehouse.sql import Names, inline_parameters, parameters_of, qualify
from genie_obs.lakehouse.statements import load_statement, our_tables

FOLDER = Path(str(resources.files("genie_obs.statements")))
STATEMENTS = sorted(path.stem for path in FOLDER.glob("*.sql"))
DECLARATIONS = sorted(path.stem for path in (FOLDER / "tables").glob("*.sql"))
VIEWS = {
    "busy_conversations", "deleted_conversations", "erased_messages", "erased_spaces", "erasure_receipt", "fetched_messages",
    "fetched_spaces", "joined_statements", "message_outcomes", "run_record", "run_signs", "wanted_messages", "wanted_statements",
    "witnessed_messages",
}  # fmt: skip
# What makes an engine skip files of a system table.
PRUNING_COLUMNS = {"system.access.audit": "event_date", "system.query.history": "start_time"}


def parsed(name: str) -> exp.Expression:
    [statement] = sqlglot.parse(load_statement(name), read="databricks")
    assert isinstance(statement, exp.Expression)
    return statement


def full_name(source: exp.Table) -> str:
    return ".".join(part.name for part in source.parts)


def test_every_statement_has_a_test() -> None:
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py") if path != Path(__file__)
    )
    used = set(re.findall(r'"((?:select|merge)_\w+)"', tests))
    # Merged by their own code, as in the job.
    if ".save(lake.tables)" in tests:
        used |= {"runs/merge_run", "erasure/merge_erasure"}
    if "settle_open_runs(lake.tables" in tests:
        used |= {"runs/merge_run_signs"}

    assert set(STATEMENTS) - used == set()


def test_every_table_is_declared_once() -> None:
    assert sorted(our_tables()) == DECLARATIONS


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_is_one_statement_in_the_dialect_of_databricks(name: str) -> None:
    statement = parsed(name)

    assert isinstance(statement, exp.Merge if name.startswith("merge_") else exp.Select)


@pytest.mark.parametrize("name", DECLARATIONS)
def test_declaration_parses_with_every_column(name: str) -> None:
    statement = parsed(f"tables/{name}")

    assert isinstance(statement, exp.Create)
    declared = next(table for table in tables() if table.name == name)
    assert [column.name for column in statement.find_all(exp.ColumnDef)] == [column.name for column in declared.columns]


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_says_what_a_row_is_or_what_it_does(name: str) -> None:
    first = load_statement(name).splitlines()[0]

    assert first.startswith("-- grain: " if name.startswith("select_") else "-- ")


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_lists_its_columns(name: str) -> None:
    assert not list(parsed(name).find_all(exp.Star)) or all(
        isinstance(star.parent, exp.Count) for star in parsed(name).find_all(exp.Star)
    )


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_reads_only_our_tables_its_view_and_named_system_tables(name: str) -> None:
    statement = parsed(name)
    own = {cte.alias for cte in statement.find_all(exp.CTE)}

    read = {full_name(source) for source in statement.find_all(exp.Table)} - own

    system = {source for source in read if source.startswith("system.")}
    assert system <= {"system.access.audit", "system.access.workspaces_latest", "system.query.history"}
    # Unqualified: the catalog and the schema are settings.
    assert read - system <= set(our_tables()) | VIEWS


@pytest.mark.parametrize("name", STATEMENTS)
def test_large_system_tables_are_pruned_by_date(name: str) -> None:
    for select in parsed(name).find_all(exp.Select):
        sources = [
            source for source in (select.args.get("from_"), *(select.args.get("joins") or ())) if source is not None
        ]
        for source in sources:
            column = PRUNING_COLUMNS.get(full_name(source.this)) if isinstance(source.this, exp.Table) else None
            if column is None:
                continue
            where = select.args.get("where")
            assert where is not None
            bounds = [
                condition
                for condition in (where.this.flatten() if isinstance(where.this, exp.And) else [where.this])
                if isinstance(condition, (exp.Between, exp.GTE, exp.GT)) and condition.this.name == column
            ]
            assert bounds, f"{full_name(source.this)} is read without a bound on {column}"


def test_rule_about_pruning_sees_the_system_tables() -> None:
    """Guard of the test above: it must not pass because sqlglot names its parts differently some day."""
    [select] = parsed("datasets/events/select_audit_days").find_all(exp.Select)

    assert full_name(select.args["from_"].this) == "system.access.audit"


# Of tables that stay small, with a row per space or erasure.
SMALL = {"datasets/spaces/merge_spaces", "erasure/merge_erased_spaces", "erasure/merge_erasure"}
MERGES_BY_DATE = [name for name in STATEMENTS if name.startswith("merge_") and name not in SMALL]


@pytest.mark.parametrize("name", MERGES_BY_DATE)
def test_merge_is_limited_to_the_days_of_its_rows(name: str) -> None:
    [dates] = [parameter for parameter in parameters_of(load_statement(name)) if parameter.endswith("_dates")]

    on = parsed(name).args["on"].sql(dialect="databricks")

    assert f"{dates.removesuffix('s')} IN (:{dates})" in on


@pytest.mark.parametrize("name", STATEMENTS)
def test_merge_takes_no_text(name: str) -> None:
    """Sail takes no parameters in commands, so those of a merge become literals: dates and instants only."""
    text = load_statement(name)
    names = parameters_of(text)
    if name.startswith("merge_"):
        assert all(parameter.endswith(("_dates", "_at")) for parameter in names)


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_still_parses_as_it_is_sent(name: str) -> None:
    text = load_statement(name)
    lists = {parameter: [date(2026, 11, 20)] for parameter in parameters_of(text) if parameter.endswith("_dates")}

    sent = inline_parameters(qualify(text, Names(catalog="my-catalog", schema="s", system_catalog="other")), lists)

    [statement] = sqlglot.parse(sent, read="databricks")
    assert statement is not None
    own = {cte.alias for cte in statement.find_all(exp.CTE)}
    for source in statement.find_all(exp.Table):
        full = full_name(source)
        assert full in own | VIEWS or full.startswith(("my-catalog.s.", "other.access.", "other.query."))
