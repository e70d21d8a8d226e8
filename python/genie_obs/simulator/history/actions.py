"""Audit actions that no operation of the account writes. Each occurs a few times, so that every known name occurs."""

import random

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.user import SimulatedUser
from genie_obs.simulator.ids import child_id
from genie_obs.simulator.instants import HOUR_US, MINUTE_US

# observed: action names of `aibiGenie` in live accounts. The prefix `genie` means the public API, no prefix means the UI.
_ON_MESSAGES = (
    "cancelMessage", "updateMessageAttachment", "executeMessageQuery", "genieExecuteMessageQuery",
    "genieExecuteMessageAttachmentQuery", "executeFullQueryResult", "genieGenerateDownloadFullQueryResult",
    "summarizeSqlExecutionResults", "getMessageQueryResult", "genieGetMessageQueryResult",
    "genieGetMessageAttachmentQueryResult", "genieGetQueryResultByAttachment",
    "listConversationMessageComments", "deleteConversationMessageComment",
)  # fmt: skip
_ON_CONVERSATIONS = (
    "updateConversation",
    "getConversation",
    "genieListConversationMessages",
    "listGenieSpaceUserMessages",
)
_ON_SPACES = (
    "executeQuery", "getQueryResult", "listConversations", "genieListConversations", "genieGetSpace",
    "updateGenieColumnConfigs", "createInstruction", "updateInstruction", "deleteInstruction",
    "listInstructions", "createCuratedQuestion", "deleteCuratedQuestion", "listCuratedQuestions", "createFile",
    "listFiles", "deleteFile", "getEvaluationRun", "cancelEvaluationRun", "resumeEvaluationRun",
    "createEvaluationResult", "getEvaluationResult", "updateEvaluationResult", "getEvaluationResultDetails",
    "listEvaluationResults", "startBenchmarkSuggestions",
)  # fmt: skip
_ON_DEAD_SPACES = ("trashSpace", "genieTrashSpace")
_OLD_AGENT = "genie-obs/0.0.9 aiohttp/3.12"


def add_remaining_actions(account: SimulatedAccount, messages: list[SimulatedMessage], rng: random.Random) -> None:
    """Add the actions that are still missing, on messages, conversations and spaces that exist."""
    for action in _ON_MESSAGES:
        for message in rng.sample(messages, min(2, len(messages))):
            _add(account, action, message, message.user, rng)
    for action in _ON_CONVERSATIONS + _ON_SPACES:
        message = rng.choice(messages)
        at_us = _later(account, message, rng)
        account.record(
            action,
            workspace_id=message.workspace_id,
            space_id=message.space_id,
            conversation_id=message.conversation_id if action in _ON_CONVERSATIONS else None,
            user=message.user,
            at_us=at_us,
            visible_us=at_us + 4 * MINUTE_US,
        )
    for action in _ON_DEAD_SPACES:
        message = rng.choice(messages)
        at_us = _later(account, message, rng)
        dead = child_id(message.space_id, action)
        account.record(
            action,
            workspace_id=message.workspace_id,
            space_id=dead,
            user=None,
            at_us=at_us,
            visible_us=at_us + 4 * MINUTE_US,
        )


def add_own_reads(account: SimulatedAccount, messages: list[SimulatedMessage], rng: random.Random) -> None:
    """Add the reads of an earlier observer. Only identity and user agent tell them from the reads of others (observed)."""
    for message in rng.sample(messages, min(len(messages), max(1, len(messages) // 20))):
        _add(account, "genieGetConversationMessage", message, account.observer, rng, user_agent=_OLD_AGENT)


def _add(
    account: SimulatedAccount,
    action: str,
    message: SimulatedMessage,
    user: SimulatedUser | None,
    rng: random.Random,
    *,
    user_agent: str | None = None,
) -> None:
    at_us = _later(account, message, rng)
    account.record(
        action, message=message, user=user, at_us=at_us, visible_us=at_us + 4 * MINUTE_US, user_agent=user_agent
    )


def _later(account: SimulatedAccount, message: SimulatedMessage, rng: random.Random) -> int:
    return min(message.created_us + rng.randrange(10 * MINUTE_US, 30 * HOUR_US), account.clock.now_us - 6 * MINUTE_US)
