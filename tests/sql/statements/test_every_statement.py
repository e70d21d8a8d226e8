"""Rules that hold for every statement file."""

from __future__ import annotations

import ast
import functools
from datetime import date
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

import genie_obs
from genie_obs.lakehouse.merge import NEW_ROWS, build_merge
from genie_obs.lakehouse.schema import tables
from genie_obs.lakehouse.sql import Names, inline_parameters, parameters_of, qualify
from genie_obs.lakehouse.statements import declarations, load_statement, our_tables, rules

PACKAGE = Path(genie_obs.__file__).parent
FILES = {file.relative_to(PACKAGE).with_suffix("").as_posix(): file for file in sorted(PACKAGE.rglob("*.sql"))}
DECLARATIONS = [name for name in FILES if name.endswith("/table")]
RULES = [name for name in FILES if name.endswith(".rule")]
# The one of the preview is a query of the dashboard's kind, with its header, and has cases among those.
STATEMENTS = [name for name in FILES if name not in {*DECLARATIONS, *RULES} and not name.startswith("preview/")]
QUERIES = [name for name in STATEMENTS if name.rpartition("/")[2].startswith("select_")]
MERGES = [name for name in STATEMENTS if name not in QUERIES]
RELATIONS = {
    "busy_conversations", "deleted_conversations", "departures", "erased", "joined_statements", "message_outcomes", "run_signs",
    "stored_days", "twins",
    "wanted_messages", "wanted_statements", "witnessed_messages",
}  # fmt: skip
# What makes an engine skip files of a system table.
PRUNING_COLUMNS = {"system.access.audit": "event_date", "system.query.history": "start_time"}


@functools.cache
def parsed(name: str) -> exp.Expression:
    [statement] = sqlglot.parse(load_statement(name), read="databricks")
    assert isinstance(statement, exp.Expression)
    return statement


def full_name(source: exp.Table) -> str:
    return ".".join(part.name for part in source.parts)


# Asked by their own code, as in the job: what a test calls to have them run.
CALLED_AS = {
    "ledger/merge_reread": "mark_for_rereading(lake.tables",
    "ledger/merge_twins": "join_twins(lake.tables",
    "ledger/select_twins": "join_twins(lake.tables",
    "runs/merge_run_signs": "find_other_runs(lake.tables",
}
# A table of another room is read where that is all there is to it; whatever writes stays in its room, the ledger's witnesses apart.
FOREIGN = {
    "datasets/events/audit_log.py": {"runs/select_watermark"},
    "datasets/events/step.py": {"runs/select_overlapping_runs"},
    "datasets/events/witnesses.py": {"ledger/merge_witnesses", "ledger/select_conversation_members"},
    "erasure/erase.py": {"runs/select_recent_runs"},
    "reports/plan.py": {"runs/select_recent_runs"},
    "reports/status.py": {"ledger/select_ledger_states", "runs/select_recent_runs", "runs/select_watermark"},
}
NOT_NAMED = {"ledger/fill_reason_code"}  # found by the name of the column, when that is added to an older table


def statements_named_in(file: Path) -> set[str]:
    """Return the statements that a module names."""
    strings = (node.value for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Constant))
    return {text for text in strings if isinstance(text, str) and text in STATEMENTS}


def test_every_statement_has_a_test() -> None:
    files = [path for path in Path(__file__).parent.rglob("*.py") if path != Path(__file__)]
    used = set[str]().union(*(statements_named_in(file) for file in files))
    text = "\n".join(file.read_text("utf-8") for file in files)
    used |= {name for name, call in CALLED_AS.items() if call in text}

    assert set(STATEMENTS) - used == set()


def test_statement_is_named_only_in_its_own_room() -> None:
    named = {file.relative_to(PACKAGE).as_posix(): statements_named_in(file) for file in PACKAGE.rglob("*.py")}
    foreign = {
        module: others
        for module, names in named.items()
        if (others := {name for name in names if name.rpartition("/")[0] != module.rpartition("/")[0]})
    }

    assert foreign == FOREIGN
    assert set(STATEMENTS) - set[str]().union(*named.values()) == NOT_NAMED


def test_every_table_is_declared_once() -> None:
    assert sorted(declarations().values()) == DECLARATIONS
    assert len(our_tables()) == len(DECLARATIONS)


def test_every_rule_is_used() -> None:
    assert len(rules()) == len(RULES)
    text = "\n".join(file.read_text("utf-8") for file in FILES.values())
    unused = [rule.name for rule in rules() if text.count(f"{rule.name}(") < 2]  # the first is its own head
    assert not unused


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_is_one_statement_in_the_dialect_of_databricks(name: str) -> None:
    statement = parsed(name)

    assert isinstance(statement, exp.Merge if name in MERGES else exp.Select)


