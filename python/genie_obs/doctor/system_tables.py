"""Checks of the system tables: there, with the columns that are read, and with rows. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from genie_obs.config import Scope, Settings
from genie_obs.datasets.events.audit_log import Window, select_audit_days
from genie_obs.doctor.grants import system_schema_fix
from genie_obs.doctor.report import Check, Status, fail, ok, skip, warn
from genie_obs.errors import ConfigError, EngineError
from genie_obs.identifiers import is_id
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.errors import engine_errors
from genie_obs.lakehouse.source_checks import check_skipped, select_workspaces
from genie_obs.lakehouse.sources import COLUMN_FIX, SOURCES, Source, State
from genie_obs.lakehouse.tables import Tables

_RECENT_DAYS = 7  # how far back the audit log is counted, to see that rows come and how old the newest is
_STALE_AFTER = timedelta(days=2)


@dataclass(kw_only=True)
class SystemTableFindings:
    """The checks of the system tables, and the workspaces in scope, which later checks need."""

    checks: list[Check] = field(default_factory=list)
    workspaces: list[Row] = field(default_factory=list)
    messages: list[Row] = field(
        default_factory=list
    )  # one of each workspace that people read in Genie: see `_check_ids`


def check_system_tables(engine: Engine, settings: Settings, now: datetime) -> SystemTableFindings:
    """Check that each system table is there, has the columns that are read, and really gives rows."""
    found = SystemTableFindings()
    tables = Tables(engine)
    skipped = settings.discovery.skip_sources
    found.checks.extend(_check_skipped(skipped))
    for source in SOURCES:
        is_skipped = source.name in skipped and not source.is_required
        found.checks.append(_skip(source) if is_skipped else _check_columns(tables, engine, source))
    readable = {check.name for check in found.checks if check.status is not Status.FAIL}
    if "system.access.audit" in readable:
        found.checks.append(_check_audit_rows(tables, engine, settings.scope, now))
        _check_ids(tables, now, found)
    if "system.access.workspaces_latest" in readable:
        _select_workspaces(tables, engine, settings.scope, found)
    return found


def _check_skipped(names: Sequence[str]) -> list[Check]:
    try:
        check_skipped(names)
    except ConfigError as error:
        return [fail("skipped sources", item.problem, fix=item.fix) for item in error.problems]
    return []


def _skip(source: Source) -> Check:
    return skip(f"system.{source.name}", "not read, by --skip-sources")


def _check_columns(tables: Tables, engine: Engine, source: Source) -> Check:
    name = f"system.{source.name}"
    found = tables.adopt_source(source)
    if found.problem:
        fix = COLUMN_FIX if found.state is State.LACKS_COLUMNS else system_schema_fix(engine, source.schema)
        if source.is_required:
            return fail(name, found.problem, fix=fix)
        return warn(name, f"{found.problem}; runs go on without", fix=fix)
    if found.drift:
        fix = "upgrade genie-obs; until then runs go on without"
        return warn(name, f"readable, but changed: {'; '.join(found.drift)}", fix=fix)
    return ok(name, f"readable, with the {len(source.columns)} columns that are needed")


def _check_audit_rows(tables: Tables, engine: Engine, scope: Scope, now: datetime) -> Check:
    """Count recent Genie events: the one query that shows whether rows, not only columns, may be read."""
    name = "audit events"
    window = Window(start=now - timedelta(days=_RECENT_DAYS), watermark=None)
    try:
        with engine_errors():
            days = select_audit_days(tables, scope, window, now)
    except EngineError as error:
        return fail(name, f"reading rows failed: {error.problem}", fix=system_schema_fix(engine, "access"))
    if days.newest_event_time is None:
        fix = "if Genie was used: the audit log is regional, so run one job in each region of the account"
        return warn(name, f"no Genie event in the last {_RECENT_DAYS} days", fix=fix)
    age = now - days.newest_event_time
    detail = f"{days.event_count:,} Genie events in the last {_RECENT_DAYS} days, the newest {describe_age(age)} old"
    if age > _STALE_AFTER:
        fix = "if Genie was used since: ask for the delivery of audit logs, status.databricks.com"
        return warn(name, detail, fix=fix)
    return ok(name, detail)


def _check_ids(tables: Tables, now: datetime, found: SystemTableFindings) -> None:
    """Look at the ids of some messages: those who may not see personal data get the parameters of events masked."""
    try:
        with engine_errors():
            rows = tables.rows("doctor/select_known_messages", from_date=(now - timedelta(days=_RECENT_DAYS)).date())
    except EngineError:  # counting the rows has failed too, and says why
        return
    found.messages = [row for row in rows if all(map(is_id, row.values()))]
    if rows and not found.messages:
        fix = "add the principal this runs as to the group that may see personal data in system.access.audit (databricks_pii_access)"
        found.checks.append(
            fail(
                "audit ids", "the ids of messages are masked in system.access.audit: nothing can be asked for", fix=fix
            )
        )


def _select_workspaces(tables: Tables, engine: Engine, scope: Scope, found: SystemTableFindings) -> None:
    name = "workspaces"
    try:
        with engine_errors():
            found.workspaces = sorted(select_workspaces(tables, scope), key=lambda row: str(row["workspace_id"]))
    except (ConfigError, EngineError) as error:
        found.checks.append(fail(name, error.problem, fix=error.fix or system_schema_fix(engine, "access")))
        return
    if not found.workspaces:
        fix = "check that this metastore's account has workspaces; the table lists those of the whole account"
        found.checks.append(fail(name, "system.access.workspaces_latest is empty", fix=fix))
        return
    found.checks.append(ok(name, f"{len(found.workspaces)} in scope"))


def describe_age(age: timedelta) -> str:
    """Return how long ago something was, in its largest unit."""
    minutes = max(0, round(age.total_seconds() / 60))
    if minutes < 120:  # noqa: PLR2004  # two hours
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
