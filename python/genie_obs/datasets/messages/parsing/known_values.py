"""Closed lists of a message's values, as far as this version knows them; what is in none of them is told as drift.

From databricks-sdk, module `dashboards`, unless said otherwise.
"""

import re

from genie_obs.lakehouse.statements import load_view

TERMINAL_STATUSES = frozenset({"COMPLETED", "FAILED", "CANCELLED", "QUERY_RESULT_EXPIRED"})
"""Statuses after which the answer no longer changes by itself (`TERMINAL_STATES` of databricks-ai-bridge)."""

# MessageStatus
KNOWN_STATUSES = TERMINAL_STATUSES | {
    "SUBMITTED",
    "FETCHING_METADATA",
    "FILTERING_CONTEXT",
    "ASKING_AI",
    "PENDING_WAREHOUSE",
    "EXECUTING_QUERY",
    "IN_PROGRESS",  # only in the examples of the conversation API's documentation
}

# MessageErrorType: the one list of them is a view of BI, which says for each its cause and what to do.
KNOWN_ERROR_TYPES = frozenset(re.findall(r"^ +\('([A-Z_]+)',", load_view("error_types"), re.MULTILINE))
KNOWN_RATINGS = frozenset({"POSITIVE", "NEGATIVE", "NONE"})  # GenieFeedbackRating
FOLLOW_UP_QUESTION = "FOLLOW_UP_QUESTION"
# TextAttachmentPurpose
KNOWN_PURPOSES = frozenset({FOLLOW_UP_QUESTION, "TEXT_ATTACHMENT_PURPOSE_ANSWER"})
# GenieMessage, and what the service sends beyond it
KNOWN_FIELDS = frozenset(
    """
    message_id id conversation_id space_id content status user_id created_timestamp last_updated_timestamp attachments
    feedback error query_result auto_regenerate_count
    """.split()  # noqa: SIM905
)
# GenieAttachment
KNOWN_ATTACHMENT_KINDS = frozenset({"query", "text", "suggested_questions", "viz"})


def is_terminal(status: str | None) -> bool:
    """Return whether the answer is final; a status nobody knows yet is not."""
    return status in TERMINAL_STATUSES
