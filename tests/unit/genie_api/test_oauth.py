"""Credentials, host names and tokens, against a scripted loopback server."""

import asyncio
import base64
import json
import logging
import socket
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from tests.unit.fakes import FakeClock, Handler, ScriptedServer, replies, scripted_server

from genie_obs.errors import (
    CredentialsRefusedError,
    UntrustedHostError,
    WorkspaceRefusedError,
    WorkspaceUnreachableError,
)
from genie_obs.genie_api.client import ApiSettings, open_session
from genie_obs.genie_api.oauth import TokenSource, renewal_margin_seconds
from genie_obs.genie_api.retry import RetryPolicy
from genie_obs.secret import Credentials, Secret

SECRET = "made-up-value"
CREDENTIALS = Credentials(client_id="app-1", client_secret=Secret(SECRET))


@pytest.mark.parametrize(("lifetime", "margin"), [(3600.0, 360.0), (300.0, 60.0), (60.0, 30.0), (4.0, 2.0)])
def test_renewal_margin(lifetime: float, margin: float) -> None:
    assert renewal_margin_seconds(lifetime) == margin


def issue(name: str = "t", **extra: object) -> Callable[[], web.StreamResponse]:
    return lambda: web.json_response({"access_token": name, "token_type": "Bearer", "expires_in": 3600} | extra)


def status(code: int, body: object = None, **headers: str) -> Callable[[], web.StreamResponse]:
    return lambda: web.json_response(body or {}, status=code, headers=headers)


Scenario = Callable[[TokenSource, ScriptedServer, FakeClock], Awaitable[None]]


def run(handler: Handler, scenario: Scenario, *, settings: ApiSettings | None = None) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with scripted_server(handler) as server, open_session(settings or ApiSettings(), 64) as session:
            await scenario(make_source(server.url, session, clock), server, clock)

    asyncio.run(main())


def make_source(url: str, session: aiohttp.ClientSession, clock: FakeClock) -> TokenSource:
    return TokenSource(
        workspace_id="42",
        host=url,
        credentials=CREDENTIALS,
        session=session,
        clock=clock,
        retry=RetryPolicy(max_attempts=4),
        rng=lambda: 0.5,
    )


def test_token_is_asked_for_by_client_credentials() -> None:
    seen: list[tuple[str, str, str]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.method, request.headers["Authorization"], await request.text()))
        return issue()()

    async def scenario(source: TokenSource, server: ScriptedServer, _: FakeClock) -> None:
        assert (await source.token()).reveal() == "t"
        assert server.paths() == ["/oidc/v1/token"]

    run(handle, scenario)
    basic = base64.b64encode(f"app-1:{SECRET}".encode()).decode()
    assert seen == [("POST", f"Basic {basic}", "grant_type=client_credentials&scope=all-apis")]


def test_concurrent_callers_share_one_request() -> None:
    async def scenario(source: TokenSource, server: ScriptedServer, _: FakeClock) -> None:
        tokens = await asyncio.gather(*(source.token() for _ in range(50)))
        assert len(set(map(id, tokens))) == 1
        assert source.requests == len(server.requests) == 1

    run(replies(issue()), scenario)


def test_cancelled_caller_does_not_cancel_the_others() -> None:
    async def scenario(source: TokenSource, _: ScriptedServer, __: FakeClock) -> None:
        first = asyncio.create_task(source.token())
        second = asyncio.create_task(source.token())
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).reveal() == "t"

    run(replies(issue()), scenario)


def test_token_is_renewed_before_it_expires() -> None:
    async def scenario(source: TokenSource, _: ScriptedServer, clock: FakeClock) -> None:
        assert (await source.token()).reveal() == "a"
        clock.advance(3600 - 361)
        assert (await source.token()).reveal() == "a"
        clock.advance(2)
        assert (await source.token()).reveal() == "b"

    run(replies(issue("a"), issue("b")), scenario)


@pytest.mark.parametrize("expires_in", [None, "soon", -1, 0, [], "3600"])
def test_odd_lifetimes_are_survived(expires_in: object) -> None:
    async def scenario(source: TokenSource, _: ScriptedServer, __: FakeClock) -> None:
        assert await source.token() is await source.token()

    run(replies(issue("a", expires_in=expires_in), issue("b")), scenario)


def test_invalidated_token_is_renewed_once() -> None:
    async def scenario(source: TokenSource, server: ScriptedServer, _: FakeClock) -> None:
        old = await source.token()
        source.invalidate(old)
        new = await source.token()
        source.invalidate(old)  # another request with the old token fails later
        assert await source.token() is new
        assert len(server.requests) == 2

    run(replies(issue("a"), issue("b")), scenario)


def test_transient_failures_are_retried() -> None:
    page = lambda: web.Response(text="<html>", content_type="text/html")  # noqa: E731
    script = (status(503), status(429, **{"Retry-After": "3"}), page, issue())

    async def scenario(source: TokenSource, _: ScriptedServer, clock: FakeClock) -> None:
        assert (await source.token()).reveal() == "t"
        assert 3.25 in clock.sleeps

    run(replies(*script), scenario)


@pytest.mark.parametrize("code", [400, 401, 403])
def test_refused_credentials_say_why_without_the_secret(code: int) -> None:
    body = {"error": "invalid_client", "error_description": f"Client authentication failed for\n{SECRET}"}

    async def scenario(source: TokenSource, server: ScriptedServer, _: FakeClock) -> None:
        for _attempt in range(3):
            with pytest.raises(CredentialsRefusedError, match="invalid_client: Client authentication failed") as caught:
                await source.token()
            assert SECRET not in str(caught.value)
            assert "\n" not in str(caught.value)
            assert caught.value.api_message == "invalid_client: Client authentication failed for ***"
            assert (
                caught.value.problem == f"the token endpoint refused the credentials: {code} {caught.value.api_message}"
            )
            assert caught.value.fix.startswith("Check the client id")
        assert len(server.requests) == 1

    run(replies(status(code, body)), scenario)


