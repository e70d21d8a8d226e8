"""Checks of our tables: made by this version, by an older one, by something else, or not yet. Nothing is written here."""

from __future__ import annotations

from genie_obs.config import Scope
from genie_obs.datasets.spaces.store import select_spaces
from genie_obs.doctor.grants import our_schema_fix
from genie_obs.doctor.report import Check, fail, ok, warn
from genie_obs.errors import EngineError
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.errors import engine_errors
from genie_obs.lakehouse.schema import Table
from genie_obs.lakehouse.schema import tables as declared_tables
from genie_obs.lakehouse.tables import Tables

_NAME = "our tables"


def check_our_tables(engine: Engine) -> list[Check]:
    """Check that our tables have the columns and types of this version; the next run makes those that are missing."""
    tables = Tables(engine)
    try:
        with engine_errors():
            missing = [table.name for table in declared_tables() if not tables.has_table(table.name)]
            checks = [_check_table(engine, table) for table in declared_tables() if table.name not in missing]
    except EngineError as error:
        return [fail(_NAME, f"cannot be looked at: {error.problem}", fix=our_schema_fix(engine))]
    if missing:
        what = "none yet" if len(missing) == len(declared_tables()) else f"without {', '.join(missing)}"
        checks.append(ok(_NAME, f"{what}; the next run creates what is missing, or 'genie-obs init' now"))
    return checks


def _check_table(engine: Engine, table: Table) -> Check:
    stored = {
        item.name: item.dataType.simpleString().lower()
        for item in engine.spark.table(engine.names.table(table.name)).schema.fields
    }
    wrong = [
        f"{column.name} is {stored[column.name]}, not {column.sql_type.lower()}"
        for column in table.columns
        if column.name in stored and _spelled(stored[column.name]) != _spelled(column.sql_type)
    ]
    if wrong:
        fix = "the table was made by something else: rename it, or choose another --schema"
        return fail(table.name, f"types differ: {'; '.join(wrong)}", fix=fix)
    if added := [column.name for column in table.columns if column.name not in stored]:
        fix = "genie-obs init, or let the next run add them"
        return warn(table.name, f"made by an older version, without {', '.join(added)}", fix=fix)
    return ok(table.name, f"up to date, {len(table.columns)} columns")


def _spelled(sql_type: str) -> str:
    """Return a type as engines and declarations spell it alike: ``array<struct<name:string>>``."""
    return sql_type.lower().replace(" ", "").replace("integer", "int")


def select_known_spaces(engine: Engine, scope: Scope) -> list[Row]:
    """Return the spaces that earlier runs met; none before the first run, or where they cannot be read."""
    tables = Tables(engine)
    try:
        with engine_errors():
            return select_spaces(tables, scope) if tables.has_table("space_details") else []
    except EngineError:  # the check of our tables has said what is wrong with them
        return []
