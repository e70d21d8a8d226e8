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
from genie_obs.datasets.messages.planner import ConversationPlan, plan_conversations
from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.errors import WorkspaceError
from genie_obs.genie_api.workers import side_by_side
from genie_obs.ledger.rows import ConversationSizes
from genie_obs.runs.heartbeat import Heartbeat

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReadReport:
    """What reading one workspace came to."""

    workspace_id: str
    error: str | None = None  # why the workspace could not be read to the end
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
    _planned_count: int = field(default=0, init=False)
    _spaces_read: set[str] = field(default_factory=set, init=False)

    async def run(self) -> ReadReport:
        """Read everything that is due; never raises for what a workspace or the service does."""
        error = None
        try:
            await self._read()
        except WorkspaceError as lost:
            logger.warning("skipping %s", lost)
            error = str(lost)
        await self._save_spaces()
        count = self.due.num_rows
        return ReadReport(
            workspace_id=self.conversations.workspace.workspace_id,
            error=error,
            unread_count=count - self.conversations.settled_count if error else 0,
            read_elsewhere_count=0 if error else count - self._planned_count,
            unchanged_count=self.conversations.unchanged_count,
            expected_calls=self.conversations.expected_calls,
            spaces_read_count=len(self._spaces_read),
        )

    async def _read(self) -> None:
        await self.conversations.spaces.refresh(self.due["space_id"].unique().to_pylist(), save=self._save_spaces)
        # Before any message: a run that dies later must not leave stored messages of unknown spaces.
        await self._save_spaces()
        plans = self._plans()
        async with side_by_side() as group:
            for _ in range(min(self.worker_count, max(1, self.due.num_rows))):
                group.create_task(self._work_through(plans))

    async def _save_spaces(self) -> None:
        rows = self.conversations.spaces.take_changed()
        self._spaces_read.update(row["space_id"] for row in rows)
        await self.merger.merge_spaces(rows)

    def _plans(self) -> Iterator[ConversationPlan]:
        for chunk in self.shared.chunks(self.due):
            self._planned_count += chunk.num_rows
            yield from plan_conversations(chunk, self.sizes)

    async def _work_through(self, plans: Iterator[ConversationPlan]) -> None:
        for plan in plans:
            await self.conversations.read(plan)


async def read_workspaces(
    readings: Sequence[Callable[[], Awaitable[ReadReport]]],
    merger: BatchMerger,
    *,
    heartbeat: Heartbeat,
    clock: Clock,
) -> list[ReadReport]:
    """Read all workspaces side by side while outcomes are merged; returns when everything is merged.

    Signs of life are written all the while, also when for hours nothing is merged: a workspace may be throttled hard.

    Args:
        readings: one for each workspace, `WorkspaceReader.run` for instance.
        merger: takes the outcomes.
        heartbeat: writes the signs of life, on the merger's thread.
        clock: says when.
    """

    async def read_all() -> list[ReadReport]:
        beating = asyncio.create_task(_keep_beating(merger, heartbeat, clock))
        try:
            reports = await asyncio.gather(*(read() for read in readings))
        finally:
            beating.cancel()
        await merger.finish()
        return reports

    async with side_by_side() as group:
        group.create_task(merger.run())
        reading = group.create_task(read_all())
    return reading.result()


async def _keep_beating(merger: BatchMerger, heartbeat: Heartbeat, clock: Clock) -> None:
    while True:
        await clock.sleep(heartbeat.seconds_left())
        try:
            await merger.call(heartbeat.beat)
        except Exception as error:  # noqa: BLE001  # a sign is no reason to fail a run that goes on
            logger.warning("the sign of life could not be stored: %s", type(error).__name__)
