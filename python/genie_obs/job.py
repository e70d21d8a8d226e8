"""One run of the extraction job: discover, fetch while merging, enrich, record."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import aiohttp
import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.batch_merger import BatchMerger
from genie_obs.clock import Clock
from genie_obs.config import Scope, Settings
from genie_obs.discovery import AUDIT_COLUMNS, discover, select_window
from genie_obs.due import select_due, select_sizes, select_spaces
from genie_obs.enrichment import enrich
from genie_obs.errors import ConfigError, GenieObsError, WorkspaceError
from genie_obs.fetch_planner import ConversationSizes
from genie_obs.genie_api import ApiSettings, ApiStats, GenieApi, open_session
from genie_obs.genie_message_ingestion import ReadReport, WorkspaceReader, WorkspaceWork, read_workspaces
from genie_obs.genie_oauth import TokenSource, normalise_host
from genie_obs.limiter import AdaptiveLimiter
from genie_obs.outcomes import RECHECK_AFTER, Context, Row
from genie_obs.progress import RunProgress
from genie_obs.run_record import RunRecord
from genie_obs.schema import table
from genie_obs.secret import Credentials
from genie_obs.spaces import SpaceDirectory
from genie_obs.tables import Tables
from genie_obs.users import UserDirectory

logger = logging.getLogger(__name__)

MESSAGE_OPERATIONS = ("get_message", "list_messages")
_KNOWN_USERS_SINCE = timedelta(days=30)
_WORKSPACE_COLUMNS = ("workspace_id", "workspace_name", "workspace_url", "status")
_HISTORY_COLUMNS = (
    "workspace_id", "statement_id", "execution_status", "compute", "total_duration_ms", "start_time", "end_time", "update_time",
    "read_rows", "read_bytes", "produced_rows", "from_result_cache", "error_message",
)  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run works with."""

    tables: Tables
    settings: Settings
    credentials: Credentials
    clock: Clock
    progress: RunProgress


def check_sources(tables: Tables, scope: Scope) -> list[Row]:
    """Check that everything we read is there, before anything is written, and return the workspaces in scope.

    Raises:
        ConfigError: naming the table, column or workspace that is missing, and the fix.
    """
    if tables.kind == "local":
        fix = "Write the system tables with 'genie-obs simulate', or copy them into the lakehouse folder."
    else:
        fix = (
            "An account admin must enable the system schemas access and query and grant USE SCHEMA and SELECT on them "
            "to the principal this runs as."
        )
    tables.require_columns("access.audit", AUDIT_COLUMNS, fix=fix)
    tables.require_columns("access.workspaces_latest", _WORKSPACE_COLUMNS, fix=fix)
    tables.require_columns("query.history", _HISTORY_COLUMNS, fix=fix)
    workspaces = tables.rows("select_workspaces", workspace_ids=scope.workspaces_text)
    known = {row["workspace_id"] for row in workspaces}
    if unknown := [workspace_id for workspace_id in scope.workspace_ids if workspace_id not in known]:
        raise ConfigError(
            f"--workspace-ids: {', '.join(unknown)} is not in system.access.workspaces_latest. "
            "Check the id: it is the number after ?o= in the workspace's address."
        )
    return workspaces


def run_ingest(context: RunContext) -> RunRecord:
    """Run the job once and return its record, which is also stored.

    Per-message failures and workspaces that cannot be read are part of the record, not errors.

    Raises:
        ConfigError: before anything is written.
        GenieObsError: if the tables fail; the record then says `failed`.
    """
    tables, settings, clock = context.tables, context.settings, context.clock
    workspaces = check_sources(tables, settings.scope)
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
    record.save(tables)
    try:
        _discover(context, record)
        _fetch(context, record, workspaces)
        _enrich(context, record)
        record.status = "partial" if record.workspace_errors else "succeeded"
    except BaseException as error:
        record.status = "failed"
        record.error = str(error) if isinstance(error, GenieObsError) else type(error).__name__
        raise
    finally:
        record.finished_at = clock.now()
        record.total_seconds = clock.monotonic() - started
        record.save(tables)
    return record


def _discover(context: RunContext, record: RunRecord) -> None:
    started = context.clock.monotonic()
    context.progress.step("Reading the audit log")
    window = select_window(context.tables, context.settings.scope, context.settings.discovery, record.started_at)
    found = discover(
        context.tables,
        context.settings.scope,
        window,
        client_id=context.credentials.client_id,
        now=record.started_at,
    )
    record.audit_event_count, record.witnessed_count = found.event_count, found.witnessed_count
    record.new_message_count, record.watermark_after = found.new_message_count, found.watermark
    record.discover_seconds = context.clock.monotonic() - started
    record.save(context.tables)
    logger.info(
        "audit since %s: %d events, %d messages, %d new",
        f"{window.start:%Y-%m-%d %H:%M}", found.event_count, found.witnessed_count, found.new_message_count,
    )  # fmt: skip


