"""Reading one workspace under a deadline, with time that is made up; and the second try of one that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import fields
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from tests.unit.due_messages import due, workspace
from tests.unit.fakes import FakeClock

from genie_obs.datasets.messages.conversation import ConversationReader
from genie_obs.datasets.messages.merger import BatchMerger
from genie_obs.datasets.messages.outcomes import Outcome, failed
from genie_obs.datasets.messages.planner import ConversationPlan
from genie_obs.datasets.messages.reader import SECOND_TRY_AFTER_SECONDS, ReadReport, WorkspaceReader, read_workspaces
from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.errors import CredentialsRefusedError, WorkspaceError, WorkspaceUnreachableError
from genie_obs.ledger.reasons import Reason
from genie_obs.runs.deadline import GRACE_SECONDS, Deadline
from genie_obs.runs.heartbeat import Heartbeat

PLACE = {"workspace_id": "1", "host": "h"}
MESSAGES = 40  # each is a conversation


class FakeConversations:
    """Takes so many seconds for a conversation; may fail once, from some message on."""

    def __init__(self, clock: FakeClock, seconds: Callable[[int], float], refresh_seconds: float = 0.0) -> None:
        self.clock, self.seconds, self.refresh_seconds = clock, seconds, refresh_seconds
        self.workspace = workspace()
        self.api = self.spaces = self.users = cast("Any", self)
        self.settled_count = self.unchanged_count = self.expected_calls = 0
        self.read_ids: list[str] = []
        self.lost: tuple[int, WorkspaceError] | None = None
        self.put: Callable[[Outcome], Any] = self._drop

    async def _drop(self, outcome: Outcome) -> None: ...

    async def refresh(self, wanted: Any, *, save: Any) -> None:
        await self.clock.sleep(self.refresh_seconds)

    def take_changed(self) -> list[Any]:
        return []

    def try_again(self) -> None:
        self.lost = None

    async def read(self, plan: ConversationPlan) -> None:
        self.expected_calls += plan.expected_calls
        for message in plan.due.values():
            await self.clock.sleep(self.seconds(len(self.read_ids)))
            if self.lost is not None and len(self.read_ids) >= self.lost[0]:
                raise self.lost[1]
            code = Reason.REQUEST_FAILED
            at = self.clock.now()
            await self.put(failed(self.workspace, message, code=code, reason="-", http_status=None, at=at))
            self.settled_count += 1
            self.read_ids.append(message.message_id)


class IdleMerger:
    """A merger with nothing to merge."""

    def __init__(self) -> None:
        self._is_finished = asyncio.Event()

    async def run(self) -> None:
        await self._is_finished.wait()

    async def finish(self) -> None:
        self._is_finished.set()

    async def merge_spaces(self, rows: list[Any]) -> None: ...

    async def call(self, function: Any) -> None: ...


def read(
    conversations: FakeConversations, *, seconds: float | None = None, per_conversation: int = 1
) -> tuple[ReadReport, float]:
    """Read the messages with four workers; return the report, and when all was over, in seconds."""
    clock = conversations.clock
    names = [f"m{n:02}" for n in range(MESSAGES)]
    places = [f"c{n // per_conversation:02}" for n in range(MESSAGES)]
    messages = [due(message_id=name, conversation_id=place) for name, place in zip(names, places, strict=True)]
    columns = [item.name for item in fields(messages[0])]
    rows = pa.table({name: [getattr(message, name) for message in messages] for name in columns})

    async def run() -> ReadReport:
        deadline = Deadline(clock, seconds)
        merger = cast("BatchMerger", IdleMerger())
        reader = WorkspaceReader(
            conversations=cast("ConversationReader", conversations),
            due=rows,
            sizes={},
            shared=SharedDue(lambda: rows, chunk_rows=10, is_shared=False),
            merger=merger,
            worker_count=4,
            deadline=deadline,
        )
        tries: Iterator[bool] = iter((False, True))

        async def reading() -> ReadReport:
            if next(tries):
                reader.try_again()
            return await reader.run()

        heartbeat = cast("Heartbeat", SimpleNamespace(seconds_left=lambda: 120.0, beat=lambda: None))
        [report] = await read_workspaces([reading], merger, heartbeat=heartbeat, clock=clock, deadline=deadline)
        return report

    return asyncio.run(run()), clock.monotonic()


def test_nothing_new_is_begun_after_the_deadline_and_what_is_in_flight_ends() -> None:
    conversations = FakeConversations(FakeClock(), lambda _: 10.0)

    report, ended_at = read(conversations, seconds=25)

    assert len(conversations.read_ids) == 12  # four workers, begun at 0, 10 and 20 seconds
    assert (report.is_stopped, report.unread_count, report.error) == (True, MESSAGES - 12, None)
    assert ended_at == 30


@pytest.mark.parametrize("seconds", [120.0, 600.0, 36_000.0], ids=["Retry-After", "retries", "hours"])
def test_call_that_takes_long_carries_a_run_at_most_a_minute_beyond_its_deadline(seconds: float) -> None:
    conversations = FakeConversations(FakeClock(), lambda done: 1.0 if done < 8 else seconds)

    report, ended_at = read(conversations, seconds=25)

    assert ended_at == 25 + GRACE_SECONDS
    assert (report.is_stopped, report.unread_count, report.error) == (
        True,
        MESSAGES - len(conversations.read_ids),
        None,
    )


def test_long_conversation_is_stopped_too_and_keeps_what_it_had() -> None:
    conversations = FakeConversations(FakeClock(), lambda _: 5.0)

    report, ended_at = read(conversations, seconds=20, per_conversation=MESSAGES)

    assert ended_at == 20 + GRACE_SECONDS
    assert report.unread_count == MESSAGES - len(conversations.read_ids)
    assert len(conversations.read_ids) in {15, 16}


def test_spaces_that_are_not_listed_by_the_deadline_wait_for_the_next_run() -> None:
    conversations = FakeConversations(FakeClock(), lambda _: 1.0, refresh_seconds=3_600)

    report, ended_at = read(conversations, seconds=25)

    assert (ended_at, report.unread_count, report.is_stopped) == (25, MESSAGES, True)


def test_run_that_is_done_before_its_deadline_does_not_wait_for_it() -> None:
    report, ended_at = read(FakeConversations(FakeClock(), lambda _: 1.0), seconds=1_000)

    assert (report.is_stopped, report.unread_count, ended_at) == (False, 0, 10)


def lost_after(count: int, error: WorkspaceError) -> FakeConversations:
    conversations = FakeConversations(FakeClock(), lambda _: 1.0)
    conversations.lost = (count, error)
    return conversations


@pytest.mark.parametrize("per_conversation", [1, 7])
def test_second_try_reads_exactly_what_the_first_one_left(per_conversation: int) -> None:
    conversations = lost_after(9, WorkspaceUnreachableError("is down", **PLACE))

    report, _ = read(conversations, per_conversation=per_conversation)

    assert sorted(conversations.read_ids) == [f"m{n:02}" for n in range(MESSAGES)]
    assert (report.error, report.unread_count, report.read_elsewhere_count) == (None, 0, 0)
    undisturbed, _ = read(FakeConversations(FakeClock(), lambda _: 1.0), per_conversation=per_conversation)
    assert report.expected_calls == undisturbed.expected_calls


def test_error_that_lasts_and_a_near_deadline_allow_no_second_try() -> None:
    lasting = lost_after(4, CredentialsRefusedError("no", **PLACE))
    report, ended_at = read(lasting)
    assert (report.unread_count, ended_at < SECOND_TRY_AFTER_SECONDS) == (MESSAGES - 4, True)

    late = lost_after(4, WorkspaceUnreachableError("is down", **PLACE))
    report, ended_at = read(late, seconds=SECOND_TRY_AFTER_SECONDS)
    assert (report.error is not None, ended_at < SECOND_TRY_AFTER_SECONDS) == (True, True)