def test_redirect_is_not_followed_and_names_its_host() -> None:
    async def scenario(source: TokenSource, server: ScriptedServer, _: FakeClock) -> None:
        with pytest.raises(UntrustedHostError, match=r"evil\.example, which is not followed") as caught:
            await source.token()
        assert "pw" not in str(caught.value)
        assert len(server.requests) == 1

    run(replies(status(302, Location="https://user:pw@evil.example/elsewhere?x=y")), scenario)


def test_redirect_to_a_sign_in_page_is_named_as_that() -> None:
    async def scenario(source: TokenSource, server: ScriptedServer, _: FakeClock) -> None:
        with pytest.raises(WorkspaceRefusedError, match="sign-in, gateway or private access") as caught:
            await source.token()
        assert "leave it out" not in str(caught.value)
        assert len(server.requests) == 1

    run(replies(status(303, Location="https://adb-1.azuredatabricks.net/login.html?next=x")), scenario)


@pytest.mark.parametrize("code", [400, 401, 403])
def test_refused_network_is_told_from_refused_credentials(code: int) -> None:
    body = {"error_code": code, "message": "Source IP address: 203.0.113.9 is blocked by Databricks IP ACL for account"}

    async def scenario(source: TokenSource, server: ScriptedServer, _: FakeClock) -> None:
        with pytest.raises(WorkspaceRefusedError, match=r"203\.0\.113\.9") as caught:
            await source.token()
        assert (caught.value.cause, caught.value.is_lasting) == ("network", True)
        assert len(server.requests) == 1

    run(replies(status(code, body)), scenario)


def test_workspace_that_issues_only_errors_is_given_up_once() -> None:
    async def scenario(source: TokenSource, server: ScriptedServer, _: FakeClock) -> None:
        with pytest.raises(WorkspaceRefusedError, match="the token endpoint answers only errors: 503"):
            await source.token()
        with pytest.raises(WorkspaceRefusedError):
            await source.token()
        assert len(server.requests) == 4

    run(replies(status(503)), scenario)


def test_outage_of_the_token_endpoint_is_bridged_by_the_old_token() -> None:
    async def scenario(source: TokenSource, _: ScriptedServer, clock: FakeClock) -> None:
        old = await source.token()
        clock.advance(3600 - 300)
        assert await source.token() is old
        clock.advance(400)
        with pytest.raises(WorkspaceRefusedError):
            await source.token()

    run(replies(issue("a"), status(503)), scenario)


@pytest.mark.parametrize("token", [None, "", 7, "two words", "line\nbreak"])
def test_answer_without_usable_token_is_named(token: object) -> None:
    async def scenario(source: TokenSource, _: ScriptedServer, __: FakeClock) -> None:
        with pytest.raises(WorkspaceRefusedError, match="no usable access_token"):
            await source.token()

    run(replies(lambda: web.json_response({"access_token": token})), scenario)


def test_oversized_answer_is_refused() -> None:
    async def scenario(source: TokenSource, _: ScriptedServer, __: FakeClock) -> None:
        with pytest.raises(WorkspaceRefusedError, match="larger than"):
            await source.token()

    run(replies(lambda: web.Response(body=b" " * (2 << 20), content_type="application/json")), scenario)


def test_refused_connection_is_named() -> None:
    async def main() -> None:
        async with scripted_server(replies(issue())) as server:
            url = server.url
        async with open_session(ApiSettings(), 4) as session:
            with pytest.raises(WorkspaceUnreachableError, match="refused"):
                await make_source(url, session, FakeClock()).token()

    asyncio.run(main())


class NoSuchHost(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError(f"{host} is unknown")

    async def close(self) -> None:
        pass


def test_unknown_host_is_named() -> None:
    async def main() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NoSuchHost())) as session:
            with pytest.raises(WorkspaceUnreachableError, match="DNS"):
                await make_source("https://no-such-workspace.invalid", session, FakeClock()).token()

    asyncio.run(main())


def test_silence_is_named_a_time_out() -> None:
    async def hold(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario(source: TokenSource, _: ScriptedServer, __: FakeClock) -> None:
        with pytest.raises(WorkspaceUnreachableError, match="time-out"):
            await source.token()

    run(hold, scenario, settings=ApiSettings(timeout_seconds=0.05))


def test_plain_text_server_behind_https_is_a_tls_failure() -> None:
    async def main() -> None:
        async with scripted_server(replies(issue())) as server, open_session(ApiSettings(), 4) as session:
            with pytest.raises(WorkspaceUnreachableError, match="TLS"):
                await make_source(server.url.replace("http:", "https:"), session, FakeClock()).token()

    asyncio.run(main())


def test_log_lines_hold_neither_secret_nor_token(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(source: TokenSource, _: ScriptedServer, __: FakeClock) -> None:
        await source.token()

    with caplog.at_level(logging.DEBUG):
        run(replies(issue("the-token-itself")), scenario)
    assert "POST /oidc/v1/token 200" in caplog.text
    assert SECRET not in caplog.text
    assert "the-token-itself" not in caplog.text
    assert "the-token-itself" not in json.dumps([str(record.args) for record in caplog.records])