@pytest.mark.parametrize("name", DECLARATIONS)
def test_declaration_parses_with_every_column(name: str) -> None:
    statement = parsed(name)

    assert isinstance(statement, exp.Create)
    declared = next(table for table in tables() if f"{table.folder}/table" == name)
    columns = [column for column in statement.find_all(exp.ColumnDef) if isinstance(column.parent, exp.Schema)]
    assert [column.name for column in columns] == list(declared.names)


@pytest.mark.parametrize("name", ["ledger/merge_witnesses", "ledger/merge_outcomes"])
def test_merge_inserts_every_column_by_name(name: str) -> None:
    inserted = parsed(name).args["whens"].expressions[-1].args["then"]
    [target] = [table for table in tables() if table.name == full_name(parsed(name).this)]

    assert [column.name for column in inserted.this.expressions] == list(target.names)
    assert [column.name for column in inserted.expression.expressions] == list(target.names)


@pytest.mark.parametrize("name", our_tables())
@pytest.mark.parametrize("is_insert_only", [False, True])
def test_merge_of_a_table_is_one_statement_that_names_every_column(name: str, is_insert_only: bool) -> None:
    [statement] = sqlglot.parse(build_merge(name, is_insert_only=is_insert_only), read="databricks")
    assert isinstance(statement, exp.Merge)
    declared = next(table for table in tables() if table.name == name)
    inserted = statement.args["whens"].expressions[-1].args["then"]

    assert {full_name(source) for source in statement.find_all(exp.Table)} == {name, NEW_ROWS}
    assert [column.name for column in inserted.this.expressions] == list(declared.names)
    assert len(inserted.expression.expressions) == len(declared.names)
    is_never_updated = set(declared.names) <= {*declared.key, *declared.merge.once}
    assert (len(statement.args["whens"].expressions) == 1) is (is_insert_only or is_never_updated)


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_says_what_a_row_is_or_what_it_does(name: str) -> None:
    first = load_statement(name).splitlines()[0]

    assert first.startswith("-- " if name in MERGES else "-- grain: ")


@pytest.mark.parametrize("name", QUERIES)
def test_query_lists_its_columns(name: str) -> None:
    query = parsed(name)
    assert isinstance(query, exp.Select)
    assert not query.is_star  # inside, a query may pass on what it does not name


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_reads_only_our_tables_its_relation_and_named_system_tables(name: str) -> None:
    statement = parsed(name)
    own = {cte.alias for cte in statement.find_all(exp.CTE)}

    read = {full_name(source) for source in statement.find_all(exp.Table)} - own

    system = {source for source in read if source.startswith("system.")}
    assert system <= {"system.access.audit", "system.access.workspaces_latest", "system.query.history"}
    # Unqualified: the catalog and the schema are settings.
    assert read - system <= set(our_tables()) | RELATIONS


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
                if (isinstance(condition, (exp.Between, exp.GTE, exp.GT)) and condition.this.name == column)
                or (condition.name == "is_on_days" and condition.expressions[0].name == column)
            ]
            assert bounds, f"{full_name(source.this)} is read without a bound on {column}"


def test_rule_about_pruning_sees_the_system_tables() -> None:
    """Guard of the test above: it must not pass because sqlglot names its parts differently some day."""
    [logged] = parsed("datasets/events/select_audit_days").find_all(exp.CTE)

    assert full_name(logged.this.args["from_"].this) == "system.access.audit"


# Spaces have no days; the messages of a space that went are of any day, and it goes once.
OF_SPACES = {"datasets/spaces/merge_departed_messages", "datasets/spaces/merge_departures"}
FILLS = [name for name in MERGES if "/fill_" in name]  # run once, over the whole table


@pytest.mark.parametrize("name", [name for name in MERGES if name not in {*FILLS, *OF_SPACES}])
def test_merge_is_limited_to_the_days_of_its_rows(name: str) -> None:
    [dates] = [parameter for parameter in parameters_of(load_statement(name)) if parameter.endswith("_dates")]

    on = parsed(name).args["on"].sql(dialect="databricks")

    assert f"{dates.removesuffix('s')} IN (:{dates})" in on


@pytest.mark.parametrize("name", FILLS)
def test_statement_that_fills_a_new_column_takes_nothing_and_names_the_column(name: str) -> None:
    folder, _, file = name.rpartition("/")
    declared = next(table for table in tables() if table.folder == folder)

    assert file.removeprefix("fill_") in declared.names
    assert not parameters_of(load_statement(name))


@pytest.mark.parametrize("text", [*map(load_statement, MERGES), *map(build_merge, our_tables())])
def test_merge_takes_no_text(text: str) -> None:
    """Sail takes no parameters in commands, so those of a merge become literals: dates, instants and words of our own only."""
    assert all(parameter.endswith(("_dates", "_at", "_statuses")) for parameter in parameters_of(text))


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
        assert full in own | RELATIONS or full.startswith(("my-catalog.s.", "other.access.", "other.query."))
