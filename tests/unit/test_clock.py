"""The real clock keeps its promises; the fake one is deterministic."""

import asyncio
from datetime import UTC, timedelta

from tests.unit.fakes import FakeClock

from genie_obs.clock import Clock, SystemClock


def test_system_clock_is_aware_utc_and_monotonic() -> None:
    clock: Clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_system_clock_sleep_accepts_nothing_to_wait_for() -> None:
    asyncio.run(SystemClock().sleep(-1.0))


def test_fake_clock_wakes_sleepers_in_order_of_time() -> None:
    clock: Clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async def run() -> None:
        await asyncio.gather(sleeper("late", 3600.0), sleeper("soon", 1.0), sleeper("middle", 60.0))

    started_at = clock.now()
    asyncio.run(run())
    assert woken == [("soon", 1.0), ("middle", 60.0), ("late", 3600.0)]
    assert clock.now() - started_at == timedelta(hours=1)


def test_fake_clock_ignores_cancelled_sleepers() -> None:
    clock = FakeClock()

    async def run() -> float:
        task = asyncio.create_task(clock.sleep(10.0))
        other = asyncio.create_task(clock.sleep(20.0))
        await asyncio.sleep(0)
        task.cancel()
        await other
        return clock.monotonic()

    assert asyncio.run(run()) == 20.0
