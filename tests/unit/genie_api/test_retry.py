"""What is retried, and after how long."""

from datetime import UTC, datetime

import pytest
from tests.unit.fakes import FakeClock

from genie_obs.genie_api.exchange import (
    Answer,
    BodyTooLargeError,
    ExchangeError,
    NoAnswerError,
    NoAnswerKind,
    NotJsonError,
    RetryableStatusError,
)
from genie_obs.genie_api.retry import Attempts, RetryPolicy, is_retryable, parse_retry_after

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_and_broken_statuses_are_retried(status: int) -> None:
    assert is_retryable(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 501])
def test_final_statuses_are_not_retried(status: int) -> None:
    assert not is_retryable(status)


@pytest.mark.parametrize("error", [NoAnswerError(NoAnswerKind.DNS, "x"), NotJsonError("x")])
def test_missing_and_unreadable_answers_are_retried(error: Exception) -> None:
    assert is_retryable(error)


@pytest.mark.parametrize("error", [BodyTooLargeError(1), ValueError()])
def test_other_errors_are_not_retried(error: Exception) -> None:
    assert not is_retryable(error)


def delay(policy: RetryPolicy, attempts: int, **facts: float) -> float | None:
    return policy.delay_seconds(
        attempts,
        elapsed_seconds=facts.get("elapsed", 0.0),
        retry_after_seconds=facts.get("retry_after"),
        rng=lambda: facts.get("random", 0.5),
    )


def test_delay_grows_exponentially_up_to_its_maximum() -> None:
    policy = RetryPolicy(max_attempts=100, base_seconds=1.0, max_delay_seconds=10.0)
    assert [delay(policy, attempts) for attempts in (1, 2, 3, 4, 5, 99)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_delay_has_full_jitter() -> None:
    policy = RetryPolicy(base_seconds=1.0)
    assert delay(policy, 3, random=0.0) == 0.0
    assert delay(policy, 3, random=0.25) == 1.0


def test_retry_after_is_a_lower_bound() -> None:
    policy = RetryPolicy(base_seconds=1.0)
    assert delay(policy, 1, retry_after=7.0, random=0.0) == 7.0
    assert delay(policy, 1, retry_after=7.0, random=0.5) == 7.5


def test_last_attempt_gives_up() -> None:
    assert delay(RetryPolicy(max_attempts=3), 2) is not None
    assert delay(RetryPolicy(max_attempts=3), 3) is None


def test_wait_past_the_deadline_gives_up() -> None:
    policy = RetryPolicy(deadline_seconds=60.0)
    assert delay(policy, 1, elapsed=10.0, retry_after=40.0) is not None
    assert delay(policy, 1, elapsed=30.0, retry_after=40.0) is None


def begin(policy: RetryPolicy, clock: FakeClock) -> Attempts:
    attempts = Attempts(policy, clock, lambda: 0.5)
    attempts.begin()
    return attempts


def throttled(**headers: str) -> ExchangeError:
    return RetryableStatusError(Answer(429, headers, b"", 0))


def test_next_attempt_waits_for_what_the_answer_asks_for() -> None:
    attempts = begin(RetryPolicy(base_seconds=1.0), FakeClock())
    assert attempts.delay_seconds(throttled(**{"Retry-After": "7"})) == 7.5
    assert attempts.delay_seconds(throttled()) == 0.5
    assert attempts.delay_seconds(NoAnswerError(NoAnswerKind.TIMEOUT, "x")) == 0.5


def test_no_next_attempt_after_what_waiting_does_not_cure_or_after_the_last() -> None:
    attempts = begin(RetryPolicy(max_attempts=2), FakeClock())
    assert attempts.delay_seconds(BodyTooLargeError(1)) is None
    attempts.begin()
    assert attempts.count == 2
    assert attempts.delay_seconds(throttled()) is None


def test_deadline_counts_from_the_first_attempt() -> None:
    clock = FakeClock()
    attempts = begin(RetryPolicy(base_seconds=1.0, deadline_seconds=60.0), clock)
    clock.advance(40.0)
    attempts.begin()
    clock.advance(19.0)
    assert attempts.delay_seconds(throttled()) == 1.0
    clock.advance(1.0)
    assert attempts.delay_seconds(throttled()) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("-5", None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("9999", 120.0),
        ("inf", None),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_header_forms(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, now=NOW) == seconds
