"""Several workers over one pile of work."""

from __future__ import annotations

import asyncio

import pytest

from genie_obs.genie_api.workers import run_workers


def test_workers_share_the_pile() -> None:
    pile = iter(range(10))
    done: list[int] = []

    async def work() -> None:
        for item in pile:
            await asyncio.sleep(0)
            done.append(item)

    asyncio.run(run_workers(3, work))

    assert sorted(done) == list(range(10))


def test_first_failure_stops_all_and_is_raised() -> None:
    started: list[int] = []
    stopped: list[int] = []

    async def work() -> None:
        number = len(started)
        started.append(number)
        if number == 1:
            raise ValueError("the second")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(number)
            raise

    with pytest.raises(ValueError, match="the second"):
        asyncio.run(run_workers(3, work))

    assert (started, stopped) == ([0, 1, 2], [0, 2])


def test_no_worker_is_no_work() -> None:
    async def work() -> None:
        raise AssertionError

    asyncio.run(run_workers(0, work))
