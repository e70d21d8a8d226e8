"""The Genie client against a scripted loopback server: paths, paging, retries, and what it refuses to do."""

import asyncio
import gzip
import json
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from tests.unit.fakes import FakeClock, Handler, ScriptedServer, replies, scripted_server

from genie_obs.errors import (
    ApiError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    TransientApiError,
    UntrustedHostError,
    WorkspaceUnreachableError,
)
from genie_obs.genie_api.api import USER_AGENT, ApiSettings, ApiStats, GenieApi, open_session
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TokenSource
from genie_obs.genie_api.retry import RetryPolicy
from genie_obs.secret import Credentials, Secret

TOKEN_PATH = "/oidc/v1/token"


@dataclass
class Workspace:
    api: GenieApi
    server: ScriptedServer
    clock: FakeClock
    stats: ApiStats
    tokens: TokenSource
    proof: str = ""  # what is asked to find out whether the workspace answers; not counted

    def api_paths(self) -> list[str]:
        return [path for path in self.server.paths() if path not in {TOKEN_PATH, self.proof}]


Scenario = Callable[[Workspace], Awaitable[None]]


PROOF = "/api/2.0/genie/spaces?page_size=1"


def issuing_tokens(handler: Handler, *, is_alive: bool = False) -> Handler:
    """Put a token endpoint in front of `handler`; the tokens are named token-1, token-2, ...

    With `is_alive`, a workspace answers that is asked whether it does.
    """
    issued = iter(range(1, 1_000_000))

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == TOKEN_PATH:
            return web.json_response({"access_token": f"token-{next(issued)}", "expires_in": 3600})
        if is_alive and request.path_qs == PROOF:
            return web.json_response({})
        return await handler(request)

    return handle


def run(handler: Handler, scenario: Scenario, *, settings: ApiSettings | None = None, is_alive: bool = True) -> None:
    settings = settings or ApiSettings()

    async def main() -> None:
        clock = FakeClock()
        stats = ApiStats()
        async with (
            scripted_server(issuing_tokens(handler, is_alive=is_alive)) as server,
            open_session(settings, 64) as session,
        ):
            retry = RetryPolicy(max_attempts=4)
            tokens = TokenSource(
                workspace_id="42",
                host=server.url,
                credentials=Credentials(client_id="app", client_secret=Secret("made-up")),
                session=session,
                clock=clock,
                retry=retry,
                rng=lambda: 0.5,
            )
            api = GenieApi(
                workspace_id="42",
                host=server.url,
                session=session,
                tokens=tokens,
                limiter=AdaptiveLimiter(clock),
                clock=clock,
                retry=retry,
                settings=settings,
                stats=stats,
                rng=lambda: 0.5,
            )
            await scenario(Workspace(api, server, clock, stats, tokens, PROOF if is_alive else ""))

    asyncio.run(main())


def answer(body: object, code: int = 200, **headers: str) -> Callable[[], web.StreamResponse]:
    return lambda: web.json_response(body, status=code, headers=headers)


def refusal(code: int, error_code: str, message: str = "no") -> Callable[[], web.StreamResponse]:
    headers = {"x-databricks-request-id": "req-1"}
    return lambda: web.json_response({"error_code": error_code, "message": message}, status=code, headers=headers)


def raw(body: bytes, code: int = 200, content_type: str = "application/json") -> Callable[[], web.StreamResponse]:
    return lambda: web.Response(body=body, status=code, content_type=content_type)


MESSAGE = {"message_id": "m1", "content": "a question nobody else may read"}


async def fetch(workspace: Workspace) -> dict[str, Any]:
    return await workspace.api.get_message("s1", "c1", "m1")


# --- requests ---------------------------------------------------------------------------------------------------------


def test_get_message_asks_the_documented_path_with_token_and_agent() -> None:
    async def scenario(workspace: Workspace) -> None:
        assert await fetch(workspace) == MESSAGE
        request = workspace.server.requests[-1]
        assert request.path_qs == "/api/2.0/genie/spaces/s1/conversations/c1/messages/m1"
        assert request.headers["Authorization"] == "Bearer token-1"
        assert request.headers["User-Agent"] == USER_AGENT
        assert request.headers["Accept-Encoding"] == "gzip"

    run(replies(answer(MESSAGE)), scenario)


