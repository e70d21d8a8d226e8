"""One run of the extraction job: discover, fetch while merging, enrich, record."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from genie_obs.clock import Clock
from genie_obs.config import Scope, Settings
from genie_obs.content_policy import ContentGuard
from genie_obs.discovery import Window, discover, select_audit_days, select_window
from genie_obs.due import has_stale_spaces, select_due, select_sizes, select_spaces
from genie_obs.enrichment import enrich
from genie_obs.erasure import erase_older, erase_what_came_back
from genie_obs.errors import ConfigError, GenieObsError
from genie_obs.other_runs import SharedDue, SignsOfLife, settle_open_runs
from genie_obs.outcomes import Row
from genie_obs.progress import RunProgress
from genie_obs.run_record import RunRecord
from genie_obs.secret import Credentials, Secret
from genie_obs.sources import SOURCES, WORKSPACES
from genie_obs.tables import Tables

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run works with."""

    tables: Tables
    settings: Settings
    credentials: Credentials
    clock: Clock
    progress: RunProgress
    content_hash_key: Secret | None = None  # only content policy `hashed` needs one


@dataclass(frozen=True, kw_only=True)
class SourcesFound:
    """The workspaces in scope, and how the system tables differ from what this version knows."""

    workspaces: list[Row]
    drift: list[str]


def check_sources(tables: Tables, scope: Scope) -> SourcesFound:
    """Check that everything we read is there, before anything is written.

    Raises:
        ConfigError: naming the table, column or workspace that is missing, and the fix.
    """
    drift = [line for source in SOURCES for line in tables.adopt_source(source, fix=_source_fix(tables))]
    return SourcesFound(workspaces=_select_workspaces(tables, scope), drift=drift)


def select_workspaces(tables: Tables, scope: Scope) -> list[Row]:
    """Return the workspaces in scope.

    Raises:
        ConfigError: if the table of workspaces cannot be read, or one asked for is not in it.
    """
    tables.adopt_source(WORKSPACES, fix=_source_fix(tables))
    return _select_workspaces(tables, scope)


def _select_workspaces(tables: Tables, scope: Scope) -> list[Row]:
    workspaces = tables.rows("select_workspaces", workspace_ids=scope.workspaces_text)
    known = {row["workspace_id"] for row in workspaces}
    if unknown := [workspace_id for workspace_id in scope.workspace_ids if workspace_id not in known]:
        raise ConfigError(
            f"--workspace-ids: {', '.join(unknown)} is not in system.access.workspaces_latest. "
            "Check the id: it is the number after ?o= in the workspace's address."
        )
    return workspaces


def _source_fix(tables: Tables) -> str:
    if tables.kind == "local":
        return "Write the system tables with 'genie-obs simulate', or copy them into the lakehouse folder."
    return (
        "An account admin must enable the system schemas access and query and grant USE SCHEMA and SELECT on them "
        "to the principal this runs as."
    )


def run_ingest(context: RunContext) -> RunRecord:
    """Run the job once and return its record, which is also stored.

    Per-message failures and workspaces that cannot be read are part of the record, not errors.

    Raises:
        ConfigError: before anything is written.
        GenieObsError: if the tables fail; the record then says `failed`.
    """
    tables, settings, clock = context.tables, context.settings, context.clock
    guard = ContentGuard(settings.content, hash_key=context.content_hash_key)
    sources = check_sources(tables, settings.scope)
    tables.create()
    started = clock.monotonic()
    record = RunRecord(
        run_id=uuid.uuid4().hex,
        started_at=clock.now(),
        engine=tables.kind,
        workspace_ids=list(settings.scope.workspace_ids) or None,
        space_ids=list(settings.scope.space_ids) or None,
    )
    window = select_window(tables, settings.scope, settings.discovery, record.started_at)
    record.window_start, record.watermark_before = window.start, window.watermark
    record.drift.add_all(sources.drift)
    others = settle_open_runs(tables, settings.scope, record.started_at)
    for other in others:
        logger.warning(
            "a run that started at %s is at work too: what is due is shared",
            f"{other['started_at']:%Y-%m-%d %H:%M} UTC",
        )
    record.begin(tables)
    context = replace(context, progress=SignsOfLife(context.progress, record, tables, clock))
    try:
        _discover(context, record, window)
        _fetch(context, record, sources.workspaces, guard, is_shared=bool(others))
        _enrich(context, record, guard)
        _erase(context, record)
        record.status = "partial" if record.workspace_errors else "succeeded"
    except BaseException as error:
        record.status = "failed"
        record.error = str(error) if isinstance(error, GenieObsError) else type(error).__name__
        raise
    finally:
        for line in record.drift.lines():
            logger.warning("not as this version knows it: %s", line)
        record.finished_at = record.alive_at = clock.now()
        record.total_seconds = clock.monotonic() - started
        record.save(tables)
    if record.oldest_stored_date is not None:
        tables.compact()
    return record


