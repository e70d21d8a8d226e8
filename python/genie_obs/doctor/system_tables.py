"""Checks of the system tables and of the state of ours; nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from genie_obs.config import Scope, Settings
from genie_obs.datasets.events.audit_log import Window, select_audit_days
from genie_obs.datasets.spaces.store import select_spaces
from genie_obs.doctor.report import Check, Status, fail, ok, skip, warn
from genie_obs.errors import ConfigError
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.engine import Engine
from genie_obs.lakehouse.schema import Table, tables
from genie_obs.lakehouse.source_checks import select_workspaces
from genie_obs.lakehouse.sources import COLUMN_FIX, SOURCES, Source
from genie_obs.lakehouse.tables import Tables

_RECENT_DAYS = 7  # how far back the audit log is counted, to see that rows come and how old the newest is
_STALE_AFTER = timedelta(days=2)
_SPELLINGS = {"int": "INT", "integer": "INT", "array<string>": "ARRAY<STRING>"}


@dataclass(kw_only=True)
class SourcesFound:
    """The checks of the sources, and what the later ones need of them."""

    checks: list[Check] = field(default_factory=list)
    workspaces: list[Row] = field(default_factory=list)


def check_sources(engine: Engine, settings: Settings, now: datetime) -> SourcesFound:
    """Check that each system table is there, has the columns that are read, and really gives rows."""
    found = SourcesFound()
    on = Tables(engine)
    for source in SOURCES:
        found.checks.append(_check_columns(on, engine, source))
    readable = {check.name for check in found.checks if check.status is not Status.FAIL}
    if "system.access.audit" in readable:
        found.checks.append(_check_audit_rows(on, engine, settings.scope, now))
    if "system.access.workspaces_latest" in readable:
        _select_workspaces(on, settings.scope, found)
    return found


def _check_columns(on: Tables, engine: Engine, source: Source) -> Check:
    name = f"system.{source.name}"
    try:
        drift = on.adopt_source(source, fix="")
    except ConfigError as error:
        detail, is_column, _ = str(error).partition(COLUMN_FIX)
        fix = COLUMN_FIX if is_column else _source_fix(engine, source.name.partition(".")[0])
        return fail(name, detail.removesuffix(" "), fix=fix)
    if drift:
        return warn(
            name, f"readable, but changed: {'; '.join(drift)}", fix="upgrade genie-obs; until then runs go on without"
        )
    return ok(name, f"readable, with the {len(source.columns)} columns that are needed")


def _check_audit_rows(on: Tables, engine: Engine, scope: Scope, now: datetime) -> Check:
    """Count recent Genie events: the one query that shows whether rows, not only columns, may be read."""
    name = "audit events"
    window = Window(start=now - timedelta(days=_RECENT_DAYS), watermark=None)
    try:
        days = select_audit_days(on, scope, window, now)
    except Exception as error:  # noqa: BLE001  # engines raise what they like; here it is a finding
        return fail(name, f"reading rows failed: {first_line(error)}", fix=_source_fix(engine, "access"))
    if days.newest_event_time is None:
        return warn(
            name,
            f"no Genie event in the last {_RECENT_DAYS} days",
            fix="if Genie was used: the audit log is regional, so run one job in each region of the account",
        )
    age = now - days.newest_event_time
    detail = f"{days.event_count:,} Genie events in the last {_RECENT_DAYS} days, the newest {describe_age(age)} old"
    if age > _STALE_AFTER:
        return warn(
            name, detail, fix="if Genie was used since: ask for the delivery of audit logs, status.databricks.com"
        )
    return ok(name, detail)


def _select_workspaces(on: Tables, scope: Scope, found: SourcesFound) -> None:
    name = "workspaces"
    try:
        found.workspaces = sorted(select_workspaces(on, scope), key=lambda row: str(row["workspace_id"]))
    except ConfigError as error:
        found.checks.append(fail(name, str(error).partition(". ")[0], fix="correct --workspace-ids"))
        return
    if not found.workspaces:
        fix = "check that this metastore's account has workspaces; the table lists those of the whole account"
        found.checks.append(fail(name, "system.access.workspaces_latest is empty", fix=fix))
        return
    found.checks.append(ok(name, f"{len(found.workspaces)} in scope"))


def _source_fix(engine: Engine, schema: str) -> str:
    if engine.kind == "local":
        return "write the system tables with 'genie-obs simulate', or copy them into the lakehouse folder"
    who = current_principal(engine)
    return (
        f"as account admin: databricks system-schemas enable <metastore-id> {schema}; "
        f"then GRANT USE CATALOG ON CATALOG system TO `{who}`; GRANT USE SCHEMA, SELECT ON SCHEMA system.{schema} TO `{who}`"
    )


def check_our_tables(engine: Engine) -> list[Check]:
    """Check that our tables have the columns and types of this version; missing ones are made by the next run."""
    on = Tables(engine)
    try:
        missing = [table.name for table in tables() if not on.has_table(table.name)]
        checks = [_check_table(engine, table) for table in tables() if table.name not in missing]
    except Exception as error:  # noqa: BLE001  # engines raise what they like; here it is a finding
        return [fail("our tables", f"cannot be looked at: {first_line(error)}", fix=_schema_fix(engine))]
    if missing:
        what = "none yet" if len(missing) == len(tables()) else f"without {', '.join(missing)}"
        checks.append(ok("our tables", f"{what}; the next run creates what is missing, or 'genie-obs init' now"))
    return checks


def _check_table(engine: Engine, table: Table) -> Check:
    stored = {
        item.name: item.dataType.simpleString().lower()
        for item in engine.spark.table(engine.names.table(table.name)).schema.fields
    }
    wrong = [
        f"{column.name} is {stored[column.name]}, not {column.sql_type.lower()}"
        for column in table.columns
        if column.name in stored and _spelled(stored[column.name]) != column.sql_type
    ]
    if wrong:
        fix = "the table was made by something else: rename it, or choose another --schema"
        return fail(table.name, f"types differ: {'; '.join(wrong)}", fix=fix)
    if added := [column.name for column in table.columns if column.name not in stored]:
        return warn(
            table.name,
            f"made by an older version, without {', '.join(added)}",
            fix="genie-obs init, or let the next run add them",
        )
    return ok(table.name, f"up to date, {len(table.columns)} columns")


def _spelled(stored_type: str) -> str:
    return _SPELLINGS.get(stored_type, stored_type.upper())


def select_known_spaces(engine: Engine, scope: Scope) -> list[Row]:
    """Return the spaces that earlier runs met in the ledger; none before the first run, or where they cannot be read."""
    on = Tables(engine)
    try:
        return select_spaces(on, scope) if on.has_table("space_details") else []
    except Exception:  # noqa: BLE001  # the check of our tables has said what is wrong with them
        return []


def not_checked(reason: str) -> list[Check]:
    """Return the checks of tables that cannot be made without an engine."""
    return [skip(name, reason) for name in ("system tables", "target schema", "our tables")]


def current_principal(engine: Engine) -> str:
    """Return the name grants are made to: whom the engine's session runs as, or a placeholder where it does not say."""
    try:
        [row] = engine.spark.sql("SELECT current_user() AS name").toArrow().to_pylist()
    except Exception:  # noqa: BLE001  # only decoration of a fix
        return "<principal>"
    return str(row["name"] or "<principal>").replace("`", "")


def _schema_fix(engine: Engine) -> str:
    catalog, schema, who = engine.names.catalog, engine.names.schema, current_principal(engine)
    return (
        f"GRANT USE CATALOG ON CATALOG {catalog} TO `{who}`; "
        f"GRANT ALL PRIVILEGES ON SCHEMA {catalog}.{schema} TO `{who}`"
    )


def first_line(error: BaseException) -> str:
    """Return the head of an engine's message, which may be pages long."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def describe_age(age: timedelta) -> str:
    """Return how long ago something was, in its largest unit."""
    minutes = max(0, round(age.total_seconds() / 60))
    if minutes < 120:  # noqa: PLR2004  # two hours
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