def test_ids_are_quoted_whole() -> None:
    async def scenario(workspace: Workspace) -> None:
        await workspace.api.get_message("a/../b", "c?x=1#y", "é %2F\ud800")
        path = workspace.api_paths()[0]
        assert path == "/api/2.0/genie/spaces/a%2F..%2Fb/conversations/c%3Fx%3D1%23y/messages/%C3%A9%20%252F%3F"

    run(replies(answer(MESSAGE)), scenario)


@pytest.mark.parametrize("message_id", ["", ".", ".."])
def test_ids_that_would_name_another_endpoint_are_not_sent(message_id: str) -> None:
    async def scenario(workspace: Workspace) -> None:
        with pytest.raises(BadRequestError, match="not sent"):
            await workspace.api.get_message("s1", "c1", message_id)
        assert workspace.server.requests == []

    run(replies(answer({})), scenario)


def test_get_space_asks_for_the_serialized_space_only_when_told() -> None:
    async def scenario(workspace: Workspace) -> None:
        await workspace.api.get_space("s1")
        await workspace.api.get_space("s1", include_serialized_space=True)
        space = "/api/2.0/genie/spaces/s1"
        assert workspace.api_paths() == [space, f"{space}?include_serialized_space=true"]

    run(replies(answer({"space_id": "s1"})), scenario)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer({"conversations": []}), True),
        (refusal(403, "PERMISSION_DENIED"), False),
        (refusal(404, "RESOURCE_DOES_NOT_EXIST"), False),
    ],
)
def test_can_manage_is_read_from_listing_all_conversations(
    reply: Callable[[], web.StreamResponse], expected: bool
) -> None:
    async def scenario(workspace: Workspace) -> None:
        assert await workspace.api.can_manage("s1") is expected
        assert workspace.api_paths() == ["/api/2.0/genie/spaces/s1/conversations?include_all=true&page_size=1"]

    run(replies(reply), scenario)


def test_get_user_returns_the_record_or_none_when_gone() -> None:
    async def scenario(workspace: Workspace) -> None:
        assert await workspace.api.get_user("7") == {"userName": "a@b"}
        assert await workspace.api.get_user("8") is None
        assert workspace.api_paths()[0] == "/api/2.0/preview/scim/v2/Users/7"

    run(replies(answer({"userName": "a@b"}), refusal(404, "404")), scenario)


# --- paging -----------------------------------------------------------------------------------------------------------


def pages(key: str, *bodies: tuple[object, str | None]) -> Iterable[Callable[[], web.StreamResponse]]:
    return [answer({key: items, "next_page_token": token}) for items, token in bodies]


async def all_pages(workspace: Workspace) -> list[list[str]]:
    return [[item["id"] for item in page] async for page in workspace.api.list_messages("s1", "c1")]


def test_pages_are_followed_to_the_end_through_empty_ones() -> None:
    script = pages("messages", ([{"id": "a"}], "t 1/"), ([], "t2"), (None, "t3"), ([{"id": "b"}, {"id": "c"}], ""))

    async def scenario(workspace: Workspace) -> None:
        assert await all_pages(workspace) == [["a"], [], [], ["b", "c"]]
        path = "/api/2.0/genie/spaces/s1/conversations/c1/messages?page_size=100"
        expected = [path, f"{path}&page_token=t%201%2F", f"{path}&page_token=t2", f"{path}&page_token=t3"]
        assert workspace.api_paths() == expected

    run(replies(*script), scenario)


def test_repeated_page_token_is_an_error_and_not_an_end() -> None:
    script = pages("messages", ([{"id": "a"}], "t1"), ([{"id": "b"}], "t2"), ([{"id": "c"}], "t1"))

    async def scenario(workspace: Workspace) -> None:
        with pytest.raises(TransientApiError, match="same page token"):
            await all_pages(workspace)
        assert len(workspace.api_paths()) == 3

    run(replies(*script), scenario)


