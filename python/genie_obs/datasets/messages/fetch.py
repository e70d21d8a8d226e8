"""Fetching: opens every workspace with something to do, reads them all side by side, adds up what came of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import pyarrow as pa
import pyarrow.compute as pc

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
from genie_obs.datasets.spaces.store import find_stale_workspaces
from genie_obs.datasets.statements.query_history import StatementFinder
from genie_obs.drift import DriftCounter, describe_unknown
from genie_obs.errors import WorkspaceError
from genie_obs.genie_api.api import ApiSettings, ApiStats, GenieApi, open_session
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TokenSource
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.ledger.due import due_of_workspace
from genie_obs.ledger.rows import ConversationSizes
from genie_obs.runs.dataset import Run, StepResult
from genie_obs.security.hosts import HostRules, trusted_host

logger = logging.getLogger(__name__)

MESSAGE_OPERATIONS = ("get_message", "list_messages")
_KNOWN_USERS_SINCE = timedelta(days=30)
_RUNNING = "RUNNING"
_NOT_RUNNING = frozenset({"NOT_PROVISIONED", "PROVISIONING", "FAILED", "BANNED"})
_MAX_BUSY_WORKSPACES = 16  # connections are sized for so many workspaces at full concurrency


async def fetch_due(
    run: Run, *, spaces: list[Row], due: pa.Table, sizes: ConversationSizes, shared: SharedDue
) -> StepResult:
    """Fetch and merge everything that is due, and return what came of it.

    Raises:
        EngineError: if merging fails; what was merged before is kept.
    """
    fetching = _Fetching(run=run, spaces=spaces, due=due, sizes=sizes, shared=shared)
    run.progress.step("Fetching messages", due.num_rows, fetching.note)
    statements = StatementFinder(run.tables, run.guard, is_read=run.reads("query.history"))
    merger = BatchMerger(
        run.tables,
        batch_size=run.settings.fetch.batch_size,
        clock=run.clock,
        statements=statements,
        shared=shared,
        on_merged=run.progress.advance,
    )
    settings = ApiSettings(timeout_seconds=run.settings.fetch.timeout_seconds)
    reports: list[ReadReport] = []
    try:
        async with open_session(settings, _connection_count(run, due), proxy=run.settings.fetch.proxy) as session:
            readers, reports = fetching.open_readers(session, settings, merger)
            reports += await read_workspaces(readers, merger, heartbeat=run.heartbeat, clock=run.clock)
    finally:
        merger.close()
        fetching.drift.merge(statements.drift)
        # Noted here, so that the record of a run that fails says what was stored before.
        result = run.results["messages"] = fetching.result(reports, merger, statements)
    return result


@dataclass(kw_only=True)
class _Fetching:
    """What the parts of one fetching step share."""

    run: Run
    spaces: list[Row]
    due: pa.Table
    sizes: ConversationSizes
    shared: SharedDue
    drift: DriftCounter = field(default_factory=DriftCounter)
    _stats: ApiStats = field(default_factory=ApiStats, init=False)
    _tokens: list[TokenSource] = field(default_factory=list, init=False)

    def note(self) -> str:
        """Return what progress shows beside the count."""
        return f"{self._stats.calls} calls, {self._stats.throttled} throttled"

    def open_readers(
        self, session: aiohttp.ClientSession, api_settings: ApiSettings, merger: BatchMerger
    ) -> tuple[list[Reader], list[ReadReport]]:
        """Return a reader per workspace with something to do, and a report for each that must not be asked."""
        readers: list[Reader] = []
        reports: list[ReadReport] = []
        users = self._known_users()
        workers = share_workers(self.due["workspace_id"], self.run.settings.fetch.max_concurrency)
        for workspace_id in self._busy_workspaces():
            due = due_of_workspace(self.due, workspace_id)
            context = self._context(workspace_id)
            if self._workspace(workspace_id) is None:
                readers.append(
                    AbsentWorkspaceReader(context, due, merger, clock=self.run.clock, reason=_absence(workspace_id))
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
                guard=self.run.guard,
                users=UserDirectory(api, users.get(workspace_id, {}), self.drift),
                drift=self.drift,
                shared=self.shared,
            )
            count = workers.get(workspace_id, 1)
            readers.append(WorkspaceReader(work, merger, sizes=self.sizes, clock=self.run.clock, worker_count=count))
        return readers, reports

    def _busy_workspaces(self) -> list[str]:
        """Return the workspaces with due messages, and those whose spaces were last asked for a day ago."""
        due = set(self.due["workspace_id"].unique().to_pylist())
        return sorted(due | find_stale_workspaces(self.spaces, self.run.workspaces, self.run.started_at))

    def _open_api(self, workspace_id: str, session: aiohttp.ClientSession, settings: ApiSettings) -> GenieApi:
        rules = self.run.settings.fetch.host_rules(is_loopback=self.run.tables.is_loopback)
        host = _host(self._workspace(workspace_id), workspace_id, rules)
        tokens = TokenSource(
            workspace_id=workspace_id,
            host=host,
            credentials=self.run.credentials,
            session=session,
            clock=self.run.clock,
        )
        self._tokens.append(tokens)
        limiter = AdaptiveLimiter(
            self.run.clock,
            max_concurrency=self.run.settings.fetch.max_concurrency,
            max_requests_per_second=self.run.settings.fetch.max_requests_per_second,
        )
        return GenieApi(
            workspace_id=workspace_id,
            host=host,
            session=session,
            tokens=tokens,
            limiter=limiter,
            clock=self.run.clock,
            settings=settings,
            stats=self._stats,
        )

    def _note_status(self, workspace_id: str) -> None:
        status = (self._workspace(workspace_id) or {}).get("status")
        if status is not None and status != _RUNNING and status not in _NOT_RUNNING:
            self.drift.add(describe_unknown("system.access.workspaces_latest.status", status))

    def _workspace(self, workspace_id: str) -> Row | None:
        return next((row for row in self.run.workspaces if row["workspace_id"] == workspace_id), None)

    def _context(self, workspace_id: str) -> Context:
        return Context(
            workspace_id=workspace_id,
            workspace_name=(self._workspace(workspace_id) or {}).get("workspace_name"),
            run_id=self.run.run_id,
            settings=self.run.settings.fetch,
        )

    def _space_directory(self, workspace_id: str, api: GenieApi) -> SpaceDirectory:
        return SpaceDirectory(
            api,
            [row for row in self.spaces if row["workspace_id"] == workspace_id],
            workspace_id=workspace_id,
            client_id=self.run.credentials.client_id,
            clock=self.run.clock,
            guard=self.run.guard,
            drift=self.drift,
        )

    def _known_users(self) -> dict[str, dict[str, str]]:
        """Return e-mails by workspace and user id from recent messages; only where audit does not name some asker."""
        unknown = self.due.filter(pc.is_null(self.due["user_email"]))
        if not unknown.num_rows:
            return {}
        rows = self.run.tables.rows(
            "datasets/messages/select_known_users",
            from_date=(self.run.clock.now() - _KNOWN_USERS_SINCE).date(),
            workspace_ids=",".join(unknown["workspace_id"].unique().to_pylist()),
        )
        known: dict[str, dict[str, str]] = {}
        for row in rows:
            known.setdefault(row["workspace_id"], {})[row["user_id"]] = row["user_email"]
        return known

    def result(self, reports: Iterable[ReadReport], merger: BatchMerger, statements: StatementFinder) -> StepResult:
        """Return what the step came to."""
        stats, totals = self._stats, merger.totals
        calls = stats.calls + sum(tokens.requests for tokens in self._tokens)
        stored = totals.oldest_stored_date
        return StepResult(
            rows=sum(totals.states[state] for state in ("fetched", "settling")),
            calls=calls,
            numbers={
                "due_count": self.due.num_rows,
                "fetched_count": totals.states["fetched"],
                "settling_count": totals.states["settling"],
                "retry_count": totals.states["retry"],
                "forbidden_count": totals.states["forbidden"] + sum(report.unchanged_count for report in reports),
                "deleted_count": totals.states["deleted"],
                "not_found_count": totals.states["not_found"],
                "abandoned_count": totals.states["abandoned"],
                "new_message_count": totals.listed_only_count,
                "unread_count": sum(report.unread_count for report in reports),
                "read_elsewhere_count": sum(report.read_elsewhere_count for report in reports),
                "spaces_read_count": sum(report.spaces_read_count for report in reports),
                "statements_joined_count": totals.joined_count if statements.is_read else None,
                "api_call_count": calls,
                "message_call_count": sum(stats.calls_by_operation[name] for name in MESSAGE_OPERATIONS),
                "predicted_call_count": sum(report.expected_calls for report in reports),
                "api_retry_count": stats.retries,
                "throttled_count": stats.throttled,
                "merge_seconds": totals.seconds,
            },
            facts={"oldest_stored_date": stored} if stored is not None else {},
            drift=self.drift,
            workspace_errors=tuple(report.error for report in reports if report.error),
            unread_sources=(statements.failure,) if statements.failure else (),
        )


def _connection_count(run: Run, due: pa.Table) -> int:
    busy = len(pc.unique(due["workspace_id"])) if due.num_rows else 1
    return run.settings.fetch.max_concurrency * min(max(1, busy), _MAX_BUSY_WORKSPACES)


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
        reason = "has no address in system.access.workspaces_latest. Its messages wait."
        raise WorkspaceError(reason, workspace_id=workspace_id, host="no address")
    if workspace["status"] in _NOT_RUNNING:  # one that is not known is tried
        reason = f"is {workspace['status']}, not RUNNING."
        raise WorkspaceError(reason, workspace_id=workspace_id, host=workspace["workspace_url"])
    return trusted_host(workspace["workspace_url"], rules, workspace_id=workspace_id)
