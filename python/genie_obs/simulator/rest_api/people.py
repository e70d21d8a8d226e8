"""Answers about users and service principals (SCIM)."""

from genie_obs.simulator.account.user import SimulatedUser
from genie_obs.simulator.rest_api.call import Call
from genie_obs.simulator.rest_api.responses import Response, json_response

_SCIM = "urn:ietf:params:scim"


def get_user(call: Call) -> Response:
    """Answer `get user`. A deleted user and a service principal are no users: 404."""
    user = _find_user(call)
    if user is None or user.application_id is not None:
        return _not_found(f"User with id {call.ids[0]} not found.")
    names = user.name.split(" ")
    return json_response(
        {
            "schemas": [f"{_SCIM}:schemas:core:2.0:User"],
            "id": str(user.user_id),
            "userName": user.email,
            "displayName": user.name,
            "name": {"givenName": names[0], "familyName": names[-1]},
            "emails": [{"type": "work", "value": user.email, "primary": True}],
            "active": True,
        }
    )


def get_service_principal(call: Call) -> Response:
    """Answer `get service principal`; 404 for a person."""
    user = _find_user(call)
    if user is None or user.application_id is None:
        return _not_found(f"Service principal with id {call.ids[0]} not found.")
    return json_response(
        {
            "schemas": [f"{_SCIM}:schemas:core:2.0:ServicePrincipal"],
            "id": str(user.user_id),
            "applicationId": user.application_id,
            "displayName": user.name,
            "active": True,
        }
    )


def get_me(call: Call) -> Response:
    """Answer `who am I`: the observer."""
    observer = call.context.account.observer
    return json_response(
        {"id": str(observer.user_id), "userName": observer.email, "displayName": observer.name, "active": True}
    )


def _find_user(call: Call) -> SimulatedUser | None:
    user = call.context.workspace.users.get(int(call.ids[0])) if call.ids[0].isdecimal() else None
    return None if user is None or user.is_deleted else user


def _not_found(detail: str) -> Response:
    body = {
        "schemas": [f"{_SCIM}:api:messages:2.0:Error"],
        "detail": detail,
        "status": "404",
        "error_code": "RESOURCE_DOES_NOT_EXIST",
    }
    return json_response(body, status=404)
