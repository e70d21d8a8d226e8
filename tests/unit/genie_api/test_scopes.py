"""Whether a refusal is about a call or about the whole workspace: told by asking again, in whatever words it is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web
from tests.unit.fakes import Handler
from tests.unit.genie_api.test_api import HASTY, MESSAGE, PROOF, TOKEN_PATH, Workspace, fetch, hold, run

from genie_obs.errors import (
    ApiError,
    NotFoundError,
    PermissionDeniedError,
    TransientApiError,
    WorkspaceError,
    WorkspaceRefusedError,
    WorkspaceUnreachableError,
)

Reply = Callable[[web.BaseRequest], web.StreamResponse]
HANDFUL = 8  # requests, those for tokens apart


def json(status: int, body: object, **headers: str) -> Reply:
    return lambda _: web.json_response(body, status=status, headers=headers)


def page(status: int, title: str) -> Reply:
    text = f"<html><head><title>{title}</title></head></html>"
    return lambda _: web.Response(text=text, status=status, content_type="text/html")


def always(reply: Reply) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return reply(request)

    return handle


def by_path(**replies: Reply) -> Handler:
    """Answer messages, the listing and everything else differently."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path_qs == PROOF:
            return replies["listing"](request)
        return replies["messages" if "/messages" in request.path else "others"](request)

    return handle


def with_token(number: int, good: Reply, bad: Reply) -> Reply:
    """Accept only tokens from this number on."""

    def reply(request: web.BaseRequest) -> web.StreamResponse:
        return (good if int(request.headers["Authorization"].rpartition("-")[2]) >= number else bad)(request)

    return reply


async def error_of(workspace: Workspace) -> Exception:
    with pytest.raises((ApiError, WorkspaceError)) as caught:
        await fetch(workspace)
    return caught.value


