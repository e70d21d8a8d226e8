"""Fetching: every workspace with something to do is read, and what came of it is added up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.datasets.messages.connections import NOT_RUNNING, RUNNING, Connections
from genie_obs.datasets.messages.conversation import ConversationReader
from genie_obs.datasets.messages.merger import BatchMerger
from genie_obs.datasets.messages.outcomes import WorkspaceRun, failed
from genie_obs.datasets.messages.planner import plan_conversations, share_workers
from genie_obs.datasets.messages.reader import ReadReport, WorkspaceReader, read_workspaces
from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.datasets.messages.users import UserDirectory
from genie_obs.datasets.spaces.departures import Departure, SpaceKey
from genie_obs.datasets.spaces.directory import SpaceDirectory
from genie_obs.datasets.spaces.store import find_stale_workspaces
from genie_obs.datasets.statements.query_history import StatementFinder
from genie_obs.drift import DriftCounter, describe_unknown
from genie_obs.errors import WorkspaceError
from genie_obs.genie_api.api import GenieApi
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.ledger.due import due_of_workspace
from genie_obs.ledger.reasons import Reason
from genie_obs.ledger.rows import ConversationSizes
from genie_obs.runs.dataset import Run, StepResult

logger = logging.getLogger(__name__)

_KNOWN_USERS_SINCE = timedelta(days=30)


async def fetch_due(
    run: Run,
    *,
    spaces: list[Row],
    departures: dict[SpaceKey, Departure],
    due: pa.Table,
    sizes: ConversationSizes,
    shared: SharedDue,
) -> StepResult:
    """Fetch and merge everything that is due, and return what came of it.

    Args:
        run: the run.
        spaces: the spaces known so far, of all workspaces.
        departures: of spaces, by workspace and space.
        due: rows of select_due.
        sizes: of conversations with several due messages.
        shared: hands out `due`, beside another run.

    Raises:
        EngineError: if merging fails; what was merged before is kept.
    """
    fetching = _Fetching(run, spaces=spaces, departures=departures, due=due, sizes=sizes, shared=shared)
    run.progress.step("Fetching messages", due.num_rows, fetching.connections.describe)
    reports: list[ReadReport] = []
    try:
        async with fetching.connections.open_session(workspace_count=len(pc.unique(due["workspace_id"]))) as session:
            readings = [partial(fetching.read, session, workspace_id) for workspace_id in fetching.busy_workspaces()]
            reports = await read_workspaces(
                readings, fetching.merger, heartbeat=run.heartbeat, clock=run.clock, deadline=run.deadline
            )
    finally:
        fetching.merger.close()
        # Noted here, so that the record of a run that fails says what was stored before.
        result = run.results["messages"] = fetching.result(reports)
    return result


class _Fetching:
    """What the workspaces of one fetching step share: connections, merger, and what is known around the due messages."""

    def __init__(
        self,
        run: Run,
        *,
        spaces: list[Row],
        departures: dict[SpaceKey, Departure],
        due: pa.Table,
        sizes: ConversationSizes,
        shared: SharedDue,
    ) -> None:
        self._run = run
        self._spaces = spaces
        self._departures = departures
        self._due = due
        self._sizes = sizes
        self._shared = shared
        self._workspaces = {row["workspace_id"]: row for row in run.workspaces}
        self._workers = share_workers(due["workspace_id"], run.settings.fetch.max_concurrency)
        self._users = _select_known_users(run, due)
        self._drift = DriftCounter()
        self._statements = StatementFinder(run.tables, run.guard, is_read=run.reads("query.history"))
        self._readers: dict[str, WorkspaceReader] = {}  # of the first try
        self.connections = Connections(run)
        self.merger = BatchMerger(
            run.tables,
            batch_size=run.settings.fetch.batch_size,
            clock=run.clock,
            statements=self._statements,
            shared=shared,
            on_merged=run.progress.advance,
        )

    def busy_workspaces(self) -> list[str]:
        """Return the workspaces with due messages, and those with spaces that were last asked for a day ago."""
        busy = set(self._due["workspace_id"].unique().to_pylist())
        return sorted(busy | find_stale_workspaces(self._spaces, self._run.workspaces, self._run.started_at))

    async def read(self, session: aiohttp.ClientSession, workspace_id: str) -> ReadReport:
        """Read what is due in one workspace; never raises for what a workspace or the service does.

        Called again, it makes a second try.
        """
        if (reader := self._readers.get(workspace_id)) is not None:
            reader.try_again()
            return await reader.run()
        due = due_of_workspace(self._due, workspace_id)
        row = self._workspaces.get(workspace_id)
        if row is None:
            return await self._fail_absent(workspace_id, due)
        if row["status"] not in {None, RUNNING, *NOT_RUNNING}:
            self._drift.add(describe_unknown("system.access.workspaces_latest.status", row["status"]))
        try:
            api = self.connections.open(row, session)
        except WorkspaceError as error:
            return ReadReport(workspace_id=workspace_id, error=str(error), unread_count=due.num_rows)
        reader = self._readers[workspace_id] = self._reader(row, api, due)
        return await reader.run()

    async def _fail_absent(self, workspace_id: str, due: pa.Table) -> ReadReport:
        """Fail the due messages of a workspace that the account no longer lists, until their attempts are used up."""
        reason = (
            f"workspace {workspace_id} is not in system.access.workspaces_latest: it was deleted, or belongs to another account. "
            "Its messages are tried for some days and then abandoned."
        )
        workspace, at = self._workspace_run(workspace_id), self._run.clock.now()
        unread_count = due.num_rows
        for plan in plan_conversations(due, {}):
            if self._run.deadline.is_reached:
                break
            unread_count -= len(plan.due)
            for message in plan.due.values():
                code = Reason.WORKSPACE_GONE
                await self.merger.put(failed(workspace, message, code=code, reason=reason, http_status=None, at=at))
        return ReadReport(
            workspace_id=workspace_id, error=reason, unread_count=unread_count, is_stopped=unread_count > 0
        )

    def _reader(self, row: Row, api: GenieApi, due: pa.Table) -> WorkspaceReader:
        run, workspace_id = self._run, row["workspace_id"]
        conversations = ConversationReader(
            workspace=self._workspace_run(workspace_id, row["workspace_name"]),
            api=api,
            spaces=self._space_directory(workspace_id, api),
            users=UserDirectory(api, self._users.get(workspace_id, {}), self._drift),
            content_guard=run.guard,
            drift=self._drift,
            clock=run.clock,
            put=self.merger.put,
        )
        return WorkspaceReader(
            conversations=conversations,
            due=due,
            sizes=self._sizes,
            shared=self._shared,
            merger=self.merger,
            worker_count=self._workers.get(workspace_id, 1),
            deadline=run.deadline,
        )

    def _workspace_run(self, workspace_id: str, name: str | None = None) -> WorkspaceRun:
        run = self._run
        return WorkspaceRun(
            workspace_id=workspace_id, workspace_name=name, run_id=run.run_id, settings=run.settings.fetch
        )

    def _space_directory(self, workspace_id: str, api: GenieApi) -> SpaceDirectory:
        return SpaceDirectory(
            api,
            [row for row in self._spaces if row["workspace_id"] == workspace_id],
            workspace_id=workspace_id,
            client_id=self._run.credentials.client_id,
            clock=self._run.clock,
            content_guard=self._run.guard,
            drift=self._drift,
            departures={space: went for (owner, space), went in self._departures.items() if owner == workspace_id},
        )

    def result(self, reports: Sequence[ReadReport]) -> StepResult:
        """Return what the step came to."""
        connections, totals = self.connections, self.merger.totals
        self._drift.merge(self._statements.drift)
        facts: dict[str, Any] = {}
        if totals.oldest_stored_date is not None:
            facts["oldest_stored_date"] = totals.oldest_stored_date
        if any(report.is_stopped for report in reports):
            facts["is_deadline_reached"] = True
        failure = self._statements.failure
        states = ("fetched", "settling", "retry", "deleted", "not_found", "abandoned")
        return StepResult(
            rows=sum(totals.states[state] for state in ("fetched", "settling")),
            calls=connections.call_count,
            numbers={
                "due_count": self._due.num_rows,
                **{f"{state}_count": totals.states[state] for state in states},
                "forbidden_count": totals.states["forbidden"] + sum(report.unchanged_count for report in reports),
                "new_message_count": totals.listed_only_count,
                "unread_count": sum(report.unread_count for report in reports),
                "read_elsewhere_count": sum(report.read_elsewhere_count for report in reports),
                "spaces_read_count": sum(report.spaces_read_count for report in reports),
                "statements_joined_count": totals.joined_count if self._statements.is_read else None,
                "api_call_count": connections.call_count,
                "message_call_count": connections.message_call_count,
                "predicted_call_count": sum(report.expected_calls for report in reports),
                "api_retry_count": connections.stats.retries,
                "throttled_count": connections.stats.throttled,
                "merge_seconds": totals.seconds,
            },
            facts=facts,
            drift=self._drift,
            workspace_errors=tuple(report.error for report in reports if report.error),
            unread_sources=(failure,) if failure else (),
        )


def _select_known_users(run: Run, due: pa.Table) -> dict[str, dict[str, str]]:
    """Return e-mails by workspace and user id from recent messages; none is read where audit names every asker."""
    unknown = due.filter(pc.is_null(due["user_email"]))
    if not unknown.num_rows:
        return {}
    rows = run.tables.rows(
        "datasets/messages/select_known_users",
        from_date=(run.clock.now() - _KNOWN_USERS_SINCE).date(),
        workspace_ids=unknown["workspace_id"].unique().to_pylist(),
    )
    known: dict[str, dict[str, str]] = {}
    for row in rows:
        known.setdefault(row["workspace_id"], {})[row["user_id"]] = row["user_email"]
    return known
