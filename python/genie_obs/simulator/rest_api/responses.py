"""Requests and responses as plain data."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Response:
    """What a client gets, unless a fault rule spoils it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """The parts of a request that the handlers need."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str | None = None
    user_agent: str | None = None
    body: bytes = b""
    host: str = ""  # scheme and authority under which the client sees the workspace


class ApiError(Exception):
    """A refusal in the shape of the Databricks REST API."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.response = error_response(status, code, message)


def dump(body: Any) -> bytes:
    """Return compact JSON in UTF-8. Characters beyond ASCII are not escaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def json_response(body: Any, *, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(status, dump(body))


def error_response(status: int, code: str, message: str) -> Response:
    """Return an error with `error_code` and `message`."""
    return json_response({"error_code": code, "message": message}, status=status)