def _fetch(context: RunContext, record: RunRecord, workspaces: list[Row]) -> None:
    started = context.clock.monotonic()
    scope, tables = context.settings.scope, context.tables
    spaces = select_spaces(tables, scope)
    due = select_due(tables, scope, spaces, record.started_at)
    record.due_count = due.num_rows
    if due.num_rows or _has_stale(spaces, record):
        run_async(lambda: _fetch_due(context, record, _FetchWork(workspaces, spaces, due, select_sizes(tables, due))))
    record.fetch_seconds = context.clock.monotonic() - started


def _has_stale(spaces: Iterable[Row], record: RunRecord) -> bool:
    return any(space["fetched_at"] <= record.started_at - RECHECK_AFTER for space in spaces)


@dataclass(frozen=True)
class _FetchWork:
    workspaces: list[Row]
    spaces: list[Row]
    due: pa.Table
    sizes: ConversationSizes


async def _fetch_due(context: RunContext, record: RunRecord, work: _FetchWork) -> None:
    settings = context.settings.fetch
    api_settings = ApiSettings(timeout_seconds=settings.timeout_seconds)
    stats = ApiStats()
    sources: list[TokenSource] = []
    context.progress.step(
        "Fetching messages",
        work.due.num_rows,
        lambda: f"{stats.calls} calls, {stats.throttled} throttled",
    )
    merger = BatchMerger(
        context.tables, batch_size=settings.batch_size, clock=context.clock, on_merged=context.progress.advance
    )
    try:
        async with open_session(api_settings, _connection_count(settings.max_concurrency, work)) as session:
            readers, reports = _open_readers(context, record, work, session, api_settings, stats, merger, sources)
            reports += await read_workspaces(readers, merger)
            await merger.call(lambda: _merge_spaces(context.tables, readers, record))
    finally:
        merger.close()
        record.api_call_count = stats.calls + sum(source.requests for source in sources)
        record.message_call_count = sum(stats.calls_by_operation[name] for name in MESSAGE_OPERATIONS)
        record.api_retry_count, record.throttled_count = stats.retries, stats.throttled
        _add_totals(record, merger)
    _add_reports(record, reports)


def _connection_count(max_concurrency: int, work: _FetchWork) -> int:
    busy = len(pc.unique(work.due["workspace_id"])) if work.due.num_rows else 1
    return max_concurrency * max(1, min(busy, 16))


def _open_readers(
    context: RunContext, record: RunRecord, work: _FetchWork, session: aiohttp.ClientSession, api_settings: ApiSettings,
    stats: ApiStats, merger: BatchMerger, sources: list[TokenSource],
) -> tuple[list[WorkspaceReader], list[ReadReport]]:  # fmt: skip
    """Return a reader per workspace with something to do, and a report for each that cannot even be addressed."""
    by_id = {row["workspace_id"]: row for row in work.workspaces}
    readers: list[WorkspaceReader] = []
    reports: list[ReadReport] = []
    known_users = _known_users(context, work.due)
    for workspace_id in _busy_workspaces(work, record):
        due = work.due.filter(pc.equal(work.due["workspace_id"], workspace_id))
        try:
            host = _host(by_id, workspace_id, allow_loopback_http=context.tables.kind == "local")
        except WorkspaceError as error:
            logger.warning("skipping %s", error)
            reports.append(ReadReport(workspace_id=workspace_id, error=str(error), unread_count=due.num_rows))
            continue
        source = TokenSource(
            workspace_id=workspace_id, host=host, credentials=context.credentials, session=session, clock=context.clock
        )
        sources.append(source)
        limiter = AdaptiveLimiter(
            context.clock,
            max_concurrency=context.settings.fetch.max_concurrency,
            max_requests_per_second=context.settings.fetch.max_requests_per_second,
        )
        api = GenieApi(
            workspace_id=workspace_id, host=host, session=session, tokens=source, limiter=limiter, clock=context.clock,
            settings=api_settings, stats=stats,
        )  # fmt: skip
        spaces = SpaceDirectory(
            api,
            [row for row in work.spaces if row["workspace_id"] == workspace_id],
            workspace_id=workspace_id,
            client_id=context.credentials.client_id,
            clock=context.clock,
        )
        item = WorkspaceWork(
            context=Context(
                workspace_id=workspace_id,
                workspace_name=by_id[workspace_id]["workspace_name"],
                run_id=record.run_id,
                settings=context.settings.fetch,
            ),
            api=api,
            due=due,
            spaces=spaces,
            users=UserDirectory(api, known_users.get(workspace_id, {})),
        )
        readers.append(
            WorkspaceReader(
                item, merger, sizes=work.sizes, clock=context.clock, worker_count=context.settings.fetch.max_concurrency
            )
        )
    return readers, reports


