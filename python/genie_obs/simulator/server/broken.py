"""Responses that fault rules give in place of the real ones."""

import functools
import itertools
import zlib

from genie_obs.simulator.rest_api.responses import Response, error_response
from genie_obs.simulator.server.faults import FaultRule
from genie_obs.simulator.server.refusals import REFUSALS

_BOMB_BYTES = 128 << 20
_HTML = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def broken_response(fault: FaultRule) -> Response:
    """Return the response that a fault rule gives in place of the real one."""
    if fault.refusal is not None:
        return REFUSALS[fault.refusal].response()
    match fault.action:
        case "invalid_json":
            response = Response(200, b'{"messages": [{"message_id": ')
        case "html_502":
            response = _page(502, "502 Bad Gateway")
        case "html_404":
            response = _page(404, "404 Not Found")
        case "wrong_content_type":
            response = _page(200, "Sign in to continue")
        case "gzip_bomb":
            response = Response(200, _gzip_bomb(), {"Content-Encoding": "gzip"})
        case "redirect":
            location = fault.location or "https://login.invalid/oidc/authorize"
            response = Response(302, b"", {"Location": location}, content_type="text/html")
        case "expire_token":
            response = error_response(401, "UNAUTHENTICATED", "Token is expired")
        case _:
            response = _refusal(fault.status or 500)
    return response


def _page(status: int, title: str) -> Response:
    return Response(status, _HTML.format(title=title).encode(), content_type="text/html; charset=utf-8")


def _refusal(status: int) -> Response:
    return error_response(status, _CODES.get(status, "INTERNAL_ERROR"), f"Simulated failure with status {status}.")


@functools.cache
def _gzip_bomb() -> bytes:
    member = zlib.compressobj(wbits=31)
    blanks = bytes(_BOMB_BYTES // 128).replace(b"\0", b" ")
    parts = (b'{"messages": [], "padding": "', *itertools.repeat(blanks, 128), b'"}')
    return b"".join(map(member.compress, parts)) + member.flush()
