"""Whether a request is tried again, and when; decided nowhere else."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from genie_obs.clock import Clock
from genie_obs.genie_api.exchange import Answer, ExchangeError, NoAnswerError, NotJsonError, RetryableStatusError

RETRYABLE_STATUSES = frozenset({429, 500, 502, 503, 504})
# A longer `Retry-After` is cut to this: a run has an end, and the next run tries again.
MAX_RETRY_AFTER_SECONDS = 120.0


def is_retryable(outcome: int | BaseException) -> bool:
    """Return whether another attempt may succeed after this status, or this error of an exchange.

    Not after 401: there the token is renewed once, without waiting.
    """
    if isinstance(outcome, int):
        return outcome in RETRYABLE_STATUSES
    return isinstance(outcome, NoAnswerError | NotJsonError | RetryableStatusError)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often one call is tried, how soon again, and for how long."""

    max_attempts: int = 6
    base_seconds: float = 0.5
    max_delay_seconds: float = 30.0
    deadline_seconds: float = 600.0  # after a call's first attempt began; later no new attempt begins

    def delay_seconds(
        self, attempts: int, *, elapsed_seconds: float, retry_after_seconds: float | None, rng: Callable[[], float]
    ) -> float | None:
        """Return how long to wait before the next attempt, in seconds, or None to give up.

        A random time between 0 and base x 2^(attempts - 1), at most `max_delay_seconds`: with a base of 0.5 s up to 0.5, 1, 2,
        4 ... 30 s. After a `Retry-After` it is that, plus a random time up to the base, so that not all calls return at once.

        Args:
            attempts: made so far, at least 1.
            elapsed_seconds: since the first attempt began.
            retry_after_seconds: what the service asked for; None if it did not.
            rng: returns random numbers from 0 to 1, without 1.
        """
        if attempts >= self.max_attempts:
            return None
        delay = rng() * min(self.max_delay_seconds, self.base_seconds * 2.0 ** min(attempts - 1, 60))
        if retry_after_seconds is not None:
            delay = retry_after_seconds + rng() * self.base_seconds
        return delay if elapsed_seconds + delay <= self.deadline_seconds else None


class Attempts:
    """The attempts of one call: how many there were, and when the next one is due."""

    def __init__(self, policy: RetryPolicy, clock: Clock, rng: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._rng = rng
        self._started_at = 0.0
        self.count = 0

    def begin(self) -> None:
        """Count one attempt, which begins now."""
        if self.count == 0:
            self._started_at = self._clock.monotonic()
        self.count += 1

    def delay_seconds(self, failure: ExchangeError) -> float | None:
        """Return how long to wait after the last attempt failed, in seconds; None to give up."""
        if not is_retryable(failure):
            return None
        return self._policy.delay_seconds(
            self.count,
            elapsed_seconds=self._clock.monotonic() - self._started_at,
            retry_after_seconds=retry_after_seconds(failure.answer, now=self._clock.now()),
            rng=self._rng,
        )


def retry_after_seconds(answer: Answer | None, *, now: datetime) -> float | None:
    """Return what an answer's `Retry-After` asks for, as `parse_retry_after`."""
    return parse_retry_after(answer.headers.get("Retry-After"), now=now) if answer is not None else None


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Return a `Retry-After` header in seconds from `now` (with time zone), at most 120; None if absent or unreadable.

    It may be a number of seconds or an HTTP date; a date in the past is 0.
    """
    if value is None:
        return None
    seconds = _parse_seconds(value.strip(), now)
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _parse_seconds(value: str, now: datetime) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, now)
    return seconds if seconds >= 0 else None


def _seconds_until(http_date: str, now: datetime) -> float | None:
    try:
        at = parsedate_to_datetime(http_date)
    except (ValueError, IndexError, TypeError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return (at - now).total_seconds()
