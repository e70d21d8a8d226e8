"""Fetching: reads the due messages of all workspaces side by side and hands each outcome to the merger.

A workspace that cannot be read is reported and skipped, the others go on; a message that fails is recorded and the rest go
on. Nothing that was fetched waits for the end of the run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from genie_obs.batch_merger import BatchMerger
from genie_obs.clock import Clock
from genie_obs.content_policy import ContentGuard
from genie_obs.drift import DriftCounter
from genie_obs.errors import ApiError, NotFoundError, PermissionDeniedError, UnauthenticatedError, WorkspaceError
from genie_obs.fetch_planner import ConversationPlan, ConversationSizes, DueMessage, plan_conversations
from genie_obs.genie_api import GenieApi
from genie_obs.message_rows import find_drift, parse_message
from genie_obs.other_runs import SharedDue
from genie_obs.outcomes import RECHECK_AFTER, Context, Outcome, absent, failed, forbidden, listed_only, stored
from genie_obs.spaces import SpaceDirectory, SpaceVerdict
from genie_obs.users import UserDirectory
from genie_obs.workers import side_by_side

logger = logging.getLogger(__name__)

Row = dict[str, Any]


@dataclass(kw_only=True)
class WorkspaceWork:
    """What is to be done in one workspace."""

    context: Context
    api: GenieApi
    due: pa.Table  # rows of select_due for this workspace, in order
    spaces: SpaceDirectory
    users: UserDirectory
    guard: ContentGuard
    shared: SharedDue
    drift: DriftCounter = field(default_factory=DriftCounter)


@dataclass(kw_only=True)
class ReadReport:
    """What reading one workspace came to."""

    workspace_id: str
    error: str | None = None  # why the workspace could not be read to the end
    unread_count: int = 0  # due messages that were not even tried
    read_elsewhere_count: int = 0  # due messages that another run read first
    unchanged_count: int = 0  # forbidden messages that still are; the ledger is left as it is
    expected_calls: int = 0
    spaces_read_count: int = 0


class WorkspaceReader:
    """Reads the due messages of one workspace with a number of workers that share its limiter."""

    def __init__(
        self, work: WorkspaceWork, merger: BatchMerger, *, sizes: ConversationSizes, clock: Clock, worker_count: int
    ) -> None:
        self._work = work
        self._context = work.context
        self._merger = merger
        self._sizes = sizes
        self._clock = clock
        self._worker_count = worker_count
        self._planned = 0
        self._reported = 0
        self._spaces_read: set[str] = set()
        self.report = ReadReport(workspace_id=work.context.workspace_id)

    async def run(self) -> ReadReport:
        """Read everything that is due; never raises for what a workspace or the service does."""
        try:
            wanted = self._work.due.column("space_id").unique().to_pylist()
            await self._work.spaces.refresh(wanted, save=self._save_spaces)
            # Before any message: a run that dies later must not leave stored messages of unknown spaces.
            await self._save_spaces()
            plans = self._plans()
            count = min(self._worker_count, max(1, self._work.due.num_rows))
            async with side_by_side() as group:
                for _ in range(count):
                    group.create_task(self._work_through(plans))
            self.report.read_elsewhere_count = self._work.due.num_rows - self._planned
        except (WorkspaceError, UnauthenticatedError) as error:
            self.report.error = str(error)
            self.report.unread_count = self._work.due.num_rows - self._reported
            logger.warning("skipping %s", error)
        await self._save_spaces()
        return self.report

    async def _save_spaces(self) -> None:
        rows = self._work.spaces.take_changed()
        self._spaces_read.update(row["space_id"] for row in rows)
        self.report.spaces_read_count = len(self._spaces_read)
        await self._merger.merge_spaces(rows)

    def _plans(self) -> Iterator[ConversationPlan]:
        for piece in self._work.shared.pieces(self._work.due):
            self._planned += piece.num_rows
            yield from plan_conversations(piece, self._sizes)

    async def _work_through(self, plans: Iterator[ConversationPlan]) -> None:
        for plan in plans:
            await self._read_conversation(plan)

    async def _read_conversation(self, plan: ConversationPlan) -> None:
        verdict = self._work.spaces.verdict(plan.space_id)
        if not verdict.is_readable:
            await self._refuse(plan.due.values(), verdict)
            return
        self.report.expected_calls += plan.expected_calls
        left = dict(plan.due)
        try:
            if plan.is_listed:
                await self._list(plan, left)
            # Alone: what was planned so, and what a complete listing did not show.
            for due in list(left.values()):
                await self._get(due, left)
        except (WorkspaceError, UnauthenticatedError):
            raise
        except (NotFoundError, PermissionDeniedError) as error:
            await self._settle_refusal(plan.space_id, left, error)
        except ApiError as error:
            await self._fail(left, str(error), error.status)
        except Exception as error:  # noqa: BLE001  # the per-item boundary: one odd message must not stop the run
            # Type and place only: the text of the error may quote the message.
            logger.error("reading a conversation failed: %s %s", type(error).__name__, _place_of(error))  # noqa: TRY400
            await self._fail(left, f"{type(error).__name__} while reading the answer; please report it", None)

    async def _list(self, plan: ConversationPlan, left: dict[str, DueMessage]) -> None:
        at = self._clock.now()
        async for page in self._work.api.list_messages(plan.space_id, plan.conversation_id):
            for raw in page:
                message = self._parse(raw, plan)
                message_id = message["message_id"]
                if (due := left.get(message_id)) is not None:
                    await self._store(due, message, at, left)
                elif message_id and message_id not in plan.due and message_id not in plan.final_message_ids:
                    await self._store_listed(plan, message, at)
            if not left:
                return  # every due message was found: later pages hold nothing we were asked for
            at = self._clock.now()

    async def _get(self, due: DueMessage, left: dict[str, DueMessage]) -> None:
        at = self._clock.now()
        try:
            raw = await self._work.api.get_message(due.space_id, due.conversation_id, due.message_id)
        except (NotFoundError, PermissionDeniedError) as error:
            await self._settle_refusal(due.space_id, {due.message_id: due}, error)
            left.pop(due.message_id)
            return
        except ApiError as error:
            if isinstance(error, UnauthenticatedError):
                raise
            await self._fail({due.message_id: due}, str(error), error.status)
            left.pop(due.message_id)
            return
        await self._store(due, self._parse(raw, due), at, left)

    def _parse(self, raw: Mapping[str, Any], place: ConversationPlan | DueMessage) -> Row:
        message = parse_message(raw)
        self._work.drift.add_all(find_drift(raw, message))
        message["space_id"] = message["space_id"] or place.space_id
        message["conversation_id"] = message["conversation_id"] or place.conversation_id
        # The one place where text enters: from here on a message is as it may be stored.
        return self._work.guard.protect_message(message, self._context.workspace_id, place.space_id)

    async def _store(self, due: DueMessage, message: Row, at: Any, left: dict[str, DueMessage]) -> None:
        message["user_email"] = due.user_email or await self._work.users.email(message["user_id"])
        title = self._work.spaces.verdict(due.space_id).title
        await self._report(stored(self._context, due, message, space_name=title, fetched_at=at))
        left.pop(due.message_id)

    async def _store_listed(self, plan: ConversationPlan, message: Row, at: Any) -> None:
        message["space_id"], message["conversation_id"] = plan.space_id, plan.conversation_id
        message["user_email"] = await self._work.users.email(message["user_id"])
        title = self._work.spaces.verdict(plan.space_id).title
        await self._merger.put(listed_only(self._context, message, space_name=title, fetched_at=at))

    async def _settle_refusal(self, space_id: str, left: dict[str, DueMessage], error: ApiError) -> None:
        """Decide what a 403 or 404 means: no right to read, or nothing there."""
        at = self._clock.now()
        try:
            may_read = await self._work.spaces.may_read_messages(space_id)
        except UnauthenticatedError:
            raise
        except ApiError as unknown:
            await self._fail(left, str(unknown), unknown.status)
            return
        if not may_read:
            await self._refuse(left.values(), self._work.spaces.verdict(space_id))
        elif isinstance(error, NotFoundError):
            for due in left.values():
                await self._report(absent(self._context, due, at=at))
        else:
            for due in left.values():
                outcome = forbidden(
                    self._context, due, reason=str(error), http_status=error.status, at=at, retry_at=at + RECHECK_AFTER
                )
                await self._report(outcome)

    async def _refuse(self, due_messages: Any, verdict: SpaceVerdict) -> None:
        for due in due_messages:
            if due.state == "forbidden":
                self.report.unchanged_count += 1
                self._reported += 1
                continue
            outcome = forbidden(
                self._context, due, reason=verdict.reason or "access refused", http_status=verdict.http_status,
                at=self._clock.now(), retry_at=verdict.checked_at + RECHECK_AFTER,
            )  # fmt: skip
            await self._report(outcome)

    async def _fail(self, left: dict[str, DueMessage], reason: str, http_status: int | None) -> None:
        at = self._clock.now()
        for due in left.values():
            await self._report(failed(self._context, due, reason=reason, http_status=http_status, at=at))

    async def _report(self, outcome: Outcome) -> None:
        await self._merger.put(
            outcome
        )  # a worker may be cancelled here, while the buffer is full: then it is still unread
        self._reported += 1


class AbsentWorkspaceReader:
    """Stands in for a workspace that the account no longer has: its messages fail until they are given up."""

    def __init__(self, context: Context, due: pa.Table, merger: BatchMerger, *, clock: Clock, reason: str) -> None:
        self._context = context
        self._due = due
        self._merger = merger
        self._clock = clock
        self._reason = reason

    async def run(self) -> ReadReport:
        """Record every due message as failed."""
        at = self._clock.now()
        for plan in plan_conversations(self._due, {}):
            for due in plan.due.values():
                await self._merger.put(failed(self._context, due, reason=self._reason, http_status=None, at=at))
        return ReadReport(workspace_id=self._context.workspace_id, error=self._reason)


Reader = WorkspaceReader | AbsentWorkspaceReader


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"at {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace is not None else ""


async def read_workspaces(readers: Sequence[Reader], merger: BatchMerger) -> list[ReadReport]:
    """Read all workspaces side by side while outcomes are merged; returns when everything is merged."""

    async def read_all() -> list[ReadReport]:
        reports = await asyncio.gather(*(reader.run() for reader in readers))
        await merger.finish()
        return reports

    async with side_by_side() as group:
        group.create_task(merger.run())
        reading = group.create_task(read_all())
    return reading.result()
