"""The workspaces' REST API: from request to response, without any network.

"docs", "SDK" and "observed" in comments say where a behaviour is known from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.message import (
    SimulatedConversation,
    SimulatedMessage,
    SimulatedSpace,
    SimulatedWorkspace,
)
from genie_obs.simulator.ids import MINUTE_US
from genie_obs.simulator.rest_api.paging import take_page
from genie_obs.simulator.rest_api.render_message import (
    cached_message,
    conversation_body,
    dump,
    space_body,
    statement_response,
)
from genie_obs.simulator.rest_api.responses import ApiError, Request, Response, error_response, json_response
from genie_obs.simulator.rest_api.routes import Route
from genie_obs.simulator.rest_api.tokens import TokenIssuer

OPEN_OPERATIONS = {"token", "oidc", "serving_config"}  # need no token and are never limited
_AUDIT_ACTIONS = {
    "get_space": "genieGetSpace",
    "list_spaces": "genieListSpaces",
    "list_conversations": "genieListConversations",
    "list_messages": "genieListConversationMessages",
    "get_message": "genieGetConversationMessage",
    "query_result": "genieGetMessageAttachmentQueryResult",
    "list_message_comments": "listConversationMessageComments",
    "list_eval_runs": "listEvaluationRuns",
}
_READ_DELAY_US = 6 * MINUTE_US


@dataclass(slots=True)
class ApiContext:
    """One workspace as its clients see it."""

    account: SimulatedAccount
    workspace: SimulatedWorkspace
    tokens: TokenIssuer
    audit_reads: bool = True


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that has passed authentication."""

    context: ApiContext
    request: Request
    ids: tuple[str, ...]
    page_fault: str | None


def respond(context: ApiContext, request: Request, route: Route, *, page_fault: str | None = None) -> Response:
    """Return the answer to a request; unknown paths and refusals are answers too."""
    if route.operation in OPEN_OPERATIONS:
        return _respond_open(context, request, route)
    handler = _HANDLERS.get(route.operation)
    if handler is None:
        return error_response(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.path}'")
    refusal = context.tokens.refuse(context.workspace, request.authorization)
    if refusal is not None:
        return refusal
    with context.account.lock:
        try:
            response = handler(_Call(context, request, route.ids, page_fault))
        except ApiError as error:
            response = error.response
        if context.audit_reads and route.operation in _AUDIT_ACTIONS:
            _record_read(context, request, route, response)
    return response


def _respond_open(context: ApiContext, request: Request, route: Route) -> Response:
    if route.operation == "token":
        return context.tokens.answer(context.workspace, request.authorization, request.body)
    base = f"{request.host}/oidc"
    if route.operation == "oidc":
        return json_response(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/v1/authorize",
                "token_endpoint": f"{base}/v1/token",
                "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "scopes_supported": ["all-apis", "genie", "offline_access"],
            }
        )
    # SDK: read when a Config is made; without workspace_id the host would count as an account console
    return json_response(
        {
            "oidc_endpoint": base,
            "account_id": context.account.account_id,
            "workspace_id": context.workspace.workspace_id,
            "cloud": "AWS",
        }
    )


def _record_read(context: ApiContext, request: Request, route: Route, response: Response) -> None:
    """Leave the audit row of an observer's read (observed: an ingester's own GETs are rows too)."""
    account = context.account
    now_us = account.clock.now_us
    names = ("space_id", "conversation_id", "message_id")
    account.record(
        _AUDIT_ACTIONS[route.operation],
        workspace_id=context.workspace.workspace_id,
        user=account.observer,
        at_us=now_us,
        visible_us=now_us + _READ_DELAY_US,
        params=dict(zip(names, route.ids, strict=False))
        if route.operation != "list_eval_runs"
        else {"space_id": route.ids[0]},
        error=None if response.status == 200 else (response.status, "The request was refused."),
        user_agent=request.user_agent or "",
    )


# -- spaces ---------------------------------------------------------------------------------------------------------------------------


def _space(call: _Call) -> SimulatedSpace:
    space_id = call.ids[0]
    space = call.context.workspace.spaces.get(space_id)
    if space is None or space.trashed or space.access == "hidden":
        # observed: 404 in place of 403 where the permission is missing (databricks-sdk-py issue 1073)
        message = (
            f"Unable to get space [{space_id}]. Node with resource name Some(datarooms/{space_id}) does not exist."
        )
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)
    if space.access == "forbidden":
        raise ApiError(403, "PERMISSION_DENIED", f"You need CAN RUN permission on space {space_id}.")
    return space


