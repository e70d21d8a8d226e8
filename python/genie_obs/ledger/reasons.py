"""Why a message is in its state: a closed list of codes for programs, each with a sentence for people."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The values of `message_ledger.reason_code`, each with its meaning. The states pending and fetched need no code."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Reason:
        """Make a code that knows what it means."""
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.meaning = meaning
        return reason

    CHANGED = "changed", "settling: an event changed the message after it was last read"
    REREAD = "reread", "pending, settling: somebody asked with genie-obs reread that it is read again"
    RUNNING = "running", "settling: stored while its answer was not final"
    ASKER_UNKNOWN = "asker_unknown", "settling: stored, but the directory of users did not say who asked"
    ABSENT_ONCE = "absent_once", "retry: 404 in a space that can be read; a second 404, in a later run, counts"
    REFUSED_ONCE = (
        "refused_once",
        "retry: refused although CAN MANAGE is proven; a second refusal, in a later run, counts",
    )
    REQUEST_FAILED = "request_failed", "retry: the service did not answer, or not as it should"
    UNREADABLE_ANSWER = "unreadable_answer", "retry: the service answered, and no row could be made of it"
    WORKSPACE_GONE = "workspace_gone", "retry: the account does not list the workspace of the message"
    NO_PERMISSION = "no_permission", "forbidden: a grant on the space is missing"
    SPACE_TRASHED = "space_trashed", "forbidden: the space is in the trash; no grant helps"
    SPACE_DELETED = "space_deleted", "forbidden: the space was deleted; no grant helps"
    WITHHELD = "withheld", "forbidden: refused although CAN MANAGE on the space is proven"
    DELETED = "deleted", "deleted, not_found: the audit log says that it was deleted"
    ABSENT = "absent", "deleted, not_found: it is not there, and nothing says why"
    NEVER_FINAL = "never_final", "abandoned: stored, but its answer did not become final in time"
    ATTEMPTS_USED_UP = "attempts_used_up", "abandoned: never answered in all its attempts"
    ERASED_TEXTS = "erased_texts", "erased: its texts"
    ERASED_TEXTS_AND_ASKER = "erased_texts_and_asker", "erased: its texts, and who asked"
    ERASED_ROW = "erased_row", "erased: its whole row"