@pytest.mark.parametrize("items", ["text", {"a": 1}, [1], [{"id": "a"}, None]])
def test_page_of_another_shape_is_an_error(items: object) -> None:
    async def scenario(workspace: Workspace) -> None:
        with pytest.raises(TransientApiError, match="not a list of objects"):
            await all_pages(workspace)

    run(replies(*pages("messages", (items, None))), scenario)


def test_list_spaces_yields_the_spaces_of_all_pages() -> None:
    script = pages("spaces", ([{"space_id": "a"}], "t"), ([{"space_id": "b"}], None))

    async def scenario(workspace: Workspace) -> None:
        assert [space["space_id"] async for space in workspace.api.list_spaces()] == ["a", "b"]

    run(replies(*script), scenario)


# --- retries ----------------------------------------------------------------------------------------------------------

CUT_OFF = json.dumps(MESSAGE).encode()[:-5]
BAD_ANSWERS = {
    "429": refusal(429, "REQUEST_LIMIT_EXCEEDED"),
    "500": refusal(500, "INTERNAL_ERROR"),
    "502 html": raw(b"<html>", 502, "text/html"),
    "503": refusal(503, "TEMPORARILY_UNAVAILABLE"),
    "504 empty": raw(b"", 504),
    "html": raw(b"<html>", 200, "text/html"),
    "json of another type": raw(json.dumps(MESSAGE).encode(), 200, "text/plain"),
    "cut off": raw(CUT_OFF),
    "empty": raw(b""),
    "array": raw(b"[1]"),
    "null": raw(b"null"),
    "not utf-8": raw(b'{"content": "\xff"}'),
    "too deep": raw(b'{"a":' + b"[" * 200_000),
    "not gzip": lambda: web.Response(body=b"{}", content_type="application/json", headers={"Content-Encoding": "gzip"}),
    "half a gzip": lambda: web.Response(
        body=gzip.compress(b'{"a": 1}' * 99)[:-9], content_type="application/json", headers={"Content-Encoding": "gzip"}
    ),
    "proxy's 404": raw(b"<html>", 404, "text/html"),
    "proxy's 403": raw(b"", 403),
}


@pytest.mark.parametrize("name", list(BAD_ANSWERS))
def test_passing_disturbance_is_retried(name: str) -> None:
    async def scenario(workspace: Workspace) -> None:
        assert await fetch(workspace) == MESSAGE
        assert workspace.stats.calls_by_operation == {"get_message": 3}
        assert workspace.stats.retries == 2

    run(replies(BAD_ANSWERS[name], BAD_ANSWERS[name], answer(MESSAGE)), scenario)


@pytest.mark.parametrize("name", list(BAD_ANSWERS))
def test_lasting_disturbance_ends_as_transient_error(name: str) -> None:
    async def scenario(workspace: Workspace) -> None:
        with pytest.raises(TransientApiError) as caught:
            await fetch(workspace)
        assert caught.value.attempts == 4
        assert caught.value.ids == {"space_id": "s1", "conversation_id": "c1", "message_id": "m1"}
        assert "nobody else may read" not in str(caught.value)

    run(replies(BAD_ANSWERS[name]), scenario)


def test_connection_closed_in_the_middle_is_retried() -> None:
    calls = iter(range(99))

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if next(calls) == 0:
            response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(b'{"content"')
            assert request.transport is not None
            request.transport.abort()
            return response
        return web.json_response(MESSAGE)

    async def scenario(workspace: Workspace) -> None:
        assert await fetch(workspace) == MESSAGE

    run(handle, scenario)


def test_throttled_call_waits_for_retry_after_and_counts() -> None:
    async def scenario(workspace: Workspace) -> None:
        before = workspace.clock.monotonic()
        await fetch(workspace)
        assert workspace.clock.monotonic() - before >= 30.0
        assert workspace.stats.throttled == 1

    throttled = answer({"error_code": "REQUEST_LIMIT_EXCEEDED"}, 429, **{"Retry-After": "30"})
    run(replies(throttled, answer(MESSAGE)), scenario)


