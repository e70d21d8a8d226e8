"""Why a message is in its state: a closed list of codes, for machines; the sentences beside them are for people."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The values of `message_ledger.reason_code`. A state that explains itself has none: pending, fetched."""

    # settling: stored, and asked for again
    CHANGED = "changed"  # an event changed it after it was last read
    RUNNING = "running"  # its answer was not final
    ASKER_UNKNOWN = "asker_unknown"  # the directory of users did not answer
    # retry: asked for again
    ABSENT_ONCE = "absent_once"  # one 404 in a space that can be read; a second one, in a later run, counts
    REQUEST_FAILED = "request_failed"  # the service did not answer, or not as it should
    UNREADABLE_ANSWER = "unreadable_answer"  # it answered, and we could not make a row of it
    WORKSPACE_GONE = "workspace_gone"  # the account no longer lists its workspace
    # forbidden
    NO_PERMISSION = "no_permission"  # a grant on its space is missing
    WITHHELD = "withheld"  # refused although CAN MANAGE is proven
    # deleted, not_found
    DELETED = "deleted"  # the audit log says so
    ABSENT = "absent"  # it is not there, and nothing says why
    # abandoned
    NEVER_FINAL = "never_final"  # stored, and its answer did not become final in time
    ATTEMPTS_USED_UP = "attempts_used_up"  # never answered
    # erased
    ERASED_TEXTS = "erased_texts"
    ERASED_TEXTS_AND_ASKER = "erased_texts_and_asker"
    ERASED_ROW = "erased_row"
