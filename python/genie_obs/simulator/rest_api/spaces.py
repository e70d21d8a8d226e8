"""Answers about spaces."""

from typing import Any

from genie_obs.simulator.account.space import SimulatedSpace
from genie_obs.simulator.rest_api.call import Call, page_response
from genie_obs.simulator.rest_api.render_space import space_body
from genie_obs.simulator.rest_api.responses import ApiError, Response, dump, json_response


def find_space(call: Call) -> SimulatedSpace:
    """Return the space of the call.

    Raises:
        ApiError: 404 if there is no such space or it is hidden, 403 if the observer may not run it.
    """
    space_id = call.ids[0]
    space = call.context.workspace.spaces.get(space_id)
    if space is None or space.trashed or space.access == "hidden":
        # observed: 404 in place of 403 where the permission is missing (databricks-sdk-py issue 1073)
        node = f"Node with resource name Some(datarooms/{space_id}) does not exist."
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Unable to get space [{space_id}]. {node}")
    if space.access == "forbidden":
        raise ApiError(403, "PERMISSION_DENIED", f"You need CAN RUN permission on space {space_id}.")
    return space


def get_space(call: Call) -> Response:
    """Answer `get space`; the exported space is part of it if the request asks for it."""
    space = find_space(call)
    serialized = call.has_flag("include_serialized_space")
    if serialized and space.access != "manage":
        raise ApiError(403, "PERMISSION_DENIED", "You need CAN EDIT permission to export this space.")  # docs
    return json_response(space_body(space, serialized=serialized))


def list_spaces(call: Call) -> Response:
    """Answer `list spaces` with those that the observer may read."""
    readable = [
        space
        for space in call.context.workspace.spaces.values()
        if not space.trashed and space.access in {"manage", "can_run"}
    ]
    return page_response(
        call, "spaces", readable, lambda space: space.space_id, lambda space: dump(space_body(space, serialized=False))
    )


def get_permissions(call: Call) -> Response:
    """Answer `get permissions` of a space."""
    space = find_space(call)
    if space.access != "manage":
        raise ApiError(403, "PERMISSION_DENIED", "You need CAN MANAGE permission to see permissions.")
    entries = [
        ("user_name", space.owner.email, "CAN_MANAGE"),
        ("service_principal_name", call.context.account.client_id, "CAN_MANAGE"),
        *(
            ("service_principal_name" if user.application_id else "user_name", user.email, "CAN_RUN")
            for user in space.audience
        ),
    ]
    rows = [_permission(*entry) for entry in dict.fromkeys(entries)]
    return json_response(
        {"object_id": f"/genie/{space.space_id}", "object_type": "genie-space", "access_control_list": rows}
    )


def _permission(kind: str, name: str, level: str) -> dict[str, Any]:
    return {kind: name, "display_name": name, "all_permissions": [{"permission_level": level, "inherited": False}]}
