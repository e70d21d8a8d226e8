"""Answers about conversations, messages, comments and query results."""

from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.space import SimulatedConversation
from genie_obs.simulator.rest_api.call import Call, page_response
from genie_obs.simulator.rest_api.render_message import cached_message
from genie_obs.simulator.rest_api.render_result import statement_response
from genie_obs.simulator.rest_api.render_space import conversation_body
from genie_obs.simulator.rest_api.responses import ApiError, Response, dump, json_response
from genie_obs.simulator.rest_api.spaces import find_space


def _is_own(call: Call, conversation: SimulatedConversation) -> bool:
    return conversation.user is call.context.account.observer


def _find_conversation(call: Call) -> SimulatedConversation:
    space = find_space(call)
    conversation = space.conversations.get(call.ids[1])
    if conversation is None or conversation.deleted or (space.access != "manage" and not _is_own(call, conversation)):
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Conversation {call.ids[1]} does not exist.")
    return conversation


def _messages(call: Call) -> list[SimulatedMessage]:
    return [message for message in _find_conversation(call).messages.values() if not message.deleted]


def _find_message(call: Call) -> SimulatedMessage:
    message = _find_conversation(call).messages.get(call.ids[2])
    if message is None or message.deleted:
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Message {call.ids[2]} does not exist.")
    return message


def list_conversations(call: Call) -> Response:
    """Answer `list conversations`. Without `include_all` it silently shows only those of the caller (docs)."""
    space = find_space(call)
    include_all = call.has_flag("include_all")
    if include_all and space.access != "manage":
        needed = "You need CAN MANAGE permission to list all conversations of this space."
        raise ApiError(403, "PERMISSION_DENIED", needed)  # docs
    visible = [
        row
        for row in space.conversations.values()
        if not row.deleted
        and not row.is_benchmark  # observed: benchmark conversations are not listed
        and (include_all or _is_own(call, row))
    ]
    return page_response(
        call, "conversations", visible, lambda row: row.conversation_id, lambda row: dump(conversation_body(row))
    )


def list_messages(call: Call) -> Response:
    """Answer `list messages` of a conversation."""
    return page_response(call, "messages", _messages(call), lambda row: row.message_id, cached_message)


def get_message(call: Call) -> Response:
    """Answer `get message`."""
    return Response(200, cached_message(_find_message(call)))


def list_message_comments(call: Call) -> Response:
    """Answer `list comments` of a message."""
    return _comments(call, [_find_message(call)])


def list_conversation_comments(call: Call) -> Response:
    """Answer `list comments` of a conversation."""
    return _comments(call, _messages(call))


def _comments(call: Call, messages: list[SimulatedMessage]) -> Response:
    rows = [comment for message in messages for comment in message.comments or ()]
    return page_response(call, "comments", rows, lambda row: str(row["message_comment_id"]))


def get_query_result(call: Call) -> Response:
    """Answer `get query result`: of the attachment in the path or, without one, of the message's last query."""
    message = _find_message(call)
    if message.status not in {"EXECUTING_QUERY", "COMPLETED"}:  # SDK
        problem = f"The result of message {message.message_id} is not available in status {message.status}."
        raise ApiError(400, "INVALID_STATE", problem)
    names = {message.attachment_id(f"query-{index}"): query for index, query in enumerate(message.queries)}
    query = names.get(call.ids[3]) if len(call.ids) > 3 else next(reversed(message.queries), None)
    if query is None or message.is_private:
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", "The message has no such query attachment.")
    return json_response(statement_response(query))
