"""Test doubles shared by the unit tests: a clock that never waits, and an HTTP server that follows a script."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from aiohttp import web


class FakeClock:
    """Discrete-event time: it moves to the next sleeper only when no task has anything left to do at this instant."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._is_driving = False
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (self._elapsed + max(0.0, seconds), next(self._order), woken))
        if not self._is_driving:
            self._is_driving = True
            loop.call_soon(self._drive, loop)
        await woken

    def _drive(self, loop: asyncio.AbstractEventLoop) -> None:
        if cast("Any", loop)._ready:  # someone still runs at this instant
            loop.call_soon(self._drive, loop)
            return
        while self._sleepers and self._sleepers[0][2].done():  # cancelled while asleep
            heapq.heappop(self._sleepers)
        if self._sleepers:
            wake_at, _, woken = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, wake_at)
            woken.set_result(None)
        self._is_driving = bool(self._sleepers)
        if self._is_driving:
            loop.call_soon(self._drive, loop)


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class ScriptedServer:
    """A loopback HTTP server; `handler` may be swapped at any time, `requests` lists what arrived."""

    url: str
    handler: Handler
    close: Callable[[], Awaitable[None]]
    requests: list[web.BaseRequest] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [request.path_qs for request in self.requests]


@asynccontextmanager
async def scripted_server(handler: Handler) -> AsyncIterator[ScriptedServer]:
    """Serve `handler` on a free loopback port."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        server.requests.append(request)
        return await server.handler(request)

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    server = ScriptedServer("", handler, runner.cleanup)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


def replies(*responses: Callable[[], web.StreamResponse]) -> Handler:
    """Answer with each response in turn, then with the last one for ever."""
    script = iter(responses)
    last = responses[-1]

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return next(script, last)()

    return handle
