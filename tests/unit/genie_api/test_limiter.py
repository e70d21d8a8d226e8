"""The limiter against services that refuse, in discrete-event time: no test waits, every run is the same."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from tests.unit.fakes import FakeClock

from genie_obs.genie_api.limiter import AdaptiveLimiter


class Service(Protocol):
    rate: float

    def accepts(self, at: float) -> bool: ...


@dataclass
class TokenBucket:
    rate: float
    burst: float = 0.0
    tokens: float | None = None  # None: full
    at: float = 0.0

    def __post_init__(self) -> None:
        self.burst = self.burst or self.rate
        self.tokens = self.burst if self.tokens is None else self.tokens

    def accepts(self, at: float) -> bool:
        self.tokens = min(self.burst, (self.tokens or 0.0) + (at - self.at) * self.rate)
        self.at = at
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass
class FixedWindow:
    rate: float  # requests in each second of the service's clock
    window: int = -1
    count: int = 0

    def accepts(self, at: float) -> bool:
        if int(at) != self.window:
            self.window, self.count = int(at), 0
        self.count += 1
        return self.count <= self.rate


@dataclass
class Outcome:
    seconds: float = 0.0
    refused: int = 0
    finished_at: list[float] = field(default_factory=list)

    def rate_between(self, start: float, end: float) -> float:
        return sum(start <= at < end for at in self.finished_at) / (end - start)


def ask(
    service: Service,
    count: int,
    *,
    latency: Callable[[], float] = lambda: 0.05,
    retry_after: float | None = 1.0,
    changes: Sequence[tuple[float, float]] = (),
    max_requests_per_second: float | None = None,
) -> Outcome:
    """Send `count` requests through one limiter, each until accepted; `changes` are (second, new rate)."""
    clock = FakeClock()
    outcome = Outcome()
    to_change = list(changes)

    async def attempt(limiter: AdaptiveLimiter) -> bool:
        async with limiter.slot() as sent_at:
            seconds = latency()
            await clock.sleep(seconds / 2)
            while to_change and clock.monotonic() >= to_change[0][0]:
                service.rate = to_change.pop(0)[1]
                if isinstance(service, TokenBucket):
                    service.burst = service.rate
            is_accepted = service.accepts(clock.monotonic())
            await clock.sleep(seconds / 2)
        if is_accepted:
            limiter.on_success()
        else:
            outcome.refused += 1
            limiter.on_throttled(retry_after, sent_at=sent_at)
        return is_accepted

    async def run() -> None:
        limiter = AdaptiveLimiter(clock, max_requests_per_second=max_requests_per_second)
        todo = iter(range(count))

        async def worker() -> None:
            for _ in todo:
                while not await attempt(limiter):
                    pass
                outcome.finished_at.append(clock.monotonic())

        await asyncio.gather(*(worker() for _ in range(64)))

    asyncio.run(run())
    outcome.seconds = clock.monotonic()
    return outcome


def random_latency() -> Callable[[], float]:
    rng = random.Random(7)  # noqa: S311 - a seeded latency
    return lambda: rng.uniform(0.0, 0.15)


LATENCIES = {"none": lambda: 0.0, "50 ms": lambda: 0.05, "150 ms": lambda: 0.15}


@pytest.mark.parametrize("latency", [*LATENCIES, "0 to 150 ms"])
@pytest.mark.parametrize("count", [3_000, 6_000])
def test_token_bucket_is_used_to_98_percent_with_1_percent_refused(latency: str, count: int) -> None:
    outcome = ask(TokenBucket(50), count, latency=LATENCIES.get(latency) or random_latency())
    ideal_seconds = (count - 50) / 50
    assert outcome.seconds <= ideal_seconds / 0.98
    assert outcome.refused <= 0.01 * (count + outcome.refused)


def test_first_refusal_is_of_few_requests() -> None:
    outcome = ask(TokenBucket(50), 100, latency=lambda: 0.15)
    assert 0 < outcome.refused <= 16


def test_short_work_at_an_unknown_limit_wastes_little() -> None:
    outcome = ask(TokenBucket(50), 800, latency=lambda: 0.15)
    assert outcome.seconds <= 15 / 0.92
    assert outcome.refused <= 0.02 * (800 + outcome.refused)


@pytest.mark.parametrize("rate", [5.0, 20.0, 300.0])
def test_other_rates_are_learnt_too(rate: float) -> None:
    count = int(rate * 120)
    outcome = ask(TokenBucket(rate), count)
    assert outcome.seconds <= (count - rate) / rate / 0.93
    assert outcome.refused <= 0.06 * count


def test_bucket_with_a_large_burst_is_used_up_and_then_paced() -> None:
    outcome = ask(TokenBucket(50, burst=500), 3_000)
    assert outcome.seconds <= (3_000 - 500) / 50 / 0.93
    assert outcome.refused <= 0.04 * 3_000


def test_fixed_window_is_used_well_and_refuses_little() -> None:
    outcome = ask(FixedWindow(50), 3_000, latency=random_latency())
    assert outcome.seconds <= 60 / 0.80
    assert outcome.refused <= 0.02 * (3_000 + outcome.refused)


def test_after_a_wait_what_was_saved_up_is_used_but_not_in_windows() -> None:
    def busiest_second(service: Service, start: int) -> float:
        outcome = ask(service, 4_000)
        return max(outcome.rate_between(tenth / 10, tenth / 10 + 1) for tenth in range(10 * start, 600))

    assert busiest_second(TokenBucket(50), 2) >= 80
    assert busiest_second(FixedWindow(50), 10) <= 65


@pytest.mark.parametrize("retry_after", [None, 0.0, 2.0])
def test_works_with_other_or_no_retry_after(retry_after: float | None) -> None:
    outcome = ask(TokenBucket(50), 3_000, retry_after=retry_after)
    assert outcome.seconds <= 59 / 0.80
    assert outcome.refused <= 0.03 * 3_000


def test_limit_changes_are_followed_down_and_up() -> None:
    outcome = ask(TokenBucket(50), 9_000, changes=[(30.0, 20.0), (90.0, 100.0)])
    assert outcome.rate_between(10, 30) >= 46
    assert 18 <= outcome.rate_between(40, 90) <= 22
    assert outcome.rate_between(125, outcome.seconds) >= 85
    assert outcome.refused <= 0.02 * 9_000


def test_unlimited_service_is_limited_by_concurrency_alone() -> None:
    outcome = ask(TokenBucket(1e9), 20_000)
    assert outcome.refused == 0
    assert outcome.seconds <= 20_000 * 0.05 / 64 / 0.95


def test_ceiling_is_never_passed() -> None:
    outcome = ask(TokenBucket(1e9), 1_000, max_requests_per_second=25.0)
    assert 39.0 <= outcome.seconds <= 41.0
    busiest = max(outcome.rate_between(second, second + 1) for second in range(39))
    assert busiest <= 26


def test_ceiling_is_not_passed_after_a_wait_either() -> None:
    outcome = ask(TokenBucket(20), 600, max_requests_per_second=30.0)  # twice the pace learnt is more than the ceiling
    assert outcome.refused > 0
    assert max(outcome.rate_between(tenth / 10, tenth / 10 + 1) for tenth in range(250)) <= 31


def test_more_than_a_bucket_holds_is_not_expected_after_a_long_wait() -> None:
    outcome = ask(TokenBucket(50), 6_000, retry_after=5.0)
    assert outcome.seconds <= 119 / 0.71


def make() -> tuple[FakeClock, AdaptiveLimiter]:
    clock = FakeClock()
    return clock, AdaptiveLimiter(clock)


async def enter(limiter: AdaptiveLimiter) -> float:
    async with limiter.slot() as sent_at:
        return sent_at


def test_every_task_waits_for_retry_after_of_one() -> None:
    async def run() -> None:
        clock, limiter = make()
        limiter.on_throttled(7.0)
        sent = await asyncio.gather(*(enter(limiter) for _ in range(20)))
        assert min(sent) >= 7.0
        assert clock.monotonic() >= 7.0

    asyncio.run(run())


def test_longest_retry_after_counts() -> None:
    async def run() -> None:
        _, limiter = make()
        limiter.on_throttled(2.0)
        limiter.on_throttled(9.0)
        limiter.on_throttled(1.0)
        assert await enter(limiter) >= 9.0

    asyncio.run(run())


def test_refusals_of_one_burst_are_one_signal() -> None:
    def pace_after(refusals: int) -> float | None:
        async def run() -> float | None:
            clock, limiter = make()
            await enter(limiter)
            for _ in range(100):
                clock.advance(0.02)
                limiter.on_success()
            for _ in range(refusals):
                limiter.on_throttled(1.0, sent_at=clock.monotonic())
            await enter(limiter)
            return limiter.pace

        return asyncio.run(run())

    assert pace_after(30) == pace_after(1)
    assert pace_after(1) is not None


def test_late_refusal_of_the_same_burst_does_not_slow_down_again() -> None:
    async def run() -> None:
        clock, limiter = make()
        sent_at = await enter(limiter)
        for _ in range(100):
            clock.advance(0.02)
            limiter.on_success()
        limiter.on_throttled(1.0, sent_at=sent_at)
        await enter(limiter)
        pace = limiter.pace
        limiter.on_throttled(1.0, sent_at=sent_at)  # sent before the first refusal, answered after the wait
        await enter(limiter)
        assert limiter.pace == pace

    asyncio.run(run())


def test_repeated_refusals_without_progress_halve_the_pace() -> None:
    async def run() -> None:
        clock, limiter = make()
        for _ in range(100):
            clock.advance(0.02)
            limiter.on_success()
        paces: list[float] = []
        for _ in range(4):
            limiter.on_throttled(1.0)
            await enter(limiter)
            paces.append(limiter.pace or 0.0)
        assert paces[1:] == pytest.approx([paces[0] / 2, paces[0] / 4, paces[0] / 8])

    asyncio.run(run())


def test_service_used_up_by_others_at_the_start_is_asked_cautiously_not_crawlingly() -> None:
    outcome = ask(TokenBucket(50, tokens=0.0), 1_000)
    assert outcome.seconds <= 60.0
    assert outcome.refused <= 100


def test_waits_without_retry_after_grow_while_nothing_is_accepted() -> None:
    async def run() -> None:
        clock, limiter = make()
        waits: list[float] = []
        for _ in range(3):
            clock.advance(10.0)
            before = clock.monotonic()
            limiter.on_throttled(None)
            waits.append(await enter(limiter) - before)
        assert waits == pytest.approx([1.0, 2.0, 4.0])

    asyncio.run(run())


def test_quiet_time_does_not_raise_or_lower_what_was_learnt() -> None:
    async def run() -> None:
        clock, limiter = make()
        for _ in range(100):
            clock.advance(0.02)
            limiter.on_success()
        limiter.on_throttled(1.0)
        await enter(limiter)
        pace = limiter.pace
        for _ in range(50):
            clock.advance(60.0)
            await enter(limiter)
            limiter.on_success()
        assert limiter.pace == pace

    asyncio.run(run())


def test_slots_are_given_in_order_of_asking() -> None:
    async def run() -> None:
        clock = FakeClock()
        limiter = AdaptiveLimiter(clock, max_concurrency=2, max_requests_per_second=10.0)
        order: list[int] = []

        async def worker(number: int) -> None:
            async with limiter.slot():
                order.append(number)
                await clock.sleep(0.3)

        await asyncio.gather(*(worker(number) for number in range(30)))
        assert order == sorted(order)

    asyncio.run(run())


def test_concurrency_is_never_exceeded() -> None:
    async def run() -> None:
        clock = FakeClock()
        limiter = AdaptiveLimiter(clock, max_concurrency=40)
        in_flight = highest = 0

        async def worker() -> None:
            nonlocal in_flight, highest
            async with limiter.slot():
                in_flight += 1
                highest = max(highest, in_flight)
                await clock.sleep(0.1)
                in_flight -= 1
            limiter.on_success()

        await asyncio.gather(*(worker() for _ in range(1_000)))
        assert highest == 40

    asyncio.run(run())


@pytest.mark.parametrize("waits_for", ["concurrency", "pause"])
def test_cancelled_waiters_leave_no_trace(waits_for: str) -> None:
    async def run() -> None:
        clock = FakeClock()
        limiter = AdaptiveLimiter(clock, max_concurrency=1)
        if waits_for == "pause":
            limiter.on_throttled(5.0)
        holding = asyncio.create_task(clock.sleep(1.0))
        async with asyncio.timeout(30):
            if waits_for == "concurrency":
                async with limiter.slot():
                    waiter = asyncio.create_task(enter(limiter))
                    await asyncio.sleep(0)
                    waiter.cancel()
            else:
                waiter = asyncio.create_task(enter(limiter))
                await asyncio.sleep(0)
                waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            await enter(limiter)
            await holding

    asyncio.run(run())
