"""What comes of asking for one message: its row for `message_details` and its new state in the ledger. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from genie_obs.clock import CLOCKS_DIFFER_BY
from genie_obs.config import FetchSettings
from genie_obs.datasets.messages.message_rows import is_terminal
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.sizes import text_bytes
from genie_obs.ledger.reasons import Reason
from genie_obs.ledger.rows import DueMessage

# Asked again after half the time since its last change: what just changed is followed closely, what stands still hardly ever.
_SETTLE_LEAST = timedelta(minutes=2)
_SETTLE_MOST = timedelta(hours=24)
_RETRY_FIRST = timedelta(minutes=5)
_RETRY_MOST = timedelta(hours=24)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABSENT = "404 although the space can be read"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Result of one request for one message."""

    ledger: Row
    details: Row | None = None
    is_first: bool = False  # as far as the ledger knows, `message_details` has no row of it yet
    payload_bytes: int = 0
    is_listed_only: bool = False  # found in a listing; whether the ledger knows it is not settled yet


@dataclass(frozen=True, kw_only=True)
class WorkspaceRun:
    """One workspace in one run: what is the same for all its messages."""

    workspace_id: str
    workspace_name: str | None
    run_id: str
    settings: FetchSettings


def stored(
    workspace: WorkspaceRun, due: DueMessage, message: Row, *, space_name: str | None, fetched_at: datetime,
    is_asker_pending: bool = False,
) -> Outcome:  # fmt: skip
    """Return the outcome of a message the API returned.

    Args:
        workspace: the workspace and the run.
        due: the message as the ledger has it.
        message: its parsed row, with `user_email`.
        space_name: title of its space.
        fetched_at: when it was asked for (UTC).
        is_asker_pending: who asked is not known yet, because the directory of users did not answer.
    """
    details = _details(workspace, message, due, space_name=space_name, fetched_at=fetched_at)
    age = max(fetched_at - _last_change(details, due, fetched_at), timedelta(0))
    attempts = _count_attempts(due)
    if is_terminal(message["status"]) and is_asker_pending:
        attempts = (due.attempts if due.state == "settling" else 0) + 1
        state, code, reason, next_attempt_at = _await_asker(workspace.settings, age, attempts, fetched_at)
    else:
        state, code, reason, next_attempt_at = _settle(workspace.settings, message["status"], age, fetched_at)
    ledger = _ledger(
        workspace, due, fetched_at, state=state, code=code, reason=reason, http_status=200, next_attempt_at=next_attempt_at,
        created_date=details["created_date"],
    )  # fmt: skip
    return Outcome(
        ledger={**ledger, "attempts": attempts},
        details=details,
        is_first=due.created_date is None,
        payload_bytes=text_bytes(message.values()),
    )


def absent(workspace: WorkspaceRun, due: DueMessage, *, at: datetime) -> Outcome:
    """Return the outcome of a 404 in a space we may read: gone if something else says so too, else asked for again.

    The right to read is asked for apart from the message, once per space and run, and may come or go in between. So a 404 counts
    only with a deletion in the audit log, or with a second 404 in a later run.
    """
    if due.is_deletion_seen or due.is_absence_seen:
        return gone(workspace, due, at=at)
    reason = f"{_ABSENT}; asked for once more before it counts as gone"
    next_attempt_at = at + _RETRY_FIRST
    ledger = _ledger(
        workspace,
        due,
        at,
        state="retry",
        code=Reason.ABSENT_ONCE,
        reason=reason,
        http_status=404,
        next_attempt_at=next_attempt_at,
    )
    return Outcome(ledger=ledger)


def gone(workspace: WorkspaceRun, due: DueMessage, *, at: datetime) -> Outcome:
    """Return the outcome of a message that no longer exists, in a space we may read.

    Its deletion mark has no `created_date` where the ledger has none; `find_stored` settles that.
    """
    is_known = due.created_date is not None or due.is_deletion_seen
    code, reason = (Reason.DELETED, "deleted in Genie") if due.is_deletion_seen else (Reason.ABSENT, _ABSENT)
    state = "deleted" if is_known else "not_found"
    ledger = _ledger(workspace, due, at, state=state, code=code, reason=reason, http_status=404)
    return Outcome(ledger=ledger, details=_deletion_mark(workspace, due, at))