def _discover(context: RunContext, record: RunRecord, window: Window) -> None:
    started = context.clock.monotonic()
    scope = context.settings.scope
    context.progress.step("Reading the audit log")
    days = select_audit_days(context.tables, scope, window, record.started_at)
    context.progress.expect(days.event_count)
    found = discover(
        context.tables,
        scope,
        window,
        days,
        client_id=context.credentials.client_id,
        now=record.started_at,
        on_done=context.progress.advance,
    )
    record.audit_event_count, record.witnessed_count = found.event_count, found.witnessed_count
    record.new_message_count, record.watermark_after = found.new_message_count, found.watermark
    record.discover_seconds = context.clock.monotonic() - started
    if (
        found.new_message_count
    ):  # else a run that dies from here on leaves nothing that the next one does not find again
        record.save(context.tables)
    logger.info(
        "audit since %s: %d events, %d messages, %d new",
        f"{window.start:%Y-%m-%d %H:%M}", found.event_count, found.witnessed_count, found.new_message_count,
    )  # fmt: skip


def _fetch(
    context: RunContext, record: RunRecord, workspaces: list[Row], guard: ContentGuard, *, is_shared: bool
) -> None:
    started = context.clock.monotonic()
    scope, tables = context.settings.scope, context.tables
    spaces = select_spaces(tables, scope)
    select = partial(select_due, tables, scope, spaces, record.started_at)
    due = select()
    record.due_count = due.num_rows
    if due.num_rows or has_stale_spaces(spaces, record.started_at):
        from genie_obs.fetch_step import FetchStep, FetchWork  # a run with nothing to do needs no HTTP client

        step = FetchStep(
            tables=tables,
            settings=context.settings.fetch,
            credentials=context.credentials,
            clock=context.clock,
            progress=context.progress,
            record=record,
            guard=guard,
            work=FetchWork(workspaces=workspaces, spaces=spaces, due=due, sizes=select_sizes(tables, due)),
            shared=SharedDue(select, piece_rows=context.settings.fetch.batch_size, is_shared=is_shared),
        )
        run_async(step.run)
    record.fetch_seconds = context.clock.monotonic() - started


def _enrich(context: RunContext, record: RunRecord, guard: ContentGuard) -> None:
    started = context.clock.monotonic()
    context.progress.step("Joining statements")
    done = enrich(
        context.tables,
        run_id=record.run_id,
        oldest_stored_date=record.oldest_stored_date,
        now=record.started_at,
        progress=context.progress,
        guard=guard,
    )
    record.statements_joined_count += done.joined_count
    record.statements_missing_count = done.missing_count
    record.drift.merge(done.drift)
    record.enrich_seconds = context.clock.monotonic() - started


def _erase(context: RunContext, record: RunRecord) -> None:
    """Let nothing stay that was erased while this run read it, or that is older than texts may be kept."""
    tables, settings, now = context.tables, context.settings, context.clock.now
    if record.oldest_stored_date is not None:
        erase_what_came_back(tables, now())
    if settings.retention_days is not None:
        before = record.started_at.date() - timedelta(days=settings.retention_days)
        erase_older(tables, settings.scope, before, run_id=record.run_id, now=now)


def run_async(start: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, also where an event loop already runs (notebooks, the wheel launcher)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(start())
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="genie-obs-fetch") as thread:
        return thread.submit(lambda: asyncio.run(start())).result()