def test_other_retries_back_off_without_blocking_the_workspace() -> None:
    async def scenario(workspace: Workspace) -> None:
        await fetch(workspace)
        assert workspace.clock.sleeps == [0.25, 0.5, 1.0]

    run(replies(refusal(500, "x"), refusal(500, "x"), refusal(500, "x"), answer(MESSAGE)), scenario)


@pytest.mark.parametrize(
    ("code", "error_code", "kind"),
    [
        (400, "INVALID_PARAMETER_VALUE", BadRequestError),
        (403, "PERMISSION_DENIED", PermissionDeniedError),
        (404, "RESOURCE_DOES_NOT_EXIST", NotFoundError),
        (409, "CONFLICT", ApiError),
        (501, "NOT_IMPLEMENTED", ApiError),
    ],
)
def test_final_answers_are_not_retried_and_carry_the_facts(code: int, error_code: str, kind: type[ApiError]) -> None:
    async def scenario(workspace: Workspace) -> None:
        with pytest.raises(kind) as caught:
            await fetch(workspace)
        error = caught.value
        assert type(error) is kind
        assert (error.status, error.error_code, error.attempts, error.request_id) == (code, error_code, 1, "req-1")
        assert error.api_message == "Unable to do it" + " " + "x" * 183 + "…"
        assert f"{code} {error_code} after 1 attempt" in str(error)
        assert "space_id s1" in str(error)

    run(replies(refusal(code, error_code, "Unable to\n\x1b\u202edo it " + "x" * 500)), scenario)


def test_forbidden_space_names_the_grant_to_run() -> None:
    async def scenario(workspace: Workspace) -> None:
        with pytest.raises(PermissionDeniedError, match="CAN MANAGE on space s1, or exclude the space"):
            await fetch(workspace)

    run(replies(refusal(403, "PERMISSION_DENIED")), scenario)


def test_token_echoed_by_the_service_is_hidden() -> None:
    async def scenario(workspace: Workspace) -> None:
        with pytest.raises(BadRequestError) as caught:
            await fetch(workspace)
        assert "token-1" not in str(caught.value)

    run(replies(refusal(400, "BAD token-1", "bad header: Bearer token-1")), scenario)


# --- token ------------------------------------------------------------------------------------------------------------


def test_401_renews_the_token_once_and_tries_again() -> None:
    async def scenario(workspace: Workspace) -> None:
        assert await fetch(workspace) == MESSAGE
        assert workspace.server.requests[-1].headers["Authorization"] == "Bearer token-2"
        assert workspace.stats.tokens == 2

    run(replies(refusal(401, "UNAUTHENTICATED"), answer(MESSAGE)), scenario)


def test_many_requests_with_an_expired_token_renew_it_once() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        is_expired = request.headers["Authorization"] == "Bearer token-1"
        return (refusal(401, "UNAUTHENTICATED") if is_expired else answer(MESSAGE))()

    async def scenario(workspace: Workspace) -> None:
        await asyncio.gather(*(fetch(workspace) for _ in range(30)))
        assert workspace.tokens.requests == 2

    run(handle, scenario)


MOVED = answer({}, 302, Location="https://elsewhere.example/")


def test_stray_redirect_costs_one_call_and_not_the_workspace() -> None:
    async def scenario(workspace: Workspace) -> None:
        for _ in range(5):  # never two redirects in a row
            assert await fetch(workspace) == MESSAGE
        assert len(workspace.api_paths()) == 10

    run(replies(*[MOVED, answer(MESSAGE)] * 5), scenario)


def test_workspace_that_only_redirects_is_given_up() -> None:
    async def scenario(workspace: Workspace) -> None:
        for _ in range(3):
            with pytest.raises(UntrustedHostError, match=r"a?redirect to elsewhere\.example"):
                await fetch(workspace)
        assert len(workspace.api_paths()) == 5  # four, and the list of spaces

    run(replies(MOVED), scenario, is_alive=False)