def find_stored(outcome: Outcome, created_date: date | None) -> None:
    """Complete a deletion mark with the day its message is stored under; without one there is nothing to mark."""
    if created_date is None:
        outcome.details = None
    elif outcome.details is not None:
        outcome.details["created_date"] = outcome.ledger["created_date"] = created_date
        outcome.ledger["state"] = "deleted"


def forbidden(
    workspace: WorkspaceRun,
    due: DueMessage,
    *,
    code: Reason,
    reason: str,
    http_status: int | None,
    at: datetime,
    retry_at: datetime,
) -> Outcome:
    """Return the outcome of a message we may not read; it is tried again when its space is checked again."""
    ledger = _ledger(
        workspace,
        due,
        at,
        state="forbidden",
        code=code,
        reason=reason,
        http_status=http_status,
        next_attempt_at=retry_at,
    )
    return Outcome(ledger=ledger)


def failed(
    workspace: WorkspaceRun,
    due: DueMessage,
    *,
    reason: str,
    http_status: int | None,
    at: datetime,
    code: Reason = Reason.REQUEST_FAILED,
) -> Outcome:
    """Return the outcome of a request that failed for now: later and later, until the attempts are used up."""
    attempts = _count_attempts(due)
    if attempts >= workspace.settings.max_attempts:
        reason = f"given up after {attempts} attempts: {reason}"
        code = Reason.ATTEMPTS_USED_UP
        return Outcome(
            ledger=_ledger(workspace, due, at, state="abandoned", code=code, reason=reason, http_status=http_status)
        )
    wait = min(_RETRY_FIRST * 2 ** min(attempts - 1, 20), _RETRY_MOST)
    ledger = _ledger(
        workspace, due, at, state="retry", code=code, reason=reason, http_status=http_status, next_attempt_at=at + wait
    )
    return Outcome(ledger=ledger)


def listed_only(
    workspace: WorkspaceRun,
    message: Row,
    *,
    space_name: str | None,
    fetched_at: datetime,
    is_asker_pending: bool = False,
) -> Outcome:
    """Return the outcome of a message that stood in a listing without being due; arguments as of `stored`."""
    created_at = _instant(message["created_timestamp"]) or fetched_at
    found = DueMessage(
        workspace_id=workspace.workspace_id,
        message_id=message["message_id"],
        space_id=message["space_id"],
        conversation_id=message["conversation_id"],
        witnessed_date=created_at.date(),
        first_event_time=created_at,
        last_write_event_time=None,
        user_email=None,
        state="pending",
        attempts=0,
        created_date=None,
        is_deletion_seen=False,
        is_absence_seen=False,
    )
    outcome = stored(
        workspace, found, message, space_name=space_name, fetched_at=fetched_at, is_asker_pending=is_asker_pending
    )
    outcome.is_listed_only = True
    outcome.ledger["witnesses"] = ["api:list"]
    return outcome


def count_states(outcomes: list[Outcome]) -> Counter[str]:
    """Return how many outcomes there are by state."""
    return Counter(outcome.ledger["state"] for outcome in outcomes)


def _last_change(details: Row, due: DueMessage, now: datetime) -> datetime:
    """Return when a message last changed: the latest of its creation, its last write in the audit log, and what the API says.

    An instant after `now` was written by a clock that is wrong and does not count; without any other it is `now`.
    """
    said = (details["created_at"], due.last_write_event_time, _instant(details["updated_timestamp"]))
    return max((at for at in said if at is not None and at <= now + CLOCKS_DIFFER_BY), default=now)


