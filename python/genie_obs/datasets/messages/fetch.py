"""The fetching step of a run: opens every workspace with something to do, reads them all, adds up what came of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.clock import Clock
from genie_obs.config import FetchSettings
from genie_obs.datasets.messages.merger import BatchMerger
from genie_obs.datasets.messages.outcomes import Context
from genie_obs.datasets.messages.planner import share_workers
from genie_obs.datasets.messages.reader import (
    AbsentWorkspaceReader,
    Reader,
    ReadReport,
    WorkspaceReader,
    WorkspaceWork,
    read_workspaces,
)
from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.datasets.messages.users import UserDirectory
from genie_obs.datasets.spaces.directory import SpaceDirectory
from genie_obs.datasets.spaces.store import has_stale_spaces
from genie_obs.datasets.statements.query_history import StatementFinder
from genie_obs.drift import describe_unknown
from genie_obs.errors import WorkspaceError
from genie_obs.genie_api.api import ApiSettings, ApiStats, GenieApi, open_session
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TokenSource
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.due import due_of_workspace
from genie_obs.ledger.rows import ConversationSizes
from genie_obs.progress import RunProgress
from genie_obs.runs.record import RunRecord
from genie_obs.secret import Credentials
from genie_obs.security.content_policy import ContentGuard
from genie_obs.security.hosts import HostRules, trusted_host

logger = logging.getLogger(__name__)

MESSAGE_OPERATIONS = ("get_message", "list_messages")
_KNOWN_USERS_SINCE = timedelta(days=30)
_RUNNING = "RUNNING"
_NOT_RUNNING = frozenset({"NOT_PROVISIONED", "PROVISIONING", "FAILED", "BANNED"})
_MAX_BUSY_WORKSPACES = 16  # connections are sized for so many workspaces at full concurrency


@dataclass(frozen=True, kw_only=True)
class FetchWork:
    """What is to be fetched: due messages of all workspaces, with what is known around them."""

    workspaces: list[Row]
    spaces: list[Row]
    due: pa.Table
    sizes: ConversationSizes


@dataclass(kw_only=True)
class FetchStep:
    """Fetches the due messages of one run and writes its numbers into the run's record."""

    tables: Tables
    settings: FetchSettings
    credentials: Credentials
    clock: Clock
    progress: RunProgress
    record: RunRecord
    work: FetchWork
    guard: ContentGuard
    shared: SharedDue
    _stats: ApiStats = field(default_factory=ApiStats, init=False)
    _tokens: list[TokenSource] = field(default_factory=list, init=False)

    async def run(self) -> None:
        """Fetch and merge everything that is due.

        Raises:
            EngineError: if merging fails; what was merged before is kept.
        """
        self.progress.step("Fetching messages", self.work.due.num_rows, self._note)
        statements = StatementFinder(self.tables, self.guard)
        merger = BatchMerger(
            self.tables,
            batch_size=self.settings.batch_size,
            clock=self.clock,
            statements=statements,
            shared=self.shared,
            on_merged=self.progress.advance,
        )
        api_settings = ApiSettings(timeout_seconds=self.settings.timeout_seconds)
        try:
            async with open_session(api_settings, self._connection_count(), proxy=self.settings.proxy) as session:
                readers, reports = self._open_readers(session, api_settings, merger)
                reports += await read_workspaces(readers, merger)
                self._add_reports(reports)
        finally:
            merger.close()
            self.record.drift.merge(statements.drift)
            self._add_calls()
            self._add_totals(merger)

    def _note(self) -> str:
        return f"{self._stats.calls} calls, {self._stats.throttled} throttled"

    def _connection_count(self) -> int:
        busy = len(pc.unique(self.work.due["workspace_id"])) if self.work.due.num_rows else 1
        return self.settings.max_concurrency * min(max(1, busy), _MAX_BUSY_WORKSPACES)

    def _open_readers(
        self, session: aiohttp.ClientSession, api_settings: ApiSettings, merger: BatchMerger
    ) -> tuple[list[Reader], list[ReadReport]]:
        """Return a reader per workspace with something to do, and a report for each that must not be asked."""
        readers: list[Reader] = []
        reports: list[ReadReport] = []
        users = self._known_users()
        workers = share_workers(self.work.due["workspace_id"], self.settings.max_concurrency)
        for workspace_id in self._busy_workspaces():
            due = due_of_workspace(self.work.due, workspace_id)
            context = self._context(workspace_id)
            if self._workspace(workspace_id) is None:
                readers.append(
                    AbsentWorkspaceReader(context, due, merger, clock=self.clock, reason=_absence(workspace_id))
                )
                continue
            self._note_status(workspace_id)
            try:
                api = self._open_api(workspace_id, session, api_settings)
            except WorkspaceError as error:
                logger.warning("skipping %s", error)
                reports.append(ReadReport(workspace_id=workspace_id, error=str(error), unread_count=due.num_rows))
                continue
            work = WorkspaceWork(
                context=context,
                api=api,
                due=due,
                spaces=self._space_directory(workspace_id, api),
                guard=self.guard,
                users=UserDirectory(api, users.get(workspace_id, {}), self.record.drift),
                drift=self.record.drift,
                shared=self.shared,
            )
            count = workers.get(workspace_id, 1)
            readers.append(WorkspaceReader(work, merger, sizes=self.work.sizes, clock=self.clock, worker_count=count))
        return readers, reports

    def _busy_workspaces(self) -> list[str]:
        """Return the workspaces with due messages, and those whose spaces were last asked for a day ago."""
        due = set(self.work.due["workspace_id"].unique().to_pylist())
        stale = {row["workspace_id"] for row in self.work.spaces if has_stale_spaces([row], self.record.started_at)}
        return sorted(due | stale)

    def _open_api(self, workspace_id: str, session: aiohttp.ClientSession, settings: ApiSettings) -> GenieApi:
        rules = self.settings.host_rules(is_loopback=self.tables.is_loopback)
        host = _host(self._workspace(workspace_id), workspace_id, rules)
        tokens = TokenSource(
            workspace_id=workspace_id, host=host, credentials=self.credentials, session=session, clock=self.clock
        )
        self._tokens.append(tokens)
        limiter = AdaptiveLimiter(
            self.clock,
            max_concurrency=self.settings.max_concurrency,
            max_requests_per_second=self.settings.max_requests_per_second,
        )
        return GenieApi(
            workspace_id=workspace_id,
            host=host,
            session=session,
            tokens=tokens,
            limiter=limiter,
            clock=self.clock,
            settings=settings,
            stats=self._stats,
        )

    def _note_status(self, workspace_id: str) -> None:
        status = (self._workspace(workspace_id) or {}).get("status")
        if status is not None and status != _RUNNING and status not in _NOT_RUNNING:
            self.record.drift.add(describe_unknown("system.access.workspaces_latest.status", status))

    def _workspace(self, workspace_id: str) -> Row | None:
        return next((row for row in self.work.workspaces if row["workspace_id"] == workspace_id), None)

    def _context(self, workspace_id: str) -> Context:
        return Context(
            workspace_id=workspace_id,
            workspace_name=(self._workspace(workspace_id) or {}).get("workspace_name"),
            run_id=self.record.run_id,
            settings=self.settings,
        )

    def _space_directory(self, workspace_id: str, api: GenieApi) -> SpaceDirectory:
        return SpaceDirectory(
            api,
            [row for row in self.work.spaces if row["workspace_id"] == workspace_id],
            workspace_id=workspace_id,
            client_id=self.credentials.client_id,
            clock=self.clock,
            guard=self.guard,
            drift=self.record.drift,
        )

    def _known_users(self) -> dict[str, dict[str, str]]:
        """Return e-mails by workspace and user id from recent messages; only where audit does not name some asker."""
        unknown = self.work.due.filter(pc.is_null(self.work.due["user_email"]))
        if not unknown.num_rows:
            return {}
        rows = self.tables.rows(
            "datasets/messages/select_known_users",
            from_date=(self.clock.now() - _KNOWN_USERS_SINCE).date(),
            workspace_ids=",".join(unknown["workspace_id"].unique().to_pylist()),
        )
        known: dict[str, dict[str, str]] = {}
        for row in rows:
            known.setdefault(row["workspace_id"], {})[row["user_id"]] = row["user_email"]
        return known

    def _add_calls(self) -> None:
        stats = self._stats
        self.record.api_call_count = stats.calls + sum(tokens.requests for tokens in self._tokens)
        self.record.message_call_count = sum(stats.calls_by_operation[name] for name in MESSAGE_OPERATIONS)
        self.record.api_retry_count, self.record.throttled_count = stats.retries, stats.throttled

    def _add_totals(self, merger: BatchMerger) -> None:
        record, states = self.record, merger.totals.states
        record.fetched_count, record.settling_count = states["fetched"], states["settling"]
        record.retry_count, record.abandoned_count = states["retry"], states["abandoned"]
        record.deleted_count, record.not_found_count = states["deleted"], states["not_found"]
        record.forbidden_count += states["forbidden"]
        record.new_message_count += merger.totals.listed_only_count
        record.oldest_stored_date = merger.totals.oldest_stored_date
        record.statements_joined_count = merger.totals.joined_count
        record.merge_seconds = merger.totals.seconds

    def _add_reports(self, reports: list[ReadReport]) -> None:
        record = self.record
        record.workspace_errors = [report.error for report in reports if report.error]
        record.spaces_read_count = sum(report.spaces_read_count for report in reports)
        record.unread_count = sum(report.unread_count for report in reports)
        record.read_elsewhere_count = sum(report.read_elsewhere_count for report in reports)
        record.forbidden_count += sum(report.unchanged_count for report in reports)
        record.predicted_call_count = sum(report.expected_calls for report in reports)


def _absence(workspace_id: str) -> str:
    return (
        f"workspace {workspace_id} is not in system.access.workspaces_latest: it was deleted, or belongs to another account. "
        "Its messages are tried for some days and then abandoned."
    )


def _host(workspace: Row | None, workspace_id: str, rules: HostRules) -> str:
    """Return the address of a workspace.

    Raises:
        WorkspaceError: if it has none, is not running, or must not be given credentials.
    """
    if workspace is None or not workspace["workspace_url"]:
        problem = "has no address in system.access.workspaces_latest; its messages wait"
        fix = "Wait until the table names its address, or leave it out with --workspace-ids."
        raise WorkspaceError(problem, fix, workspace_id=workspace_id, host="no address")
    if workspace["status"] in _NOT_RUNNING:  # one that is not known is tried
        problem = f"is {workspace['status']}, not RUNNING"
        fix = "Nothing to do: its messages are read once it runs."
        raise WorkspaceError(problem, fix, workspace_id=workspace_id, host=workspace["workspace_url"])
    return trusted_host(workspace["workspace_url"], rules, workspace_id=workspace_id)
