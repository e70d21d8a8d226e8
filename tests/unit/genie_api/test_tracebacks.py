"""A traceback that prints every local variable shows neither secret nor token, wherever a request fails.

Local variables of this file stand in the tracebacks too, so what must not be shown is only in module constants.
"""

from __future__ import annotations

import asyncio
import base64
import io
import pkgutil
import ssl
import traceback
from collections.abc import Awaitable, Callable

import pytest
import trustme
from aiohttp import web
from rich.console import Console
from rich.traceback import Traceback
from tests.unit.fakes import FakeClock, Handler, scripted_server
from yarl import URL

from genie_obs.errors import GenieObsError
from genie_obs.genie_api.api import ApiSettings, GenieApi, open_session
from genie_obs.genie_api.exchange import NoAnswerError, exchange
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TOKEN_PATH, TokenSource
from genie_obs.genie_api.retry import RetryPolicy
from genie_obs.secret import Credentials, Secret

SECRET = "s3cr3t-that-is-nowhere-" + "x" * 90  # longer than what tools cut off before they ask for a repr
TOKEN = "t0k3n-that-is-nowhere-" + "y" * 900
PAIR = base64.b64encode(f"app:{SECRET}".encode()).decode()


def shown_by_all(error: BaseException) -> str:
    """Return what the usual tools print of an error, local variables included."""
    out = io.StringIO()
    for longest in (80, 10_000):
        rendered = Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=True, locals_max_string=longest, locals_max_length=10_000,
            locals_hide_dunder=False, locals_hide_sunder=False, max_frames=0,
        )  # fmt: skip
        Console(file=out, width=4_000).print(rendered)
    out.writelines(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return out.getvalue()


def assert_shows_nothing(error: BaseException) -> None:
    shown = shown_by_all(error)
    assert "genie_obs" in shown
    for hidden in (SECRET, TOKEN, PAIR):
        assert hidden[:40] not in shown


async def reset(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_off(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(f'{{"access_token": "{TOKEN}", '.encode())
    assert request.transport is not None
    request.transport.abort()
    return response


def status(code: int, body: str = "{}", **headers: str) -> Handler:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=code, text=body, content_type="application/json", headers=headers)

    return handle


FAILURES: dict[str, Handler] = {
    "reset": reset,
    "cut off": cut_off,
    "server error": status(503),
    "not JSON": status(200, "<html>"),
    "refused, quoting": status(401, f'{{"error": "no {SECRET}", "message": "{PAIR}"}}'),
    "redirect": status(307, Location="https://evil.example/"),
    "damaged gzip": status(200, f'{{"access_token": "{TOKEN}"}}', **{"Content-Encoding": "gzip"}),
    "token of another form": status(200, f'{{"access_token": ["{TOKEN}"], "expires_in": {{}}}}'),
}


async def fail(
    token_handler: Handler | None, api_handler: Handler, *, is_tls: bool = False, kind: type[Exception] = GenieObsError
) -> BaseException:
    """Read one message from a server that does as it is told, and return what that raises."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.path != TOKEN_PATH:
            return await api_handler(request)
        return await (token_handler or status(200, f'{{"access_token": "{TOKEN}"}}'))(request)

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    context = None
    if is_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    host = f"http{'s' if is_tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with open_session(ApiSettings(), 4) as session:
            return await _error_of(lambda: _api(host, session).get_message("s", "c", "m"), kind)
    finally:
        await runner.cleanup()


def _api(host: str, session: object) -> GenieApi:
    clock, retry = FakeClock(), RetryPolicy(max_attempts=2)
    shared = {"workspace_id": "42", "host": host, "session": session, "clock": clock, "retry": retry}
    credentials = Credentials(client_id="app", client_secret=Secret(SECRET))
    tokens = TokenSource(**shared, credentials=credentials)  # type: ignore[arg-type]
    return GenieApi(**shared, tokens=tokens, limiter=AdaptiveLimiter(clock))  # type: ignore[arg-type]


async def _error_of(do: Callable[[], Awaitable[object]], kind: type[Exception]) -> BaseException:
    try:
        await do()
    except kind as error:
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("failure", FAILURES)
def test_failing_token_request_shows_nothing(failure: str) -> None:
    assert_shows_nothing(asyncio.run(fail(FAILURES[failure], status(200))))


@pytest.mark.parametrize("failure", [name for name in FAILURES if "token" not in name and "quoting" not in name])
def test_failing_call_shows_nothing(failure: str) -> None:
    assert_shows_nothing(asyncio.run(fail(None, FAILURES[failure])))


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_token_that_is_quoted_to_us_is_not_shown(code: int) -> None:
    error = asyncio.run(fail(None, status(code, f'{{"error_code": "{TOKEN}", "message": "unknown token {TOKEN}"}}')))

    assert "***" in str(error)
    assert_shows_nothing(error)


def test_certificate_nobody_vouches_for_ends_it_before_anything_is_sent() -> None:
    requests: list[str] = []

    async def count(request: web.BaseRequest) -> web.StreamResponse:
        requests.append(request.path)
        return web.Response()

    error = asyncio.run(fail(count, count, is_tls=True))

    assert "TLS certificate is not trusted" in str(error)
    assert requests == []
    assert_shows_nothing(error)


# Where the HTTP library breaks, and whether the token was there already: else it breaks while the secret is sent.
BUGS = [
    ("client_reqrep.ClientRequest.send", False),
    ("client_reqrep.ClientRequest.send", True),
    ("http_writer.StreamWriter.write_headers", False),
    ("http_writer.StreamWriter.write_headers", True),
    ("http_writer.StreamWriter._write", True),  # holds the header as bytes
    ("client_reqrep.ClientResponse.start", False),
]


@pytest.mark.parametrize(("place", "is_token_there"), BUGS)
def test_bug_of_the_http_library_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, place: str, *, is_token_there: bool
) -> None:
    """Our own frames are shown, with the credentials masked; those of the library are replaced by a name."""
    real = pkgutil.resolve_name(f"aiohttp.{place}")
    is_token_given = False

    def broken(*args: object, **options: object) -> object:
        if is_token_given or not is_token_there:
            raise RuntimeError("a bug")
        return real(*args, **options)

    async def give_token(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal is_token_given
        is_token_given = True
        return web.json_response({"access_token": TOKEN})

    monkeypatch.setattr(f"aiohttp.{place}", broken)

    error = asyncio.run(fail(give_token, status(200), kind=RuntimeError))

    assert "authorization = ***" in shown_by_all(error)
    assert "in broken" in str(error.__notes__)
    assert_shows_nothing(error)


def test_connection_that_breaks_while_the_secret_is_written_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library names the cause of its error, in whose frames the header stands as bytes."""

    def broken(*_: object) -> None:
        raise OSError("connection reset")

    async def send() -> BaseException:
        async with scripted_server(status(200)) as server, open_session(ApiSettings(), 4) as session:
            authorization = Credentials(client_id="app", client_secret=Secret(SECRET)).basic_header()
            options = {"headers": {}, "authorization": authorization, "data": b"a form", "max_body_bytes": 1}
            return await _error_of(lambda: exchange(session, "POST", URL(server.url), **options), NoAnswerError)  # type: ignore[arg-type]

    monkeypatch.setattr("aiohttp.http_writer.StreamWriter._writelines", broken)

    error = asyncio.run(send())

    assert "connection reset" in shown_by_all(error)
    assert_shows_nothing(error)
