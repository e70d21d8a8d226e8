"""Tasks side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from genie_obs.genie_api.workers import side_by_side


async def run(count: int, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async with side_by_side() as group:
        for _ in range(count):
            group.create_task(work())


def test_tasks_share_a_pile() -> None:
    pile = iter(range(10))
    done: list[int] = []

    async def work() -> None:
        for item in pile:
            await asyncio.sleep(0)
            done.append(item)

    asyncio.run(run(3, work))

    assert sorted(done) == list(range(10))


def test_first_failure_stops_all_and_is_raised_with_its_own_cause() -> None:
    started: list[int] = []
    stopped: list[int] = []

    async def work() -> None:
        number = len(started)
        started.append(number)
        if number == 1:
            raise ValueError("the second") from KeyError("its cause")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(number)
            raise RuntimeError("only a consequence") from None

    with pytest.raises(ValueError, match="the second") as caught:
        asyncio.run(run(3, work))

    assert (started, sorted(stopped)) == ([0, 1, 2], [0, 2])
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.__context__ is None


def test_failure_of_the_body_stops_the_tasks_and_is_raised() -> None:
    stopped: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def main() -> None:
        async with side_by_side() as group:
            group.create_task(work())
            await asyncio.sleep(0)
            raise ValueError("the body")

    with pytest.raises(ValueError, match="the body"):
        asyncio.run(main())

    assert stopped == [True]


def test_cancelling_from_outside_cancels_the_tasks() -> None:
    stopped: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def main() -> None:
        async with asyncio.timeout(0.01):
            await run(2, work)

    with pytest.raises(TimeoutError):
        asyncio.run(main())

    assert stopped == [True, True]


def test_no_task_is_no_work() -> None:
    async def work() -> None:
        raise AssertionError

    asyncio.run(run(0, work))
