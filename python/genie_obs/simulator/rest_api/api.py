"""The REST API of a workspace: which handler answers, and which audit row a read leaves."""

from collections.abc import Callable

from genie_obs.simulator.instants import MINUTE_US
from genie_obs.simulator.rest_api.benchmark_runs import get_eval_result, get_eval_run, list_eval_results, list_eval_runs
from genie_obs.simulator.rest_api.call import ApiContext, Call
from genie_obs.simulator.rest_api.conversations import (
    get_message,
    get_query_result,
    list_conversation_comments,
    list_conversations,
    list_message_comments,
    list_messages,
)
from genie_obs.simulator.rest_api.people import get_me, get_service_principal, get_user
from genie_obs.simulator.rest_api.responses import ApiError, Request, Response, error_response, json_response
from genie_obs.simulator.rest_api.routes import Route
from genie_obs.simulator.rest_api.spaces import get_permissions, get_space, list_spaces

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
_ID_NAMES = ("space_id", "conversation_id", "message_id")  # of the ids in a path, in order
_READ_DELAY_US = 6 * MINUTE_US


def respond(context: ApiContext, request: Request, route: Route, *, page_fault: str | None = None) -> Response:
    """Return the response to a request. Unknown paths and refusals give responses too."""
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
            response = handler(Call(context, request, route.ids, page_fault))
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
    # SDK: a Config reads this when it is made. Without workspace_id it takes the host for an account console.
    return json_response(
        {
            "oidc_endpoint": base,
            "account_id": context.account.account_id,
            "workspace_id": context.workspace.workspace_id,
            "cloud": "AWS",
        }
    )


def _record_read(context: ApiContext, request: Request, route: Route, response: Response) -> None:
    """Add the audit row of a read by the observer (observed: the reads of an ingester are rows too)."""
    account = context.account
    now_us = account.clock.now_us
    account.record(
        _AUDIT_ACTIONS[route.operation],
        workspace_id=context.workspace.workspace_id,
        user=account.observer,
        at_us=now_us,
        visible_us=now_us + _READ_DELAY_US,
        params=dict(zip(_ID_NAMES, route.ids, strict=False)),
        error=None if response.status == 200 else (response.status, "The request was refused."),
        user_agent=request.user_agent or "",
    )


_HANDLERS: dict[str, Callable[[Call], Response]] = {
    "get_space": get_space,
    "list_spaces": list_spaces,
    "permissions": get_permissions,
    "list_conversations": list_conversations,
    "list_messages": list_messages,
    "get_message": get_message,
    "list_message_comments": list_message_comments,
    "list_conversation_comments": list_conversation_comments,
    "query_result": get_query_result,
    "list_eval_runs": list_eval_runs,
    "get_eval_run": get_eval_run,
    "list_eval_results": list_eval_results,
    "get_eval_result": get_eval_result,
    "scim_user": get_user,
    "scim_service_principal": get_service_principal,
    "scim_me": get_me,
}
