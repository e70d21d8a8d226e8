"""The buffer between fetching and merging: it is bounded in messages and in bytes."""

from __future__ import annotations

import asyncio

import pytest

from genie_obs.datasets.messages.merger import OutcomeQueue
from genie_obs.datasets.messages.outcomes import Outcome


def outcome(payload_bytes: int = 1) -> Outcome:
    return Outcome(ledger={}, payload_bytes=payload_bytes)


@pytest.mark.parametrize(("payload_bytes", "held"), [(1, 4), (30, 4), (50, 2), (99, 2), (100, 1), (5_000, 1)])
def test_queue_takes_no_more_than_its_count_and_its_bytes(payload_bytes: int, held: int) -> None:
    queue = OutcomeQueue(max_count=4, max_bytes=100)
    for _ in range(held):
        assert not queue.full()
        queue.put_nowait(outcome(payload_bytes))

    assert queue.full()
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait(outcome(payload_bytes))


def test_everyone_who_waits_for_room_gets_it() -> None:
    sizes = [100, *[1] * 50, 100, 100, *[30] * 20]

    async def pass_on() -> list[int]:
        queue = OutcomeQueue(max_count=1_000, max_bytes=100)
        async with asyncio.TaskGroup() as group:
            for size in sizes:
                group.create_task(queue.put(outcome(size)))
            taken = [await asyncio.wait_for(queue.get(), timeout=5) for _ in sizes]
        assert queue.empty()
        assert not queue.full()
        return [item.payload_bytes for item in taken if item]

    assert sorted(asyncio.run(pass_on())) == sorted(sizes)


def test_the_end_takes_no_room() -> None:
    queue = OutcomeQueue(max_count=10, max_bytes=100)
    queue.put_nowait(None)
    queue.put_nowait(outcome(99))

    assert not queue.full()
    assert queue.get_nowait() is None
