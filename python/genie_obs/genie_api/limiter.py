"""How fast one workspace may be asked: learnt from its answers, because no limit is documented.

Until the first 429 only the number of requests in flight is limited. After a 429:

1. Every task of the workspace waits as long as `Retry-After` says.
2. One request goes first. The others follow when it is answered, so a service that still refuses is asked once per wait.
3. The pace is set just above what was accepted per second since the last wait ended. This wait is counted in: meanwhile
   a token bucket fills again, or a window ends. One refusal takes away a fifth of the pace at most.
4. Then the pace grows, slowly at first: pace = learnt x (1 + (seconds / 60)^2). Only seconds in which the pace held requests
   back count, so a quiet hour changes nothing. The first learnt pace is a guess: it grows with 10 instead of 60.

Example: the service gives each workspace a bucket of 50 tokens and 50 new ones per second; every answer takes 150 ms.

     0.0 s  Work begins: 16 requests in flight, then more; no pace.
     0.8 s  429 with `Retry-After: 1`: the bucket is empty. Everybody waits; the bucket fills.
     1.9 s  The wait is over. 87 requests were accepted in 1.75 s, 50 per second. Pace: 1.05 x 50 = 52 per second.
     7.7 s  429: the pace has grown to 52 x (1 + (5.7 / 10)^2) = 69 per second and the bucket is empty again.
     8.8 s  The wait is over. 334 were accepted in 6.9 s, 48 per second. Pace: 0.8 x 69 = 55, which is more than 1.05 x 48.
    16.6 s  429 at 56 per second.
    17.6 s  The wait is over. 429 were accepted in 8.7 s, 49 per second. Pace: 1.05 x 49 = 52 per second.
    32.9 s  429 at 55 per second; and so on, about every 15 seconds.
"""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from genie_obs.clock import Clock

logger = logging.getLogger(__name__)

