"""What a workspace is to Databricks Connect and to the Genie client: TLS in front, a token asked for, compute behind it.

Compute is Apache Spark, the Genie API the simulator; only the door is ours. It tells the two apart as a workspace does: gRPC comes
over HTTP/2, everything else over HTTP/1.1.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import grpc
import trustme
from pyspark.sql.connect.proto import base_pb2

TOKEN = "stand-in-token"
RUNTIME_VERSION = "18.3.x-scala2.13"

_NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# The SDK asks a workspace what it is before anything else; one that says nothing is taken as it was configured.
_METADATA = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@contextmanager
def running_workspace(authority: trustme.CA, spark: str) -> Iterator[str]:
    """Serve the compute behind `spark` (`sc://host:port`) to whoever has the token, and give the workspace's address."""
    channel = grpc.insecure_channel(spark.removeprefix("sc://"), options=_NO_LIMIT)
    server = grpc.server(ThreadPoolExecutor(16), handlers=[_Gate(channel)], options=_NO_LIMIT)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with tls_front(authority, http2_port=port) as address:
            yield address
    finally:
        server.stop(grace=None).wait()
        channel.close()


@contextmanager
def tls_front(authority: trustme.CA, *, http2_port: int | None = None, http1: str | None = None) -> Iterator[str]:
    """Serve a plain HTTP/2 port, a plain HTTP/1.1 address, or both, under one `https://127.0.0.1:port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"] if http2_port else ["http/1.1"])

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        task.add_done_callback(connections.discard)
        is_http2 = writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        port = http2_port if is_http2 else http1 and urlsplit(http1).port
        if not port:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_METADATA)
            await writer.drain()
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    connections: set[asyncio.Task[None]] = set()
    ready: Future[tuple[str, Callable[[], object]]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with await asyncio.start_server(on_connection, "127.0.0.1", 0, ssl=context) as server:
            address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            ready.set_result((address, partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set)))
            await stop.wait()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=[serve()], daemon=True)
    thread.start()
    address, stop = ready.result(10)
    try:
        yield address
    finally:
        stop()
        thread.join(10)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the other side went away, which is how these connections end
    finally:
        writer.close()


class _Gate(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio ships no types
    """Passes every call of a Spark Connect client on, bytes for bytes, once it has shown the token."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def service(self, handler_call_details: Any) -> Any:
        method: str = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata)
        if metadata.get("authorization") != f"Bearer {TOKEN}":
            return grpc.unary_unary_rpc_method_handler(
                lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid access token.")
            )
        passed_on = [(name, value) for name, value in metadata.items() if name.startswith("x-")]

        def forward(kind: Callable[..., Any]) -> Callable[[Any, Any], Any]:
            return lambda request, _: kind(method, _same, _same)(request, metadata=passed_on)

        if method.endswith(("ExecutePlan", "ReattachExecute")):
            return grpc.unary_stream_rpc_method_handler(
                _with_errors_of(forward(self._channel.unary_stream)), _same, _same
            )
        if method.endswith("AddArtifacts"):
            return grpc.stream_unary_rpc_method_handler(forward(self._channel.stream_unary), _same, _same)
        call = forward(self._channel.unary_unary)

        def answer(request: bytes, context: Any) -> bytes:
            [said] = _with_errors_of(lambda *given: iter([call(*given)]))(request, context)
            if method.endswith("AnalyzePlan") and base_pb2.AnalyzePlanResponse.FromString(said).HasField(
                "spark_version"
            ):
                return said + _runtime_version()
            return said

        return grpc.unary_unary_rpc_method_handler(answer, _same, _same)


def _with_errors_of(call: Callable[[Any, Any], Any]) -> Callable[[bytes, Any], Iterator[bytes]]:
    """Let the client see the server's error with its details, which is what it makes exceptions of."""

    def answers(request: bytes, context: Any) -> Iterator[bytes]:
        try:
            yield from call(request, context)
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata())
            context.abort(error.code(), error.details())

    return answers


def _same(data: bytes) -> bytes:
    return data


def _runtime_version() -> bytes:
    """Return what Databricks adds to the answer about the version: field 800, the runtime's, inside field 8, Spark's."""
    return _field(8, _field(800, RUNTIME_VERSION.encode()))


def _field(number: int, content: bytes) -> bytes:
    tag, encoded = number << 3 | 2, bytearray()
    while tag > 0x7F:
        encoded.append(tag & 0x7F | 0x80)
        tag >>= 7
    return bytes([*encoded, tag, len(content)]) + content
