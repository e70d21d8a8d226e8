"""The state that a request leads to, and when the message is asked for again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from genie_obs.clock import CLOCKS_DIFFER_BY
from genie_obs.datasets.messages.parsing.known_values import is_terminal
from genie_obs.ledger.reasons import Reason
from genie_obs.ledger.rows import DueMessage

RETRY_FIRST = timedelta(minutes=5)
_RETRY_MOST = timedelta(hours=24)
_SETTLE_LEAST = timedelta(minutes=2)
_SETTLE_MOST = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextState:
    """What the ledger is to say of a message after a request; instants are UTC."""

    state: str
    attempts: int
    code: Reason | None = None
    reason: str | None = None
    next_attempt_at: datetime | None = None  # None: at the next run, or never if the state is final


def last_change(said: Iterable[datetime | None], now: datetime) -> datetime:
    """Return the latest of the instants that are said to have changed a message.

    An instant after `now` was written by a clock that is wrong, and does not count. Without any other it is `now`.
    """
    return max((at for at in said if at is not None and at <= now + CLOCKS_DIFFER_BY), default=now)


def after_answer(
    due: DueMessage, status: str | None, *, changed_at: datetime, now: datetime, settle_days: int
) -> NextState:
    """Return the state of a message that the service returned with this status.

    One that is not final is asked for again after half the time since its last change, at least 2 minutes and at most a day: what just
    changed is followed closely, what stands still hardly ever. It is given up `settle_days` after that change.

    For example, a message of two weeks ago is regenerated at 12:00, and read at 12:10 while it runs. It changed 10 minutes ago, so it is
    asked for again after 5 minutes, at 12:15; then after 7.5 minutes; from the second day on once a day; for the last time seven days
    after 12:00.
    """
    attempts = count_attempts(due)
    if is_terminal(status):
        return NextState(state="fetched", attempts=attempts)
    if now - changed_at > timedelta(days=settle_days):
        reason = f"stored, but still {status} {settle_days} days after its last change"
        return NextState(state="abandoned", attempts=attempts, code=Reason.NEVER_FINAL, reason=reason)
    return NextState(
        state="settling",
        attempts=attempts,
        code=Reason.RUNNING,
        reason=f"stored while {status}",
        next_attempt_at=now + _settle_wait(now - changed_at),
    )


def after_answer_without_asker(due: DueMessage, *, changed_at: datetime, now: datetime, settle_days: int) -> NextState:
    """Return the state of a final message whose asker is not known, because the directory of users did not answer.

    It is asked for again like one that is not final. A message that changed long ago gets `settle_days` more attempts, one a day: it
    was read late, and must not lose its asker by an outage of that hour. In the end it stays without e-mail.
    """
    attempts = (due.attempts if due.state == "settling" else 0) + 1
    if now - changed_at > timedelta(days=settle_days) and attempts > settle_days:
        return NextState(state="fetched", attempts=attempts)
    return NextState(
        state="settling",
        attempts=attempts,
        code=Reason.ASKER_UNKNOWN,
        reason="stored without the e-mail of its asker: the directory of users did not answer",
        next_attempt_at=now + _settle_wait(now - changed_at),
    )


def after_failure(due: DueMessage, *, code: Reason, reason: str, now: datetime, max_attempts: int) -> NextState:
    """Return the state of a message that could not be read: retried after 5, 10, 20 minutes, at last once a day, then given up."""
    attempts = count_attempts(due)
    if attempts >= max_attempts:
        reason = f"given up after {attempts} attempts: {reason}"
        return NextState(state="abandoned", attempts=attempts, code=Reason.ATTEMPTS_USED_UP, reason=reason)
    wait = min(RETRY_FIRST * 2 ** min(attempts - 1, 20), _RETRY_MOST)
    return NextState(state="retry", attempts=attempts, code=code, reason=reason, next_attempt_at=now + wait)


def count_attempts(due: DueMessage) -> int:
    """Count this request; one that follows an answer starts anew, so that polling uses nothing up."""
    return (due.attempts if due.state in {"pending", "retry"} else 0) + 1


def _settle_wait(age: timedelta) -> timedelta:
    return min(max(age / 2, _SETTLE_LEAST), _SETTLE_MOST)
