"""Serves the preview as a web page on this machine. Each tile is one request. Only GET is answered, and only to our own page."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web

from genie_obs.errors import ConfigError
from genie_obs.preview.page.document import chart_library, page_script, page_style, served_page, served_policy
from genie_obs.preview.page.site import Site, UnknownTileError
from genie_obs.preview.page.tiles import DATA_KINDS
from genie_obs.preview.query.filters import State, StateError, parse_state

logger = logging.getLogger(__name__)

THREADS = 8  # so many statements run at once; a slow one blocks one thread only
_MAX_ID_CHARACTERS = 128
_MAX_GENERATION = 1_000_000_000
_HEADERS = {
    "Content-Security-Policy": served_policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ASSET_CACHE = "private, max-age=31536000, immutable"  # their addresses contain a hash or version, so a new content has a new address

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Pages:
    """Answers requests; statements run in threads."""

    def __init__(self, site: Site, pool: ThreadPoolExecutor) -> None:
        self._site = site
        self._pool = pool

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text=served_page(self._site.boot()), content_type="text/html")

    async def script(self, _request: web.Request) -> web.Response:
        return _asset(page_script(), "text/javascript")

    async def style(self, _request: web.Request) -> web.Response:
        return _asset(page_style(), "text/css")

    async def chart_library(self, _request: web.Request) -> web.Response:
        return _asset(await self._in_thread(chart_library), "text/javascript")

    async def tile(self, request: web.Request) -> web.Response:
        state = parse_state(request.query.get("s", ""))
        return await self._answer(request, lambda: self._site.tile(request.match_info["key"], state))

    async def options(self, request: web.Request) -> web.Response:
        state = parse_state(request.query.get("s", ""))
        return await self._answer(request, lambda: self._site.options(request.match_info["key"], state))

    async def conversation(self, request: web.Request) -> web.Response:
        conversation, workspace = request.query.get("c", ""), request.query.get("w", "")
        if not conversation or max(len(conversation), len(workspace)) > _MAX_ID_CHARACTERS:
            raise StateError("that is no id of a conversation")
        return await self._answer(request, lambda: self._site.transcript(conversation, workspace))

    async def _answer(self, request: web.Request, work: Callable[[], dict[str, Any]]) -> web.Response:
        generation = request.query.get("g", "0")
        if not generation.isascii() or not generation.isdigit() or int(generation[:12]) > _MAX_GENERATION:
            raise StateError("g is no number")

        def renewed() -> dict[str, Any]:
            self._site.runner.renew(int(generation))
            return work()

        content = await self._in_thread(renewed)
        return web.Response(
            text=json.dumps(content, ensure_ascii=False, allow_nan=False), content_type="application/json"
        )

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _asset(text: str, kind: str) -> web.Response:
    return web.Response(text=text, content_type=kind, headers={"Cache-Control": _ASSET_CACHE})


def create_app(site: Site, pool: ThreadPoolExecutor, is_our_host: Callable[[str], bool]) -> web.Application:
    """Return the application. `is_our_host` says whether the Host header of a request is that of this server."""

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            answer = await _guarded(request, handler, is_our_host)
        except web.HTTPException as error:
            answer = web.Response(status=error.status, text=f"{error.status}: {error.reason}\n")
        except Exception as error:  # noqa: BLE001  # a bug: the page gets a plain answer with our headers and no details
            logger.error("answering %s failed: %s", request.path, type(error).__name__)  # noqa: TRY400
            answer = web.Response(status=500, text="500: this is a bug of the preview; its log says where.\n")
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    app = web.Application(middlewares=[guard])
    pages = _Pages(site, pool)
    app.router.add_get("/", pages.page)
    app.router.add_get("/assets/app.js", pages.script)
    app.router.add_get("/assets/app.css", pages.style)
    app.router.add_get("/assets/vega.js", pages.chart_library)
    app.router.add_get("/api/tile/{key}", pages.tile)
    app.router.add_get("/api/options/{key}", pages.options)
    app.router.add_get("/api/conversation", pages.conversation)
    return app


async def _guarded(request: web.Request, handler: _Handler, is_our_host: Callable[[str], bool]) -> web.StreamResponse:
    # Another site can let its own name point to this machine (DNS rebinding). The Host header then shows that name.
    if not is_our_host(request.headers.get("Host", "")):
        raise web.HTTPForbidden(reason="Open the preview by the address it printed")
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"} and request.path != "/":
        raise web.HTTPForbidden(reason="Only the preview's own page may ask")
    try:
        return await handler(request)
    except StateError as error:
        return web.Response(status=400, text=f"{error}\n")
    except UnknownTileError:
        return web.Response(status=404, text="There is no such tile.\n")


def host_check(host: str, port: int) -> Callable[[str], bool]:
    """Return a function that says whether a Host header is that of this server.

    When the server listens on all addresses, any IP address and the name of this machine are accepted. A site of others has neither
    in its Host header.
    """
    names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
    is_wildcard = host in {"0.0.0.0", "::"}  # noqa: S104  # compared, not bound
    names |= {socket.gethostname().lower()} if is_wildcard else set()

    def is_ours(header: str) -> bool:
        name, separator, given_port = header.lower().rpartition(":")
        if not separator or not given_port.isdigit():
            name, given_port = header.lower(), "80"
        name = name.removeprefix("[").removesuffix("]")
        return int(given_port) == port and (name in names or (is_wildcard and _is_address(name)))

    return is_ours


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


async def serve(site: Site, *, host: str, port: int, on_ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Port 0 takes any free port; `on_ready` is called with the address when the server answers.

    Raises:
        ConfigError: if the address cannot be listened on.
    """
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="preview")
    runner = web.AppRunner(create_app(site, pool, host_check(host, port)), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        pool.submit(chart_library)
        on_ready(address(host, port))
        _warm_up(site, pool)
        await stop.wait()
    finally:
        await runner.cleanup()
        pool.shutdown(wait=True, cancel_futures=True)


def _warm_up(site: Site, pool: ThreadPoolExecutor) -> None:
    """Run the statements of the first page before the browser asks for them."""
    page = next(iter(site.dashboard.canvas_pages), None)
    for widget in page.widgets if page else ():
        if widget.kind in DATA_KINDS:
            pool.submit(site.tile, widget.key, State())


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"--host {host}: no address of this machine ({error.strerror}).") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(place)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"--host {host} --port {port}: cannot listen there ({error.strerror}). Choose another --port; 0 takes any free one."
        ) from error
    return listener


def address(host: str, port: int) -> str:
    """Return the address to open in a browser."""
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host.strip("[]")  # noqa: S104  # compared, not bound
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"