def _settle(
    settings: FetchSettings, status: str | None, age: timedelta, now: datetime
) -> tuple[str, Reason | None, str | None, datetime | None]:
    """Return state, its code, its reason and next attempt of a message that last changed `age` ago.

    For example, a message of two weeks ago is regenerated at 12:00, and read at 12:10 while it runs. It changed 10 minutes ago, so it is
    asked again after 5 minutes, at 12:15; then after 7.5 minutes; from the second day on once a day. It is given up `settle_days` after
    12:00.
    """
    if is_terminal(status):
        return "fetched", None, None, None
    if age > timedelta(days=settings.settle_days):
        reason = f"stored, but still {status} {settings.settle_days} days after its last change"
        return "abandoned", Reason.NEVER_FINAL, reason, None
    return "settling", Reason.RUNNING, f"stored while {status}", now + _settle_wait(age)


def _await_asker(
    settings: FetchSettings, age: timedelta, attempts: int, now: datetime
) -> tuple[str, Reason | None, str | None, datetime | None]:
    """Return the same of a final message whose asker is not known, because the directory of users did not answer `attempts` times.

    It is asked for again until `settle_days` after its last change, and an old message `settle_days` times, once a day. Then it stays
    without e-mail.
    """
    if age > timedelta(days=settings.settle_days) and attempts > settings.settle_days:
        return "fetched", None, None, None
    reason = "stored without the e-mail of its asker: the directory of users did not answer"
    return "settling", Reason.ASKER_UNKNOWN, reason, now + _settle_wait(age)


def _settle_wait(age: timedelta) -> timedelta:
    return min(max(age / 2, _SETTLE_LEAST), _SETTLE_MOST)


def _ledger(
    workspace: WorkspaceRun, due: DueMessage, at: datetime, *, state: str, code: Reason | None, reason: str | None, http_status: int | None,
    next_attempt_at: datetime | None = None, created_date: Any = None,
) -> Row:  # fmt: skip
    return {
        "workspace_id": workspace.workspace_id,
        "message_id": due.message_id,
        "space_id": due.space_id,
        "conversation_id": due.conversation_id,
        "witnessed_date": due.witnessed_date,
        "first_event_time": due.first_event_time,
        "last_write_event_time": due.last_write_event_time,
        "witnesses": None,  # the ledger knows the message, and who witnessed it
        "state": state,
        "reason_code": code.value if code else None,
        "state_reason": reason,
        "http_status": http_status,
        "attempts": _count_attempts(due),
        "next_attempt_at": next_attempt_at,
        "last_attempt_at": at,
        "created_date": created_date,
        "updated_at": at,
    }


def _count_attempts(due: DueMessage) -> int:
    """Count this request; one that follows an answer starts anew, so that polling uses nothing up."""
    return (due.attempts if due.state in {"pending", "retry"} else 0) + 1


def _details(
    workspace: WorkspaceRun, message: Row, due: DueMessage, *, space_name: str | None, fetched_at: datetime
) -> Row:
    created_at = _instant(message["created_timestamp"]) or due.first_event_time.astimezone(UTC)
    return {
        **message,
        # The ledger's ids are the identity: an answer that spells them otherwise must not make a second row.
        "workspace_id": workspace.workspace_id,
        "message_id": due.message_id,
        "space_id": due.space_id,
        "conversation_id": due.conversation_id,
        "workspace_name": workspace.workspace_name,
        "space_name": space_name,
        "created_timestamp": message["created_timestamp"] or _milliseconds(created_at),
        "created_at": created_at,
        # The day a row is stored under never changes; without a time from the API it is the day it was witnessed.
        "created_date": due.created_date or (created_at.date() if message["created_timestamp"] else due.witnessed_date),
        "is_terminal": is_terminal(message["status"]),
        "is_deleted": False,
        "api_fetch_timestamp": fetched_at,
        "ingestion_timestamp": fetched_at,
        "ingestion_batch_id": workspace.run_id,
    }


def _deletion_mark(workspace: WorkspaceRun, due: DueMessage, at: datetime) -> Row:
    return {
        "workspace_id": workspace.workspace_id,
        "message_id": due.message_id,
        "created_date": due.created_date,
        "is_terminal": False,
        "is_deleted": True,
        "api_fetch_timestamp": at,
        "ingestion_timestamp": at,
        "ingestion_batch_id": workspace.run_id,
    }


def _instant(milliseconds: int | None) -> datetime | None:
    # From whole milliseconds, not a float: the value must come back exactly.
    return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None


def _milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(milliseconds=1)
