"""What comes of asking for one message: its row for `message_details` and its row for the ledger. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from genie_obs.config import FetchSettings
from genie_obs.datasets.messages.next_state import (
    RETRY_FIRST,
    NextState,
    after_answer,
    after_answer_without_asker,
    after_failure,
    count_attempts,
    last_change,
)
from genie_obs.datasets.messages.parsing.known_values import is_terminal
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.sizes import text_bytes
from genie_obs.ledger.reasons import Reason
from genie_obs.ledger.rows import DueMessage
from genie_obs.ledger.states import RECHECK_AFTER

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
    workspace: WorkspaceRun,
    due: DueMessage,
    message: Row,
    *,
    space_name: str | None,
    fetched_at: datetime,
    is_asker_pending: bool = False,
) -> Outcome:
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
    said = (details["created_at"], due.last_write_event_time, _instant(details["updated_timestamp"]))
    changed_at, settle_days = last_change(said, fetched_at), workspace.settings.settle_days
    if is_terminal(message["status"]) and is_asker_pending:
        state = after_answer_without_asker(due, changed_at=changed_at, now=fetched_at, settle_days=settle_days)
    else:
        state = after_answer(due, message["status"], changed_at=changed_at, now=fetched_at, settle_days=settle_days)
    return Outcome(
        ledger=_ledger(workspace, due, state, fetched_at, http_status=200, created_date=details["created_date"]),
        details=details,
        is_first=due.created_date is None,
        payload_bytes=text_bytes(message.values()),
    )


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
    unheard_of = DueMessage(
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
        is_refusal_seen=False,
    )
    outcome = stored(
        workspace, unheard_of, message, space_name=space_name, fetched_at=fetched_at, is_asker_pending=is_asker_pending
    )
    outcome.is_listed_only = True
    outcome.ledger["witnesses"] = ["api:list"]
    return outcome


def absent(workspace: WorkspaceRun, due: DueMessage, *, at: datetime) -> Outcome:
    """Return the outcome of a 404 in a space we may read: gone if something else says so too, else asked for again.

    The right to read is asked for apart from the message, once per space and run, and may come or go in between. So a 404 counts
    only with a deletion in the audit log, or with a second 404 in a later run.
    """
    if due.is_deletion_seen or due.is_absence_seen:
        return gone(workspace, due, at=at)
    state = NextState(
        state="retry",
        attempts=count_attempts(due),
        code=Reason.ABSENT_ONCE,
        reason=f"{_ABSENT}; asked for once more before it counts as gone",
        next_attempt_at=at + RETRY_FIRST,
    )
    return Outcome(ledger=_ledger(workspace, due, state, at, http_status=404))


def gone(workspace: WorkspaceRun, due: DueMessage, *, at: datetime) -> Outcome:
    """Return the outcome of a message that no longer exists, in a space we may read.

    Its deletion mark has no `created_date` where the ledger has none; `find_stored` settles that.
    """
    is_known = due.created_date is not None or due.is_deletion_seen
    code, reason = (Reason.DELETED, "deleted in Genie") if due.is_deletion_seen else (Reason.ABSENT, _ABSENT)
    name = "deleted" if is_known else "not_found"
    state = NextState(state=name, attempts=count_attempts(due), code=code, reason=reason)
    ledger = _ledger(workspace, due, state, at, http_status=404)
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
    attempts = count_attempts(due)
    state = NextState(state="forbidden", attempts=attempts, code=code, reason=reason, next_attempt_at=retry_at)
    return Outcome(ledger=_ledger(workspace, due, state, at, http_status=http_status))


def withheld(workspace: WorkspaceRun, due: DueMessage, *, said: str, http_status: int | None, at: datetime) -> Outcome:
    """Return the outcome of a message that is refused although CAN MANAGE on its space is proven.

    The refusal may pass, so the message is asked for again after some minutes. If it is refused again in a later run, it is withheld: it
    is private, or not shared with managers. No grant helps.
    """
    quoted = f' (the service: "{said}")' if said else ""
    if due.is_refusal_seen:
        reason = f"refused although CAN MANAGE on the space is held: it is private, or not shared with managers{quoted}"
        return forbidden(
            workspace,
            due,
            code=Reason.WITHHELD,
            reason=reason,
            http_status=http_status,
            at=at,
            retry_at=at + RECHECK_AFTER,
        )
    state = NextState(
        state="retry",
        attempts=count_attempts(due),
        code=Reason.REFUSED_ONCE,
        reason=f"refused although CAN MANAGE on the space is held; asked for once more{quoted}",
        next_attempt_at=at + RETRY_FIRST,
    )
    return Outcome(ledger=_ledger(workspace, due, state, at, http_status=http_status))


def failed(
    workspace: WorkspaceRun,
    due: DueMessage,
    *,
    reason: str,
    http_status: int | None,
    at: datetime,
    code: Reason = Reason.REQUEST_FAILED,
) -> Outcome:
    """Return the outcome of a request that failed for now."""
    state = after_failure(due, code=code, reason=reason, now=at, max_attempts=workspace.settings.max_attempts)
    return Outcome(ledger=_ledger(workspace, due, state, at, http_status=http_status))


def count_states(outcomes: list[Outcome]) -> Counter[str]:
    """Return how many outcomes there are by state."""
    return Counter(outcome.ledger["state"] for outcome in outcomes)


def _ledger(
    workspace: WorkspaceRun,
    due: DueMessage,
    state: NextState,
    at: datetime,
    *,
    http_status: int | None,
    created_date: date | None = None,
) -> Row:
    return {
        "workspace_id": workspace.workspace_id,
        "message_id": due.message_id,
        "space_id": due.space_id,
        "conversation_id": due.conversation_id,
        "witnessed_date": due.witnessed_date,
        "first_event_time": due.first_event_time,
        "last_write_event_time": due.last_write_event_time,
        "witnesses": None,  # the ledger knows the message, and who witnessed it
        "state": state.state,
        "reason_code": state.code.value if state.code else None,
        "state_reason": state.reason,
        "http_status": http_status,
        "attempts": state.attempts,
        "next_attempt_at": state.next_attempt_at,
        "last_attempt_at": at,
        "created_date": created_date,
        "updated_at": at,
    }


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
