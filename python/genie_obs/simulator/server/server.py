"""Serves each workspace of an account on a loopback port of its own, in a background thread.

It only moves bytes; `rest_api/api.py` decides what to answer.
"""

import asyncio
import contextlib
import functools
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.workspace import SimulatedWorkspace
from genie_obs.simulator.rest_api.api import OPEN_OPERATIONS, respond
from genie_obs.simulator.rest_api.call import ApiContext
from genie_obs.simulator.rest_api.responses import Request, Response, error_response
from genie_obs.simulator.rest_api.routes import Route, find_route
from genie_obs.simulator.rest_api.tokens import TokenIssuer
from genie_obs.simulator.server.broken import broken_response
from genie_obs.simulator.server.bucket import TokenBucket, make_bucket
from genie_obs.simulator.server.faults import FaultInjector, FaultRule
from genie_obs.simulator.server.refusals import REFUSALS, Refusal
from genie_obs.simulator.server.stats import ServerStats

T = TypeVar("T")
_PAGE_FAULTS = {"empty_page", "repeat_page_token"}
_HALF_FAULTS = {"truncate", "stall"}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_STOP_SECONDS = 10.0


class SimulatorServer:
    """Context manager that serves all workspaces of an account over HTTP.

    `requests_per_second` limits each workspace; requests for tokens are not counted. A burst may have as many requests as one second.
    `first_port=None` takes free ports. `clock` gives monotonic seconds, for the lifetime of tokens and for the limit.
    """

    def __init__(
        self,
        account: SimulatedAccount,
        *,
        host: str = "127.0.0.1",
        first_port: int | None = None,
        latency_seconds: float = 0.0,
        requests_per_second: float | None = None,
        faults: Sequence[FaultRule] = (),
        token_lifetime_seconds: float = 3600,
        audit_reads: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account = account
        self.host = host
        self.first_port = first_port
        self.latency_seconds = latency_seconds
        self.needs_header = False
        """Whether a workspace answers only requests that name it in `X-Databricks-Workspace-Id`, as a host of several workspaces does."""
        self.audit_reads = audit_reads
        self.stats = ServerStats()
        self.tokens = TokenIssuer(account, lifetime_seconds=token_lifetime_seconds, clock=clock)
        self.urls: dict[str, str] = {}
        self._clock = clock
        self._requests_per_second = requests_per_second
        self._injector = FaultInjector(faults, seed=account.spec.seed)
        self._fronts: list[_WorkspaceFront] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._switching: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()

    @property
    def requests_per_second(self) -> float | None:
        """The limit of each workspace. It may be changed while the account is served."""
        return self._requests_per_second

    @requests_per_second.setter
    def requests_per_second(self, value: float | None) -> None:
        self._requests_per_second = value
        for front in self._fronts:
            front.bucket = make_bucket(value, self._clock)

    def set_faults(self, rules: Sequence[FaultRule]) -> None:
        """Replace all fault rules. Their counters start at zero, and no token is stale."""
        self._injector = FaultInjector(rules, seed=self.account.spec.seed)
        for front in self._fronts:
            front.stale_token = ""

    def expire_tokens(self) -> None:
        """Let all tokens end now."""
        self.tokens.expire_all()

    def start(self) -> None:
        """Open the ports. It returns when they answer.

        Raises:
            OSError: if a port cannot be opened.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="genie-simulator", daemon=True)
        self._thread.start()
        try:
            self._run(self._open_all())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close all ports and connections. It does nothing if the server does not run."""
        if self._loop is None or self._thread is None:
            return
        for front in self._fronts:
            front.workspace.watch_reachable(None)
            front.workspace.url = None
        self._run(self._close_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)
        self._loop.close()
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None  # noqa: S101 - only called between start and stop
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_SECONDS)

    def _switch(self, front: "_WorkspaceFront", is_reachable: bool) -> None:
        """Open or close a port. It waits for the end, except in the thread of the server, which would wait for itself."""
        work = front.open() if is_reachable else front.close()
        if threading.current_thread() is not self._thread:
            self._run(work)
            return
        assert self._loop is not None  # noqa: S101 - its thread runs
        task = self._loop.create_task(work)
        self._switching.add(task)
        task.add_done_callback(self._switching.discard)

    async def _open_all(self) -> None:
        ports = itertools.count(self.first_port) if self.first_port is not None else itertools.repeat(0)
        self.stopping.clear()
        self._fronts = []
        for workspace, port in zip(self.account.workspaces.values(), ports, strict=False):
            front = _WorkspaceFront(self, workspace, port, make_bucket(self._requests_per_second, self._clock))
            self._fronts.append(front)
            await front.open()
            self.urls[workspace.workspace_id] = workspace.url = front.url
            workspace.watch_reachable(functools.partial(self._switch, front))
            if not workspace.reachable:
                await front.close()

    async def _close_all(self) -> None:
        self.stopping.set()
        for front in self._fronts:
            await front.close()

    def find_fault(self, workspace_id: str, operation: str, path: str) -> FaultRule | None:
        """Return the fault rule that a request fails by, or None."""
        return self._injector.find(workspace_id, operation, path) if self._injector else None