def _busy_workspaces(work: _FetchWork, record: RunRecord) -> list[str]:
    """Return the workspaces with due messages, and those whose spaces were last asked for a day ago."""
    due = set(work.due["workspace_id"].unique().to_pylist())
    return sorted(due | {row["workspace_id"] for row in work.spaces if _has_stale([row], record)})


def _host(workspaces: dict[str, Row], workspace_id: str, *, allow_loopback_http: bool) -> str:
    row = workspaces.get(workspace_id)
    if row is None or not row["workspace_url"]:
        reason = "is not in system.access.workspaces_latest: deleted, or of another account. Its messages wait."
        raise WorkspaceError(reason, workspace_id=workspace_id, host="no address")
    if row["status"] not in {None, "RUNNING"}:
        raise WorkspaceError(f"is {row['status']}, not RUNNING.", workspace_id=workspace_id, host=row["workspace_url"])
    return normalise_host(row["workspace_url"], allow_loopback_http=allow_loopback_http, workspace_id=workspace_id)


def _known_users(context: RunContext, due: pa.Table) -> dict[str, dict[str, str]]:
    """Return e-mails by workspace and user id, from recent messages; only where some asker is not known from audit."""
    unknown = due.filter(pc.is_null(due["user_email"]))
    if not unknown.num_rows:
        return {}
    rows = context.tables.rows(
        "select_known_users",
        from_date=(context.clock.now() - _KNOWN_USERS_SINCE).date(),
        workspace_ids=",".join(unknown["workspace_id"].unique().to_pylist()),
    )
    known: dict[str, dict[str, str]] = {}
    for row in rows:
        known.setdefault(row["workspace_id"], {})[row["user_id"]] = row["user_email"]
    return known


def _merge_spaces(tables: Tables, readers: list[WorkspaceReader], record: RunRecord) -> None:
    rows = [row for reader in readers for row in reader.changed_spaces()]
    record.spaces_read_count = len(rows)
    if rows:
        tables.set_view("fetched_spaces", pa.Table.from_pylist(rows, table("space_details").arrow_schema()))
        tables.execute("merge_spaces")


def _add_totals(record: RunRecord, merger: BatchMerger) -> None:
    states = merger.totals.states
    record.fetched_count, record.settling_count = states["fetched"], states["settling"]
    record.retry_count, record.forbidden_count = states["retry"], states["forbidden"]
    record.deleted_count, record.not_found_count = states["deleted"], states["not_found"]
    record.abandoned_count = states["abandoned"]
    record.new_message_count += merger.totals.listed_only_count
    record.oldest_stored_date = merger.totals.oldest_stored_date
    record.merge_seconds = merger.totals.seconds


def _add_reports(record: RunRecord, reports: list[ReadReport]) -> None:
    record.workspace_errors = [report.error for report in reports if report.error]
    record.unread_count = sum(report.unread_count for report in reports)
    record.forbidden_count += sum(report.unchanged_count for report in reports)
    record.predicted_call_count = sum(report.expected_calls for report in reports)
    drift = {what: sum(report.drift[what] for report in reports) for report in reports for what in report.drift}
    for what, count in sorted(drift.items()):
        logger.warning("the service sent what this version does not know: %s (%d times); stored as it is", what, count)


def _enrich(context: RunContext, record: RunRecord) -> None:
    started = context.clock.monotonic()
    context.progress.step("Joining statements")
    done = enrich(
        context.tables,
        run_id=record.run_id,
        oldest_stored_date=record.oldest_stored_date,
        now=record.started_at,
        on_done=context.progress.advance,
    )
    record.statements_joined_count, record.statements_missing_count = done.joined_count, done.missing_count
    record.enrich_seconds = context.clock.monotonic() - started


def run_async(start: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end, also where an event loop already runs (notebooks, the wheel launcher)."""

    async def main() -> T:
        return await start()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    result: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001  # carried to the caller's thread, whatever it is
            failure.append(error)

    thread = threading.Thread(target=run, name="genie-obs-fetch")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]  # type: ignore[no-any-return]