IP_WORDS = "Source IP address: 203.0.113.9 is blocked by Databricks IP ACL"
WORKSPACE_REFUSALS = {
    "IP list, number": (json(403, {"error_code": 403, "message": IP_WORDS}), "network"),
    "IP list, name": (json(403, {"error_code": "PERMISSION_DENIED", "message": "Your IP is not in the IP access list"}), "network"),
    "private access": (json(403, {"error_code": "403", "message": "Public access is not allowed for workspace: 42"}), "network"),
    "network policy": (json(403, {"message": "Request denied by ingress network policy"}), "network"),
    "unknown words": (json(403, {"error_code": "X_9", "message": "Zugriff von hier aus nicht gestattet"}), "no_access"),
    "no words": (json(403, {}), "no_access"),
    "unauthorized": (json(401, {"error_code": "UNAUTHENTICATED", "message": "no"}), "token"),
    "token in 403": (json(403, {"error_code": 403, "message": "Invalid access token."}), "token"),
    "feature disabled": (json(404, {"error_code": "FEATURE_DISABLED", "message": "Genie is off"}), "not_enabled"),
    "no API": (json(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found for 'GET /genie'"}), "not_enabled"),
    "preview": (json(400, {"error_code": "BAD_REQUEST", "message": "The preview is not enabled"}), "not_enabled"),
    "gone": (json(410, {"message": "This workspace is no more"}), "no_access"),
    "sign-in page": (page(200, "Sign in to Databricks"), "web_page"),
    "sign-in redirect": (lambda _: web.Response(status=303, headers={"Location": "/login.html"}), "web_page"),
    "proxy's 403": (page(403, "Blocked by the firewall"), "web_page"),
    "proxy's 407": (page(407, "Proxy authentication"), "web_page"),
    "another product": (json(200, {"status": "ok"}), "not_genie"),
    "an empty object": (json(200, {"things": []}), "not_genie"),
    "only 500": (json(500, {"error_code": "INTERNAL_ERROR", "message": "down"}), "server"),
    "only 503": (page(503, "Service unavailable"), "server"),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKSPACE_REFUSALS)
@pytest.mark.parametrize("due_count", [1, 200])
def test_workspace_that_refuses_everything_is_given_up_after_a_handful_of_calls(name: str, due_count: int) -> None:
    reply, cause = WORKSPACE_REFUSALS[name]

    async def scenario(workspace: Workspace) -> None:
        errors = await asyncio.gather(*(error_of(workspace) for _ in range(due_count)))
        assert {type(error) for error in errors} == {WorkspaceRefusedError}
        assert {getattr(error, "cause", None) for error in errors} == {cause}
        assert len(workspace.api_paths()) <= HANDFUL
        assert workspace.tokens.requests <= 3

    run(always(reply), scenario, is_alive=False)


def test_what_the_service_says_is_quoted_and_what_to_do_follows() -> None:
    async def scenario(workspace: Workspace) -> None:
        error = await error_of(workspace)
        assert isinstance(error, WorkspaceError)
        assert (
            error.problem
            == 'refuses this network: 403 "Source IP address: 203.0.113.9 is blocked by Databricks IP ACL"'
        )
        assert error.fix.startswith("Allow the job's outgoing addresses")

    run(always(WORKSPACE_REFUSALS["IP list, number"][0]), scenario, is_alive=False)


REFUSALS_OF_A_CALL = {
    "403": (json(403, {"error_code": "PERMISSION_DENIED", "message": "no"}), PermissionDeniedError),
    "403, words of a network": (json(403, {"message": "blocked by IP access list"}), PermissionDeniedError),
    "404": (json(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}), NotFoundError),
    "404, words of a feature": (json(404, {"error_code": "FEATURE_DISABLED", "message": "no"}), NotFoundError),
    "500": (json(500, {}), TransientApiError),
    "page": (page(200, "Sign in"), TransientApiError),
}


@pytest.mark.parametrize("name", REFUSALS_OF_A_CALL)
def test_refusal_of_a_call_costs_nothing_but_this_call(name: str) -> None:
    reply, kind = REFUSALS_OF_A_CALL[name]

    async def scenario(workspace: Workspace) -> None:
        for _ in range(3):
            assert type(await error_of(workspace)) is kind
        assert await workspace.api.get_space("s") == {"space_id": "s"}

    run(by_path(messages=reply, listing=json(200, {}), others=json(200, {"space_id": "s"})), scenario)


def test_many_refusals_at_once_ask_once_whether_the_workspace_answers() -> None:
    async def scenario(workspace: Workspace) -> None:
        await workspace.api.get_space("s")
        errors = await asyncio.gather(*(error_of(workspace) for _ in range(16)))
        assert {type(error) for error in errors} == {PermissionDeniedError}
        assert sum(path == PROOF for path in workspace.server.paths()) == 1

    replies = by_path(messages=json(403, {}), listing=json(200, {}), others=json(200, {"space_id": "s"}))
    run(replies, scenario, is_alive=False)


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("words", ["Invalid access token.", "Zugangsmarke abgelaufen"])
def test_refused_token_is_renewed_and_the_calls_are_repeated(code: int, words: str) -> None:
    reply = with_token(2, json(200, MESSAGE), json(code, {"error_code": code, "message": words}))
    listing = with_token(2, json(200, {}), json(code, {"error_code": code, "message": words}))

    async def scenario(workspace: Workspace) -> None:
        assert await asyncio.gather(*(fetch(workspace) for _ in range(20))) == [MESSAGE] * 20
        assert workspace.tokens.requests == 2

    run(by_path(messages=reply, listing=listing), scenario, is_alive=False)


def test_workspace_that_stops_answering_is_given_up_and_one_that_comes_back_is_not() -> None:
    is_down = False

    def reply(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({} if is_down else MESSAGE, status=503 if is_down else 200)

    async def scenario(workspace: Workspace) -> None:
        nonlocal is_down
        await asyncio.gather(*(fetch(workspace) for _ in range(100)))
        is_down = True
        before = len(workspace.api_paths())
        errors = await asyncio.gather(*(error_of(workspace) for _ in range(100)))
        assert {type(error) for error in errors} == {WorkspaceRefusedError}
        assert len(workspace.api_paths()) - before <= 64 + HANDFUL  # what was in flight, and a handful

    run(always(reply), scenario, is_alive=False)


def test_disturbance_of_a_few_requests_does_not_cost_the_workspace() -> None:
    count = 0

    def reply(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal count
        count += 1
        return web.json_response(MESSAGE, status=503 if 20 < count < 29 else 200)

    async def scenario(workspace: Workspace) -> None:
        assert await asyncio.gather(*(fetch(workspace) for _ in range(60))) == [MESSAGE] * 60

    run(always(reply), scenario, is_alive=False)


def test_throttled_workspace_is_not_lost() -> None:
    async def scenario(workspace: Workspace) -> None:
        assert type(await error_of(workspace)) is TransientApiError

    run(always(json(429, {"error_code": "REQUEST_LIMIT_EXCEEDED"})), scenario, is_alive=False)


def test_silence_is_given_up_after_three_time_outs() -> None:
    async def scenario(workspace: Workspace) -> None:
        errors = await asyncio.gather(*(error_of(workspace) for _ in range(30)))
        assert {type(error) for error in errors} == {WorkspaceUnreachableError}
        assert len(workspace.api_paths()) == 3

    run(hold, scenario, settings=HASTY, is_alive=False)


def test_every_call_names_its_workspace() -> None:
    async def scenario(workspace: Workspace) -> None:
        await fetch(workspace)
        asked = [request for request in workspace.server.requests if request.path != TOKEN_PATH]
        assert [request.headers["X-Databricks-Workspace-Id"] for request in asked] == ["42"]

    run(always(json(200, MESSAGE)), scenario)


def test_users_say_nothing_of_genie() -> None:
    """The directory of users may be down, or forbidden, while Genie answers; and the other way round."""

    async def scenario(workspace: Workspace) -> None:
        for _ in range(4):
            with pytest.raises(TransientApiError):
                await workspace.api.get_user("7")
        assert await fetch(workspace) == MESSAGE
        assert sum(path == PROOF for path in workspace.server.paths()) == 0

    run(by_path(messages=json(200, MESSAGE), listing=json(200, {}), others=json(503, {})), scenario)
