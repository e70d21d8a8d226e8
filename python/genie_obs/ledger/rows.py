"""Rows of the ledger as the steps of a run pass them on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from genie_obs.lakehouse.arrow_rows import Row

Key = tuple[str, str]


def key_of(row: Row) -> Key:
    """Return the key of a message: workspace_id and message_id."""
    return row["workspace_id"], row["message_id"]


@dataclass(slots=True, kw_only=True)
class DueMessage:
    """A ledger row whose message is due."""

    workspace_id: str
    message_id: str
    space_id: str
    conversation_id: str
    witnessed_date: date
    first_event_time: datetime
    last_write_event_time: datetime | None  # the newest write known when the message was found due
    user_email: str | None
    state: str
    attempts: int
    created_date: date | None  # set if the message is already stored
    is_deletion_seen: bool
    is_absence_seen: bool  # the last answer was a 404 in a space we may read
    is_refusal_seen: (
        bool  # the last answer was a 403 although we may read the space, or the message was withheld before
    )


@dataclass(slots=True, frozen=True, kw_only=True)
class ConversationSize:
    """What the ledger knows of a conversation with several due messages."""

    message_count: int = 0
    final_message_ids: frozenset[str] = frozenset()


ConversationSizes = Mapping[tuple[str, str], ConversationSize]  # by (workspace_id, conversation_id)
