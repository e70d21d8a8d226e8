"""Reading what is due in all workspaces side by side, while outcomes are merged.

A workspace that cannot be read is reported and the others go on. Nothing that was fetched waits for the end of the run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from genie_obs.clock import Clock
from genie_obs.datasets.messages.conversation import ConversationReader
from genie_obs.datasets.messages.merger import BatchMerger
from genie_obs.datasets.messages.outcomes import Outcome
from genie_obs.datasets.messages.planner import ConversationPlan, plan_conversations
from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.datasets.messages.unfinished import UnfinishedPlans
from genie_obs.errors import WorkspaceError
from genie_obs.genie_api.workers import side_by_side
from genie_obs.ledger.rows import ConversationSizes
from genie_obs.runs.deadline import GRACE_SECONDS, Deadline
from genie_obs.runs.heartbeat import Heartbeat

logger = logging.getLogger(__name__)

SECOND_TRY_AFTER_SECONDS = 15.0
"""A workspace that could not be read is tried once more, so long after all others are done."""


@dataclass(frozen=True, kw_only=True)
class ReadReport:
    """What reading one workspace came to."""

    workspace_id: str
    error: str | None = None  # why the workspace could not be read to the end
    may_pass: bool = False  # the error may be over soon: a second try may read the rest
    is_stopped: bool = False  # the deadline came first
    unread_count: int = 0  # due messages that were not even tried
    read_elsewhere_count: int = 0  # due messages that another run read first
    unchanged_count: int = 0  # forbidden messages that still are; the ledger is left as it is
    expected_calls: int = 0
    spaces_read_count: int = 0


@dataclass(kw_only=True)
class WorkspaceReader:
    """Reads the due messages of one workspace, several conversations at once."""

    conversations: ConversationReader
    due: pa.Table  # rows of select_due for this workspace, in order
    sizes: ConversationSizes
    shared: SharedDue
    merger: BatchMerger
    worker_count: int  # conversations read at once
    deadline: Deadline
    _planned_count: int = field(default=0, init=False)
    _spaces_read: set[str] = field(default_factory=set, init=False)
    _plans: UnfinishedPlans = field(init=False)
    _is_stopped: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._plans = UnfinishedPlans(self._plan())
        put = self.conversations.put

        async def put_and_note(outcome: Outcome) -> None:
            await put(outcome)
            self._plans.note(outcome)

        self.conversations.put = put_and_note

    async def run(self) -> ReadReport:
        """Read everything that is due; never raises for what a workspace or the service does.

        If it is called again, it reads what the first try left. The counts are those of both.
        """
        lost = None
        try:
            await self._read()
        except WorkspaceError as error:
            lost = error
        except TimeoutError:  # what was in flight at the deadline took too long
            if not self.deadline.is_reached:
                raise
            self._is_stopped = True
        self._plans.give_back()
        await self._save_spaces()
        return self._report(lost)

    def try_again(self) -> None:
        """Forget that the workspace was lost."""
        for part in (self.conversations.api, self.conversations.spaces, self.conversations.users):
            part.try_again()

    def _report(self, lost: WorkspaceError | None) -> ReadReport:
        count = self.due.num_rows
        is_read = lost is None and not self._is_stopped
        return ReadReport(
            workspace_id=self.conversations.workspace.workspace_id,
            error=str(lost) if lost else None,
            may_pass=lost is not None and not lost.is_lasting,
            is_stopped=self._is_stopped,
            unread_count=0 if is_read else count - self.conversations.settled_count,
            read_elsewhere_count=count - self._planned_count if is_read else 0,
            unchanged_count=self.conversations.unchanged_count,
            expected_calls=self.conversations.expected_calls,
            spaces_read_count=len(self._spaces_read),
        )

    async def _read(self) -> None:
        # Before any message: a run that dies later must not leave stored messages of unknown spaces.
        await self._read_spaces()
        async with self.deadline.stops(grace_seconds=GRACE_SECONDS), side_by_side() as group:
            for _ in range(min(self.worker_count, max(1, self.due.num_rows))):
                group.create_task(self._work_through())

    async def _read_spaces(self) -> None:
        """Ask for spaces; a request that is in flight at the deadline is stopped, and made again by the next run."""
        wanted = self.due["space_id"].unique().to_pylist()
        try:
            async with self.deadline.stops():
                await self.conversations.spaces.refresh(wanted, save=self._save_spaces)
        finally:
            await self._save_spaces()

    async def _save_spaces(self) -> None:
        rows = self.conversations.spaces.take_changed()
        self._spaces_read.update(row["space_id"] for row in rows)
        await self.merger.merge_spaces(rows)

    def _plan(self) -> Iterator[ConversationPlan]:
        for chunk in self.shared.chunks(self.due):
            self._planned_count += chunk.num_rows
            yield from plan_conversations(chunk, self.sizes)

    async def _work_through(self) -> None:
        for plan in self._plans:
            if self.deadline.is_reached:
                self._is_stopped = True
                return
            await self.conversations.read(plan)
            self._plans.finish(plan)


Reading = Callable[[], Awaitable[ReadReport]]


async def read_workspaces(
    readings: Sequence[Reading],
    merger: BatchMerger,
    *,
    heartbeat: Heartbeat,
    clock: Clock,
    deadline: Deadline,
) -> list[ReadReport]:
    """Read all workspaces side by side while outcomes are merged; returns when everything is merged.

    Those that could not be read are tried once more in the end, unless it is of no use or the deadline is near.
    Signs of life are written all the while, also when for hours nothing is merged: a workspace may be throttled hard.

    Args:
        readings: one for each workspace. Called again for a second try, it gives the report of both.
        merger: takes the outcomes.
        heartbeat: writes the signs of life, on the merger's thread.
        clock: says when.
        deadline: of the run.
    """

    async def read_all() -> list[ReadReport]:
        beating = asyncio.create_task(_keep_beating(merger, heartbeat, clock))
        try:
            reports = await asyncio.gather(*(read() for read in readings))
            reports = await _try_again(readings, reports, clock, deadline)
        finally:
            beating.cancel()
        await merger.finish()
        return reports

    async with side_by_side() as group:
        group.create_task(merger.run())
        reading = group.create_task(read_all())
    return reading.result()


async def _try_again(
    readings: Sequence[Reading], reports: list[ReadReport], clock: Clock, deadline: Deadline
) -> list[ReadReport]:
    """Return the reports after the second try of those that failed. What is left unread is told here, once each."""
    again = [place for place, report in enumerate(reports) if report.may_pass]
    if again and deadline.seconds_left > SECOND_TRY_AFTER_SECONDS:
        for place in again:
            logger.warning("%s It is tried once more in %.0f s", reports[place].error, SECOND_TRY_AFTER_SECONDS)
        await clock.sleep(SECOND_TRY_AFTER_SECONDS)
        second = await asyncio.gather(*(readings[place]() for place in again))
        for place, report in zip(again, second, strict=True):
            reports[place] = report
            if report.error is None:
                logger.info("workspace %s could be read; it needed two tries", report.workspace_id)
    for report in reports:
        if report.error is not None:
            logger.warning("skipping %s", report.error)
    return reports


async def _keep_beating(merger: BatchMerger, heartbeat: Heartbeat, clock: Clock) -> None:
    while True:
        await clock.sleep(heartbeat.seconds_left())
        try:
            await merger.call(heartbeat.beat)
        except Exception as error:  # noqa: BLE001  # a sign is no reason to fail a run that goes on
            logger.warning("the sign of life could not be stored: %s", type(error).__name__)
