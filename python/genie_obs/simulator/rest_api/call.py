"""A request of one client to one workspace, as the handlers see it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.workspace import SimulatedWorkspace
from genie_obs.simulator.rest_api.paging import take_page
from genie_obs.simulator.rest_api.responses import Request, Response, dump
from genie_obs.simulator.rest_api.tokens import TokenIssuer

T = TypeVar("T")


@dataclass(slots=True)
class ApiContext:
    """One workspace as its clients see it."""

    account: SimulatedAccount
    workspace: SimulatedWorkspace
    tokens: TokenIssuer
    audit_reads: bool = True  # whether reads leave audit rows


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has passed authentication."""

    context: ApiContext
    request: Request
    ids: tuple[str, ...]  # in the path, in order
    page_fault: str | None

    def has_flag(self, name: str) -> bool:
        """Return whether a query parameter is `true`."""
        return self.request.query.get(name, "").lower() == "true"


def page_response(
    call: Call, name: str, rows: Sequence[T], key: Callable[[T], str], render: Callable[[T], bytes] = dump
) -> Response:
    """Return the page of `rows` that the request asks for, as the list `name`.

    `key` gives the id of a row, which decides its place. `render` gives its JSON.

    Raises:
        ApiError: 400, if the page size or the page token is wrong.
    """
    page, token = take_page(rows, key, call.request.query, name=name, fault=call.page_fault)
    tail = b"]}" if token is None else b'],"next_page_token":' + dump(token) + b"}"
    return Response(200, b'{"' + name.encode() + b'":[' + b",".join(render(row) for row in page) + tail)