def _get_space(call: _Call) -> Response:
    space = _space(call)
    serialized = call.request.query.get("include_serialized_space", "").lower() == "true"
    if serialized and space.access != "manage":
        raise ApiError(403, "PERMISSION_DENIED", "You need CAN EDIT permission to export this space.")  # docs
    return json_response(space_body(space, serialized=serialized))


def _list_spaces(call: _Call) -> Response:
    reachable = [
        space
        for space in call.context.workspace.spaces.values()
        if not space.trashed and space.access in {"manage", "can_run"}
    ]
    page, token = take_page(
        reachable, lambda space: space.space_id, call.request.query, name="spaces", fault=call.page_fault
    )
    return _list_response("spaces", [dump(space_body(space, serialized=False)) for space in page], token)


def _permissions(call: _Call) -> Response:
    space = _space(call)
    if space.access != "manage":
        raise ApiError(403, "PERMISSION_DENIED", "You need CAN MANAGE permission to see permissions.")
    entries: list[tuple[str, str, str]] = [("user_name", space.owner.email, "CAN_MANAGE")]
    entries.append(("service_principal_name", call.context.account.client_id, "CAN_MANAGE"))
    entries.extend(
        ("service_principal_name" if user.application_id else "user_name", user.email, "CAN_RUN")
        for user in space.audience
    )
    rows = [
        {kind: name, "display_name": name, "all_permissions": [{"permission_level": level, "inherited": False}]}
        for kind, name, level in dict.fromkeys(entries)
    ]
    return json_response(
        {"object_id": f"/genie/{space.space_id}", "object_type": "genie-space", "access_control_list": rows}
    )


# -- conversations and messages -------------------------------------------------------------------------------------------------------


def _is_own(call: _Call, conversation: SimulatedConversation) -> bool:
    return conversation.user is call.context.account.observer


def _conversation(call: _Call) -> SimulatedConversation:
    space = _space(call)
    conversation = space.conversations.get(call.ids[1])
    if conversation is None or conversation.deleted or (space.access != "manage" and not _is_own(call, conversation)):
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Conversation {call.ids[1]} does not exist.")
    return conversation


def _message(call: _Call) -> SimulatedMessage:
    message = _conversation(call).messages.get(call.ids[2])
    if message is None or message.deleted:
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Message {call.ids[2]} does not exist.")
    return message


def _list_conversations(call: _Call) -> Response:
    space = _space(call)
    include_all = call.request.query.get("include_all", "").lower() == "true"
    if include_all and space.access != "manage":
        raise ApiError(
            403, "PERMISSION_DENIED", "You need CAN MANAGE permission to list all conversations of this space."
        )  # docs
    visible = [
        row
        for row in space.conversations.values()
        if not row.deleted
        and not row.is_benchmark  # observed: benchmark conversations are not listed
        and (include_all or _is_own(call, row))  # docs: without include_all the caller's own, silently
    ]
    page, token = take_page(
        visible, lambda row: row.conversation_id, call.request.query, name="conversations", fault=call.page_fault
    )
    return _list_response("conversations", [dump(conversation_body(row)) for row in page], token)


def _list_messages(call: _Call) -> Response:
    messages = [message for message in _conversation(call).messages.values() if not message.deleted]
    page, token = take_page(
        messages, lambda row: row.message_id, call.request.query, name="messages", fault=call.page_fault
    )
    return _list_response("messages", [cached_message(message) for message in page], token)


def _get_message(call: _Call) -> Response:
    return Response(200, cached_message(_message(call)))


def _list_response(name: str, items: list[bytes], token: str | None) -> Response:
    tail = b"]}" if token is None else b'],"next_page_token":' + dump(token) + b"}"
    return Response(200, b'{"' + name.encode() + b'":[' + b",".join(items) + tail)


# -- comments and results -------------------------------------------------------------------------------------------------------------


def _comments(call: _Call, messages: list[SimulatedMessage]) -> Response:
    rows = [comment for message in messages for comment in message.comments or ()]
    page, token = take_page(
        rows, lambda row: str(row["message_comment_id"]), call.request.query, name="comments", fault=call.page_fault
    )
    return _list_response("comments", [dump(row) for row in page], token)


def _list_message_comments(call: _Call) -> Response:
    return _comments(call, [_message(call)])


def _list_conversation_comments(call: _Call) -> Response:
    return _comments(call, [message for message in _conversation(call).messages.values() if not message.deleted])