_START_CONCURRENCY = 16  # all requests in flight are refused together when the limit is first met, so begin with few
_TRIAL_ANSWERS = 96  # after so many accepted requests, each further one allows one more in flight
_MIN_SAMPLE = 5  # fewer accepted requests than this tell nothing about the limit
_HEAD_START = 1.05  # times what was accepted: a little is always lost around a wait, while answers are under way
_LEAST_KEPT = 0.8  # of the pace after a refusal: the service may also have accepted little because little was asked
_MIN_PACE = 0.2  # requests per second; slower would look like a hang
_GROWTH_SECONDS = 60.0  # after so many seconds without a refusal the pace has doubled ...
_GUESS_GROWTH_SECONDS = 10.0  # ... or after so many, while no refusal has confirmed it
_MIN_PAUSE_SECONDS = 0.2
_MAX_BLIND_PAUSE_SECONDS = (
    30.0  # without `Retry-After` we wait 1 s as Databricks' SDK does, then 2, 4, 8 ... up to this
)
_MAX_LATENESS_SECONDS = 0.25  # timers fire late; this much delay is caught up with, so that the pace holds on average


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
        self._concurrency = min(max_concurrency, _START_CONCURRENCY)
        self._max_concurrency = max_concurrency
        self._in_flight = asyncio.Semaphore(self._concurrency)
        self._turnstile = asyncio.Lock()  # only the head of the queue waits for time; the others wait for it
        self._is_way_clear = asyncio.Event()  # not set while one request goes first
        self._is_way_clear.set()
        self._accepted_count = 0
        self._is_refused = False  # from the first refusal until the wait is over
        self._refusals_in_a_row = 0
        self._resumed_at = self._wait_until = self._next_at = clock.monotonic()
        self._pace = _LearntPace(max_requests_per_second)

    @property
    def pace(self) -> float | None:
        """Current pace in requests per second; None while only concurrency is limited."""
        return self._pace.value

    def slot(self) -> AbstractAsyncContextManager[float]:
        """Return a context that waits for concurrency and pace; entering gives the monotonic second of sending."""
        return self  # a slot has no state of its own, and this costs nothing per request

    def on_success(self) -> None:
        """Count one answer that was not a refusal for rate."""
        self._refusals_in_a_row = 0
        self._accepted_count += 1
        self._pace.note_accepted(self._clock.monotonic())
        if self._concurrency < self._max_concurrency and self._accepted_count > _TRIAL_ANSWERS:
            self._concurrency += 1
            self._in_flight.release()

    def on_throttled(self, retry_after_seconds: float | None, *, sent_at: float | None = None) -> None:
        """Count one 429. Refusals of requests that were sent before the wait ended are one signal.

        Args:
            retry_after_seconds: what the service asked for; every task of this workspace waits so long.
            sent_at: what entering the slot gave; None is now.
        """
        now = self._clock.monotonic()
        if not self._is_refused and (sent_at is None or sent_at >= self._resumed_at):
            self._is_refused = True
            self._refusals_in_a_row += 1
        pause = self._blind_pause_seconds() if retry_after_seconds is None else retry_after_seconds
        self._wait_until = max(self._wait_until, now + max(pause, _MIN_PAUSE_SECONDS))

    def _blind_pause_seconds(self) -> float:
        doublings = min(max(self._refusals_in_a_row - 1, 0), 10)
        return min(2.0**doublings, _MAX_BLIND_PAUSE_SECONDS)

    async def __aenter__(self) -> float:
        await self._in_flight.acquire()
        try:
            async with self._turnstile:
                return await self._wait_for_turn()
        except BaseException:
            self._in_flight.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._in_flight.release()
        self._is_way_clear.set()

    async def _wait_for_turn(self) -> float:
        is_held_back = False  # by the pace
        while True:
            await self._is_way_clear.wait()
            now = self._clock.monotonic()
            turn_at = max(self._next_at, self._wait_until)
            if now >= turn_at:
                break
            is_held_back = self._next_at > self._wait_until
            await self._clock.sleep(turn_at - now)
        if self._is_refused:
            self._go_first(now)
        elif self._pace.value is not None:
            self._next_at = max(self._next_at, now - _MAX_LATENESS_SECONDS) + 1.0 / self._pace.value
            if is_held_back:
                self._pace.grow()
        return now

    def _go_first(self, now: float) -> None:
        """Begin to ask again after a wait; until this request is answered all others stay back."""
        self._is_refused = False
        self._is_way_clear.clear()
        self._resumed_at = self._next_at = now
        self._pace.learn(now)


class _LearntPace:
    """The pace in requests per second (`value`; None: not limited) and what it is learnt from; seconds are monotonic."""

    def __init__(self, ceiling: float | None) -> None:
        self.value = ceiling
        self._ceiling = ceiling
        self._learnt = ceiling or 0.0
        self._growth_seconds = _GUESS_GROWTH_SECONDS
        self._held_back_seconds = 0.0  # since it was learnt
        self._accepted = 0  # requests since `_counted_from`
        self._counted_from: float | None = None  # the first answer, later the end of the last wait

    def note_accepted(self, now: float) -> None:
        self._accepted += 1
        if self._counted_from is None:
            self._counted_from = now

    def grow(self) -> None:
        """Count one request that had to wait for the pace."""
        if self.value is not None:
            self._held_back_seconds += 1.0 / self.value
            self._set(self._learnt * (1.0 + (self._held_back_seconds / self._growth_seconds) ** 2))

    def learn(self, now: float) -> None:
        """Set the pace from what was accepted until now, the end of the wait that a refusal brought."""
        if self._counted_from is None or self._accepted < _MIN_SAMPLE:
            return  # go on counting: the waits so far belong to the next measurement
        learnt = max(_HEAD_START * self._accepted / (now - self._counted_from), _MIN_PACE)
        if self.value is not None:
            learnt = min(max(learnt, _LEAST_KEPT * self.value), self.value)
        if self._held_back_seconds:
            self._growth_seconds = _GROWTH_SECONDS
        logger.debug("limiter: %d accepted since the last wait, pace now %.2f/s", self._accepted, learnt)
        self._set(learnt)
        self._learnt, self._held_back_seconds = learnt, 0.0
        self._accepted, self._counted_from = 0, now

    def _set(self, value: float) -> None:
        self.value = value if self._ceiling is None else min(value, self._ceiling)
