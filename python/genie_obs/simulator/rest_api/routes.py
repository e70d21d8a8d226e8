"""Which operation a path means. It needs no data of the account."""

from typing import NamedTuple
from urllib.parse import unquote

_SPACES = "/api/2.0/genie/spaces"
_SCIM = "/api/2.0/preview/scim/v2/"
_PERMISSIONS = "/api/2.0/permissions/genie/"
_FIXED = {
    ("POST", "/oidc/v1/token"): "token",
    ("GET", "/oidc/.well-known/oauth-authorization-server"): "oidc",
    ("GET", "/oidc/.well-known/openid-configuration"): "oidc",
    ("GET", "/.well-known/databricks-config"): "serving_config",
    ("GET", _SCIM + "Me"): "scim_me",
}
# By the words after …/spaces. `*` stands for an id.
_GENIE = {
    (): "list_spaces",
    ("*",): "get_space",
    ("*", "conversations"): "list_conversations",
    ("*", "conversations", "*", "messages"): "list_messages",
    ("*", "conversations", "*", "messages", "*"): "get_message",
    ("*", "conversations", "*", "messages", "*", "comments"): "list_message_comments",
    ("*", "conversations", "*", "list-comments"): "list_conversation_comments",
    ("*", "conversations", "*", "messages", "*", "attachments", "*", "query-result"): "query_result",
    ("*", "conversations", "*", "messages", "*", "query-result"): "query_result",  # deprecated, still there
    ("*", "conversations", "*", "messages", "*", "query-result", "*"): "query_result",  # deprecated, still there
    ("*", "eval-runs"): "list_eval_runs",
    ("*", "eval-runs", "*"): "get_eval_run",
    ("*", "eval-runs", "*", "results"): "list_eval_results",
    ("*", "eval-runs", "*", "results", "*"): "get_eval_result",
}
_ID_POSITIONS = {0, 2, 4, 6}  # of the words after …/spaces/
OPERATIONS = tuple(
    dict.fromkeys([*_FIXED.values(), *_GENIE.values(), "permissions", "scim_user", "scim_service_principal", "unknown"])
)


class Route(NamedTuple):
    """An operation, and the ids in its path in order."""

    operation: str
    ids: tuple[str, ...] = ()


UNKNOWN = Route("unknown")


def find_route(method: str, path: str) -> Route:
    """Return the route of a request. It is `unknown` if the simulator has no such endpoint."""
    if path.startswith(_SPACES) and method == "GET":
        return _genie_route(path)
    if (method, path) in _FIXED:
        return Route(_FIXED[method, path])
    if method != "GET":
        return UNKNOWN
    for prefix, operation in (
        (_PERMISSIONS, "permissions"),
        (_SCIM + "Users/", "scim_user"),
        (_SCIM + "ServicePrincipals/", "scim_service_principal"),
    ):
        rest = path.removeprefix(prefix)
        if rest != path and rest and "/" not in rest:
            return Route(operation, (unquote(rest),))
    return UNKNOWN


def _genie_route(path: str) -> Route:
    rest = path[len(_SPACES) :]
    if not rest:
        return Route("list_spaces")
    words = rest.split("/")[1:]
    if rest[0] != "/" or not all(words):
        return UNKNOWN
    shape = tuple("*" if index in _ID_POSITIONS else word for index, word in enumerate(words))
    operation = _GENIE.get(shape)
    if operation is None:
        return UNKNOWN
    return Route(operation, tuple(unquote(word) for index, word in enumerate(words) if index in _ID_POSITIONS))
