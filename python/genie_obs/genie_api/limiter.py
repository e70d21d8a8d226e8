"""How fast one workspace may be asked: learnt from its answers, not configured.

Until the first 429 only concurrency is limited. A 429 stops everyone for its `Retry-After`; then requests are paced.
What the service accepted between two refusals, over the time between them, *is* its limit: a token bucket is empty at
both ends. So the pace is set just under that measured rate and creeps up again, faster the longer nothing is refused.
A bucket also saves up, while we wait, what is not asked: after a wait the next requests go at twice the pace, until
most of that is used, so a wait costs next to nothing. A service that refuses them counts in windows and saves nothing;
it is not hurried again.
"""

import asyncio
import logging
from collections import deque
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from genie_obs.clock import Clock

logger = logging.getLogger(__name__)

_START_CONCURRENCY = 16  # what is in flight when the limit is first met is refused together
_TRIAL_ANSWERS = 96  # until so many were accepted the concurrency stays, then it grows by one with each
_DEFAULT_PAUSE_SECONDS = 1.0  # after a 429 without Retry-After; what Databricks' own SDK waits
_MIN_PAUSE_SECONDS = 0.2
_MAX_BLIND_PAUSE_SECONDS = 30.0
_MARGIN = 0.98  # pace after a refusal, as a share of the measured rate
_MIN_PACE = 0.2  # requests per second; slower would look like a hang
_RECENT_ANSWERS = 4_096
_UNMEASURED_PACE = 10.0  # requests per second, when the very first ones are refused and nothing can be measured
_MIN_SAMPLE = 5  # fewer accepted requests than this between two refusals measure nothing
_GROWTH = 0.002  # relative pace gained per second when the measurement is good ...
_GROWTH_IN_DOUBT = 0.06  # ... plus this times the share of the measured time that was waiting, not asking ...
_GROWTH_ABOVE_LIMIT = 0.05  # ... plus this share of how far the pace is above the last known limit ...
_MAX_GROWTH = 0.1  # ... up to this
_SAVED_SECONDS = 1.0  # how much of a wait a bucket is believed to save up; larger ones are used up by creeping
_HURRY = 1.6  # requests at twice the pace by requests saved up: half of them, 80 %, come from what was saved
_MAX_LATENESS_SECONDS = 0.1  # timers fire late; this much delay is caught up with, so that the pace holds on average