def _query_result(call: _Call) -> Response:
    message = _message(call)
    if message.status not in {"EXECUTING_QUERY", "COMPLETED"}:  # SDK
        raise ApiError(
            400,
            "INVALID_STATE",
            f"The result of message {message.message_id} is not available in status {message.status}.",
        )
    names = {message.attachment_id(f"query-{index}"): query for index, query in enumerate(message.queries)}
    query = names.get(call.ids[3]) if len(call.ids) > 3 else next(reversed(message.queries), None)
    if query is None or message.is_private:
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", "The message has no such query attachment.")
    return json_response(statement_response(query))


# -- benchmark runs -------------------------------------------------------------------------------------------------------------------


def _list_eval_runs(call: _Call) -> Response:
    page, token = take_page(
        _space(call).eval_runs,
        lambda row: str(row["eval_run_id"]),
        call.request.query,
        name="eval_runs",
        fault=call.page_fault,
    )
    return _list_response("eval_runs", [dump(row) for row in page], token)


def _get_eval_run(call: _Call) -> Response:
    return json_response(_find(_space(call).eval_runs, "eval_run_id", call.ids[1]))


def _eval_results(call: _Call) -> list[dict[str, Any]]:
    _find(_space(call).eval_runs, "eval_run_id", call.ids[1])
    return _space(call).eval_results[call.ids[1]]


def _list_eval_results(call: _Call) -> Response:
    names = (
        "result_id",
        "space_id",
        "benchmark_question_id",
        "question",
        "benchmark_answer",
        "created_by_user",
        "status",
    )
    rows = [{name: row[name] for name in names} for row in _eval_results(call)]
    page, token = take_page(
        rows, lambda row: str(row["result_id"]), call.request.query, name="eval_results", fault=call.page_fault
    )
    return _list_response("eval_results", [dump(row) for row in page], token)


def _get_eval_result(call: _Call) -> Response:
    return json_response(_find(_eval_results(call), "result_id", call.ids[2]))


def _find(rows: list[dict[str, Any]], name: str, value: str) -> dict[str, Any]:
    for row in rows:
        if row[name] == value:
            return row
    raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"No {name} {value}.")


# -- people ---------------------------------------------------------------------------------------------------------------------------


def _scim_error(status: int, detail: str) -> Response:
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "detail": detail,
        "status": str(status),
        "error_code": "RESOURCE_DOES_NOT_EXIST",
    }
    return json_response(body, status=status)


def _scim_user(call: _Call) -> Response:
    user = call.context.workspace.users.get(int(call.ids[0])) if call.ids[0].isdecimal() else None
    if user is None or user.is_deleted or user.application_id is not None:
        return _scim_error(404, f"User with id {call.ids[0]} not found.")
    return json_response(
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": str(user.user_id),
            "userName": user.email,
            "displayName": user.name,
            "name": {"givenName": user.name.split(" ")[0], "familyName": user.name.split(" ")[-1]},
            "emails": [{"type": "work", "value": user.email, "primary": True}],
            "active": True,
        }
    )


def _scim_service_principal(call: _Call) -> Response:
    user = call.context.workspace.users.get(int(call.ids[0])) if call.ids[0].isdecimal() else None
    if user is None or user.is_deleted or user.application_id is None:
        return _scim_error(404, f"Service principal with id {call.ids[0]} not found.")
    body = {"id": str(user.user_id), "applicationId": user.application_id, "displayName": user.name, "active": True}
    return json_response({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"], **body})


def _scim_me(call: _Call) -> Response:
    observer = call.context.account.observer
    return json_response(
        {"id": str(observer.user_id), "userName": observer.email, "displayName": observer.name, "active": True}
    )


_HANDLERS: dict[str, Callable[[_Call], Response]] = {
    "get_space": _get_space,
    "list_spaces": _list_spaces,
    "permissions": _permissions,
    "list_conversations": _list_conversations,
    "list_messages": _list_messages,
    "get_message": _get_message,
    "list_message_comments": _list_message_comments,
    "list_conversation_comments": _list_conversation_comments,
    "query_result": _query_result,
    "list_eval_runs": _list_eval_runs,
    "get_eval_run": _get_eval_run,
    "list_eval_results": _list_eval_results,
    "get_eval_result": _get_eval_result,
    "scim_user": _scim_user,
    "scim_service_principal": _scim_service_principal,
    "scim_me": _scim_me,
}