def test_redirect_is_refused_and_the_token_goes_nowhere_else() -> None:
    async def main() -> None:
        async with scripted_server(replies(answer({}))) as other:

            async def scenario(workspace: Workspace) -> None:
                with pytest.raises(UntrustedHostError, match="127"):
                    await fetch(workspace)
                assert other.requests == []

            moved = answer({}, 307, Location=f"{other.url}/api/2.0/genie/spaces")
            await asyncio.to_thread(lambda: run(replies(moved), scenario, is_alive=False))

    asyncio.run(main())


# --- bounds and the breaker -------------------------------------------------------------------------------------------

SMALL = ApiSettings(max_body_bytes=100_000)


def bomb() -> web.StreamResponse:
    body = gzip.compress(b'{"a":"' + b"x" * 50_000_000 + b'"}')
    return web.Response(body=body, content_type="application/json", headers={"Content-Encoding": "gzip"})


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    for _ in range(10_000):
        await response.write(b" " * 10_000)
    return response


@pytest.mark.parametrize("handler", [replies(bomb), replies(raw(b" " * 100_001)), endless])
def test_oversized_answers_are_an_error_and_not_retried(handler: Handler) -> None:
    async def scenario(workspace: Workspace) -> None:
        with pytest.raises(ApiError, match="larger than 100000 bytes") as caught:
            await fetch(workspace)
        assert not isinstance(caught.value, TransientApiError)
        assert len(workspace.api_paths()) == 1

    run(handler, scenario, settings=SMALL)


def test_compressed_answer_is_read() -> None:
    body = gzip.compress(json.dumps(MESSAGE).encode()[:10]) + gzip.compress(json.dumps(MESSAGE).encode()[10:])

    async def scenario(workspace: Workspace) -> None:
        assert await fetch(workspace) == MESSAGE
        assert workspace.stats.bytes_received == len(body)

    run(
        replies(lambda: web.Response(body=body, content_type="application/json", headers={"Content-Encoding": "gzip"})),
        scenario,
    )


async def hold(_: web.BaseRequest) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


HASTY = ApiSettings(timeout_seconds=0.05)


def test_workspace_without_any_answer_is_given_up_after_a_few_calls() -> None:
    async def scenario(workspace: Workspace) -> None:
        for _ in range(2):
            with pytest.raises(WorkspaceUnreachableError, match="time-out"):
                await fetch(workspace)
        assert workspace.stats.calls == 3  # each would take half a minute

    run(hold, scenario, settings=HASTY, is_alive=False)


def test_refused_first_call_gives_the_workspace_up_at_once() -> None:
    async def scenario(workspace: Workspace) -> None:
        await workspace.tokens.token()
        await workspace.server.close()
        with pytest.raises(WorkspaceUnreachableError, match="refused"):
            await fetch(workspace)

    run(replies(answer({})), scenario)


# --- what is said -----------------------------------------------------------------------------------------------------


def test_debug_log_is_one_line_a_request_without_ids_bodies_or_tokens(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(workspace: Workspace) -> None:
        await workspace.api.get_message("space-id", "conversation-id", "message-id")

    with caplog.at_level(logging.DEBUG, logger="genie_obs"):
        run(replies(refusal(500, "x"), answer(MESSAGE)), scenario)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("GET")]
    template = "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}"
    assert lines == [f"GET {template} 500 0 ms attempt 1", f"GET {template} 200 0 ms attempt 2"]
    assert not any(word in caplog.text for word in ("token-1", "nobody else", "space-id", "message-id", "made-up"))


def test_session_keeps_no_cookies_and_trusts_no_environment() -> None:
    async def scenario(workspace: Workspace) -> None:
        await fetch(workspace)
        await fetch(workspace)
        assert "Cookie" not in workspace.server.requests[-1].headers

    run(replies(answer(MESSAGE, 200, **{"Set-Cookie": "session=1"})), scenario)