class _WorkspaceFront:
    """One listening port."""

    def __init__(
        self, server: SimulatorServer, workspace: SimulatedWorkspace, port: int, bucket: TokenBucket | None
    ) -> None:
        self.server = server
        self.workspace = workspace
        self.port = port
        self.bucket = bucket
        self.stale_token = ""  # the first that a rule refused until it is renewed
        self.url = ""
        self._runner: web.ServerRunner | None = None
        self._context = ApiContext(server.account, workspace, server.tokens, server.audit_reads)
        self._request_numbers = itertools.count(1)
        self._is_switching = asyncio.Lock()

    async def open(self) -> None:
        """Listen. After a close it is the same port again."""
        async with self._is_switching:
            if self._runner is not None:
                return
            runner = web.ServerRunner(web.Server(self._handle), access_log=None, shutdown_timeout=0.05)
            await runner.setup()
            await web.TCPSite(runner, self.server.host, self.port, reuse_address=True, backlog=1024).start()
            self._runner = runner
            self.port = runner.addresses[0][1]
            self.url = f"http://{self.server.host}:{self.port}"

    async def close(self) -> None:
        """Stop listening and drop open connections. New ones are refused."""
        async with self._is_switching:
            runner, self._runner = self._runner, None
            if runner is not None:
                await runner.cleanup()

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        path, _, query = raw.raw_path.partition("?")
        route = find_route(raw.method, path)
        server = self.server
        if server.latency_seconds > 0:
            await asyncio.sleep(server.latency_seconds)
        if self.bucket is not None and route.operation not in OPEN_OPERATIONS and not self.bucket.take():
            throttled = error_response(
                429,
                "REQUEST_LIMIT_EXCEEDED",
                f"Workspace {self.workspace.workspace_id} exceeded its limit of requests per second.",
            )
            throttled.headers["Retry-After"] = "1"
            return self._send(route, throttled)
        if server.needs_header and not self._is_named(raw, route):
            return self._send(route, REFUSALS["sign_in_page"].response())
        fault = server.find_fault(self.workspace.workspace_id, route.operation, path)
        if fault is not None and fault.refusal is not None and not self._is_refused(raw, REFUSALS[fault.refusal]):
            fault = None
        if fault is not None and fault.action not in _PAGE_FAULTS | _HALF_FAULTS:
            return await self._fail(raw, route, fault)
        response = respond(
            self._context,
            await self._read(raw, path, query, route),
            route,
            page_fault=fault.action if fault is not None else None,
        )
        if fault is not None and fault.action in _HALF_FAULTS:
            return await self._send_half(raw, route, response, is_stalled=fault.action == "stall")
        return self._send(route, response)

    def _is_named(self, raw: web.BaseRequest, route: Route) -> bool:
        """Say whether a request says which workspace it is for; those for tokens need not."""
        is_named = raw.headers.get("X-Databricks-Workspace-Id") == self.workspace.workspace_id
        return is_named or route.operation in OPEN_OPERATIONS

    def _is_refused(self, raw: web.BaseRequest, refusal: Refusal) -> bool:
        if not refusal.needs_new_token:
            return True
        token = raw.headers.get("Authorization", "")
        self.stale_token = self.stale_token or token
        return token == self.stale_token

    async def _read(self, raw: web.BaseRequest, path: str, query: str, route: Route) -> Request:
        headers = raw.headers
        body = await raw.read() if route.operation == "token" else b""
        params = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
        return Request(
            raw.method, path, params, headers.get("Authorization"), headers.get("User-Agent"), body, self.url
        )

    def _send(self, route: Route, response: Response) -> web.Response:
        self.server.stats.add(self.workspace.workspace_id, route.operation, response.status)
        headers = {
            "Content-Type": response.content_type,
            "x-databricks-request-id": f"{self.workspace.workspace_id}-{next(self._request_numbers)}",
            "x-databricks-org-id": self.workspace.workspace_id,
            **response.headers,
        }
        return web.Response(body=response.body, status=response.status, headers=headers)

    async def _fail(self, raw: web.BaseRequest, route: Route, fault: FaultRule) -> web.StreamResponse:
        if fault.action in {"reset", "timeout"}:
            self.server.stats.add(self.workspace.workspace_id, route.operation, 0)
            if fault.action == "timeout":
                await self.server.stopping.wait()
            _reset(raw)
            raise ConnectionResetError("reset by a fault rule")
        if fault.action == "expire_token":
            self.server.tokens.expire_all(self.workspace.workspace_id)
        response = broken_response(fault)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = fault.retry_after
        return self._send(route, response)

    async def _send_half(
        self, raw: web.BaseRequest, route: Route, response: Response, *, is_stalled: bool
    ) -> web.StreamResponse:
        self.server.stats.add(self.workspace.workspace_id, route.operation, response.status)
        stream = web.StreamResponse(
            status=response.status,
            headers={"Content-Type": response.content_type, "Content-Length": str(len(response.body))},
        )
        await stream.prepare(raw)
        await stream.write(response.body[: len(response.body) // 2])
        if is_stalled:
            await self.server.stopping.wait()
        if raw.transport is not None:
            raw.transport.close()
        return stream


def _reset(raw: web.BaseRequest) -> None:
    if raw.transport is None:
        return
    connection = raw.transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    raw.transport.abort()