class AdaptiveLimiter(AbstractAsyncContextManager[float]):
    """Concurrency and pace of all requests to one workspace; first come, first served; safe to cancel.

    Use one per workspace, within one event loop::

        async with limiter.slot() as sent_at:
            status = ...
        limiter.on_success()  # or limiter.on_throttled(retry_after_seconds, sent_at=sent_at)
    """

    def __init__(
        self, clock: Clock, *, max_concurrency: int = 64, max_requests_per_second: float | None = None
    ) -> None:
        self._clock = clock
        self._ceiling = max_requests_per_second
        self._concurrency = min(max_concurrency, _START_CONCURRENCY)
        self._max_concurrency = max_concurrency
        self._accepted_count = 0
        self._in_flight = asyncio.Semaphore(self._concurrency)
        self._turnstile = asyncio.Lock()
        self._pace = max_requests_per_second  # requests per second; None: not limited
        self._next_at = clock.monotonic()
        self._paused_until = float("-inf")
        self._is_learning = False  # a refusal was seen whose measurement is not used yet
        self._limit: float | None = None  # last measured limit, requests per second
        self._growth = _GROWTH
        self._saves_up = True  # whether the service is believed to save up what is not asked while waiting
        self._throttles_in_a_row = 0  # without enough accepted requests between them
        self._throttled_at: float | None = None
        self._sample = _Sample(None)

    @property
    def pace(self) -> float | None:
        """Current pace in requests per second; None while only concurrency is limited."""
        return self._pace

    def slot(self) -> AbstractAsyncContextManager[float]:
        """Return a context that waits for concurrency and pace; entering gives the monotonic second of sending."""
        return self  # a slot has no state of its own, and this costs nothing per request

    def on_success(self) -> None:
        """Count one answer that was not a refusal for rate."""
        self._sample.accepted += 1
        self._sample.recent.append(self._clock.monotonic())
        self._accepted_count += 1
        if self._concurrency < self._max_concurrency and self._accepted_count > _TRIAL_ANSWERS:
            self._concurrency += 1
            self._in_flight.release()

    def on_throttled(self, retry_after_seconds: float | None, *, sent_at: float | None = None) -> None:
        """Count one 429. Refusals of requests sent before the first of them was known are one signal.

        Args:
            retry_after_seconds: what the service asked for; obeyed by every task of this workspace.
            sent_at: what entering the slot gave; without it, the refusals during the wait are one signal.
        """
        now = self._clock.monotonic()
        was_sent_at = now if sent_at is None else sent_at
        is_known = self._throttled_at is not None and was_sent_at <= self._throttled_at
        if not is_known and now >= self._paused_until:
            self._start_episode(now)
        self._paused_until = max(self._paused_until, now + self._pause_seconds(retry_after_seconds))

    def _start_episode(self, now: float) -> None:
        self._is_learning = True
        self._saves_up = self._saves_up and self._sample.accepted >= self._sample.hurried
        self._sample.end_at = now
        self._throttled_at = now
        self._throttles_in_a_row += 1

    def _pause_seconds(self, retry_after_seconds: float | None) -> float:
        if retry_after_seconds is not None:
            return max(retry_after_seconds, _MIN_PAUSE_SECONDS)
        doublings = min(max(self._throttles_in_a_row - 1, 0), 10)
        return min(_DEFAULT_PAUSE_SECONDS * 2.0**doublings, _MAX_BLIND_PAUSE_SECONDS)

    async def __aenter__(self) -> float:
        await self._in_flight.acquire()
        try:
            now = self._clock.monotonic()
            if self._pace is None and now >= self._paused_until and not self._is_learning:
                return now
            async with self._turnstile:  # only the head of the queue waits for time; the others wait for it
                return await self._wait_for_turn()
        except BaseException:
            self._in_flight.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._in_flight.release()

    async def _wait_for_turn(self) -> float:
        is_waiting = False
        while True:
            now = self._clock.monotonic()
            if now < self._paused_until:
                await self._clock.sleep(self._paused_until - now)
                continue
            if self._is_learning:
                self._learn(now)
            if self._pace is None or now >= self._next_at:
                break
            is_waiting = True
            await self._clock.sleep(self._next_at - now)
        self._take_turn(now, is_pace_bound=is_waiting)
        return now

    def _take_turn(self, now: float, *, is_pace_bound: bool) -> None:
        if self._pace is None:
            return
        pace = self._pace
        if self._sample.to_hurry:
            self._sample.to_hurry -= 1
            pace = self._below_ceiling(2.0 * pace)
        self._next_at = max(self._next_at, now - _MAX_LATENESS_SECONDS) + 1.0 / pace
        # Only a pace that holds requests back is tested by them: a quiet hour must not raise it.
        if is_pace_bound and self._limit is not None:
            above = max(0.0, self._pace / self._limit - 1.0)
            self._set_pace(self._pace + min(self._growth + _GROWTH_ABOVE_LIMIT * above, _MAX_GROWTH))

    def _learn(self, now: float) -> None:
        """Set the pace from what was accepted since the last refusal; runs once, when the wait is over."""
        self._is_learning = False
        sample, self._sample = self._sample, _Sample(self._throttled_at)
        before = self._pace
        if sample.accepted >= _MIN_SAMPLE:
            self._throttles_in_a_row = 1
            self._limit = max(sample.measure_limit(now), _MIN_PACE)
            self._set_pace(_MARGIN * min(self._limit, before or self._limit))
            if self._saves_up:
                seconds = min(self._paused_until - sample.end_at, _SAVED_SECONDS)
                self._sample.hurried = self._sample.to_hurry = int(_HURRY * self._limit * seconds)
        else:
            self._limit = max(before / 2.0, _MIN_PACE) if before is not None else _UNMEASURED_PACE
            self._set_pace(self._limit)
        self._growth = _GROWTH + _GROWTH_IN_DOUBT * sample.waiting_share(now)
        self._next_at = now
        logger.debug("limiter: %d accepted since the last refusal, pace now %.2f/s", sample.accepted, self._pace)

    def _set_pace(self, pace: float) -> None:
        self._pace = self._below_ceiling(max(pace, _MIN_PACE))

    def _below_ceiling(self, pace: float) -> float:
        return pace if self._ceiling is None else min(pace, self._ceiling)


class _Sample:
    """The answers accepted from one refusal (None: the beginning) to the next; seconds are monotonic."""

    __slots__ = ("accepted", "end_at", "hurried", "recent", "start_at", "to_hurry")

    def __init__(self, start_at: float | None) -> None:
        self.start_at = start_at
        self.end_at = 0.0
        self.accepted = 0
        self.hurried = 0  # so many requests were to go at twice the pace ...
        self.to_hurry = 0  # ... and so many of them still are
        self.recent: deque[float] = deque(maxlen=_RECENT_ANSWERS)

    def measure_limit(self, now: float) -> float:
        """Return requests per second the service accepts; `now` is the end of the wait that followed the refusal.

        The larger of two numbers that are both at most the limit. From refusal to refusal nothing but the limit itself
        was accepted, unless requests were too few at times. The last answers alone are free of that, but a full bucket
        may have paid for some of them: the wait, which fills the bucket again, is counted in.
        """
        rate = 0.0
        if self.start_at is not None:
            rate = self.accepted / max(self.end_at - self.start_at, _MIN_PAUSE_SECONDS)
        newest_first = list(reversed(self.recent))
        count = len(newest_first)
        while count >= _MIN_SAMPLE:
            rate = max(rate, count / max(now - newest_first[count - 1], _MIN_PAUSE_SECONDS))
            count = count * 7 // 8  # some window leaves out what came before the requests were many enough
        return rate

    def waiting_share(self, now: float) -> float:
        """Return which share of the time, from 0 to 1, the wait took: the more, the less the measurement says."""
        total = now - (self.start_at if self.start_at is not None else self.end_at)
        return min(1.0, (now - self.end_at) / total) if total > 0 else 1.0
