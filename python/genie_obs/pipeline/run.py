"""One run of the extraction job: discover, fetch while merging, enrich, record."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace
from datetime import timedelta
from functools import partial

from genie_obs.datasets.events.audit_log import Window, discover, select_audit_days, select_window
from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.datasets.spaces.store import find_stale_workspaces, select_spaces
from genie_obs.datasets.statements.query_history import enrich
from genie_obs.erasure.erase import erase_older, erase_what_came_back
from genie_obs.errors import GenieObsError
from genie_obs.genie_api.loop import run_async
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.source_checks import check_sources
from genie_obs.ledger.due import select_due, select_sizes
from genie_obs.runs.open_runs import SignsOfLife, settle_open_runs
from genie_obs.runs.record import RunRecord
from genie_obs.security.content_policy import ContentGuard
from genie_obs.session.job import RunContext

logger = logging.getLogger(__name__)


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
    if due.num_rows or find_stale_workspaces(spaces, workspaces, record.started_at):
        from genie_obs.datasets.messages.fetch import (  # a run with nothing to do needs no HTTP client
            FetchStep,
            FetchWork,
        )

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
