"""What the network sees of the credentials: nothing, with TLS and through a proxy; and which children inherit them: none."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from tests.integration.conftest import World

from genie_obs.config import parse_settings

SECRET = "made-up-secret-of-a-test"
TOKEN = "made-up-token-of-a-test"
PAIR = base64.b64encode(f"app:{SECRET}".encode()).decode()

# Runs in a process of its own: a certificate authority is trusted by a variable that is read once.
CLIENT = """
import asyncio, sys
from genie_obs.clock import SystemClock
from genie_obs.errors import GenieObsError
from genie_obs.genie_api.api import ApiSettings, GenieApi, open_session
from genie_obs.genie_api.oauth import TokenSource
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.retry import RetryPolicy
from genie_obs.secret import Credentials, Secret

async def main(host, proxy, secret):
    clock, retry = SystemClock(), RetryPolicy(max_attempts=1)
    async with open_session(ApiSettings(), 4, proxy=proxy or None) as session:
        shared = dict(workspace_id="42", host=host, session=session, clock=clock, retry=retry)
        tokens = TokenSource(**shared, credentials=Credentials(client_id="app", client_secret=Secret(secret)))
        api = GenieApi(**shared, tokens=tokens, limiter=AdaptiveLimiter(clock))
        try:
            print((await api.get_message("s", "c", "m"))["message_id"])
        except GenieObsError as error:
            print(f"{type(error).__name__}: {error}")

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass
class Service:
    """A workspace behind TLS; `authorizations` are the headers it was sent."""

    ca: trustme.CA
    url: str = ""
    authorizations: list[str] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.authorizations.append(request.headers["Authorization"])
        is_token = request.path == "/oidc/v1/token"
        return web.json_response({"access_token": TOKEN} if is_token else {"message_id": "m"})


@asynccontextmanager
async def service(name: str = "127.0.0.1") -> AsyncIterator[Service]:
    """Serve on loopback with a certificate for `name`."""
    there = Service(trustme.CA())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.ca.issue_cert(name).configure_cert(context)
    runner = web.ServerRunner(web.Server(there.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    there.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield there
    finally:
        await runner.cleanup()


@dataclass
class Proxy:
    """An HTTP proxy that keeps every byte it was given."""

    url: str = ""
    seen: bytearray = field(default_factory=bytearray)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen += head
        host, _, port = head.split()[1].decode().rpartition(":")
        upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(self._pump(reader, upstream_writer, is_kept=True), self._pump(upstream_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_kept: bool = False) -> None:
        while data := await reader.read(65_536):
            if is_kept:
                self.seen += data
            writer.write(data)
        writer.close()


@asynccontextmanager
async def proxying() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()


async def ask(there: Service, folder: Path, *, proxy: str = "", is_trusted: bool = True) -> str:
    """Read a message with our client in a process of its own and return what it prints."""
    authority = folder / "ca.pem"
    there.ca.cert_pem.write_to_path(str(authority))
    trust = {"SSL_CERT_FILE": str(authority)} if is_trusted else {}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, there.url, proxy, SECRET, env={**os.environ, **trust}, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    return out.decode().strip()


def test_certificate_of_a_trusted_authority_is_accepted(tmp_path: Path) -> None:
    async def main() -> None:
        async with service() as there:
            assert await ask(there, tmp_path) == "m"
            assert there.authorizations == [f"Basic {PAIR}", f"Bearer {TOKEN}"]

    asyncio.run(main())


@pytest.mark.parametrize(("name", "is_trusted"), [("127.0.0.1", False), ("other.example", True)])
def test_untrusted_certificate_and_one_for_another_name_get_nothing(
    tmp_path: Path, name: str, is_trusted: bool
) -> None:
    async def main() -> None:
        async with service(name) as there:
            said = await ask(there, tmp_path, is_trusted=is_trusted)
            assert said.startswith("WorkspaceUnreachableError")
            assert "TLS certificate" in said
            assert there.authorizations == []

    asyncio.run(main())


def test_proxy_sees_where_to_and_neither_secret_nor_token(tmp_path: Path) -> None:
    async def main() -> None:
        async with service() as there, proxying() as proxy:
            assert await ask(there, tmp_path, proxy=proxy.url) == "m"
            assert there.authorizations == [f"Basic {PAIR}", f"Bearer {TOKEN}"]
            assert proxy.seen.startswith(f"CONNECT {there.url.removeprefix('https://')} HTTP/1.1\r\n".encode())
            assert len(proxy.seen) > 1_000
            for hidden in (SECRET, TOKEN, PAIR, "Authorization", "Bearer"):
                assert hidden.encode() not in proxy.seen

    asyncio.run(main())


def test_plain_http_is_not_sent_through_a_proxy_not_even_to_this_machine(clean_world: World) -> None:
    async def main() -> None:
        async with proxying() as proxy:
            record = await asyncio.to_thread(clean_world.run, proxy=proxy.url)
            assert record.status == "partial"
            assert all("plain http" in line for line in record.workspace_errors)
            assert proxy.seen == b""

    asyncio.run(main())
    assert clean_world.server.stats.calls() == 0


def test_workspace_under_a_foreign_name_is_skipped_and_gets_nothing(clean_world: World) -> None:
    first = next(iter(clean_world.account.workspaces.values()))
    first.url = "https://workspace.attacker.example"

    record = clean_world.run()

    [error] = record.workspace_errors
    assert "none of Databricks' domains" in error
    assert "--allowed-hosts" in error
    assert record.fetched_count > 0


def test_allowed_hosts_has_one_spelling() -> None:
    hosts = ("genie.acme.com", "*.databricks.acme.com")
    by_flag = parse_settings({"allowed_hosts": ",".join(hosts)}, {})

    assert by_flag == parse_settings({}, {"GENIE_OBS_ALLOWED_HOSTS": ",".join(hosts)})
    assert by_flag.fetch.host_rules(is_loopback=False).allowed_hosts == hosts


def test_browser_that_is_opened_does_not_inherit_the_credentials(clean_world: World, tmp_path: Path) -> None:
    clean_world.run()
    seen, browser = tmp_path / "seen.txt", tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\nenv > {seen}.part && mv {seen}.part {seen}\n")
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    credentials = {"DATABRICKS_SP_CLIENT_ID": "app", "DATABRICKS_SP_CLIENT_SECRET": SECRET}
    process = subprocess.Popen(
        [sys.executable, "-m", "genie_obs", "dashboard", "serve", "--lakehouse", str(clean_world.lakehouse), "--port", "0", "--open"],
        env={**os.environ, **credentials, "BROWSER": f"{browser} %s", "PYTHONPATH": "python"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not seen.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        inherited = seen.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

    assert "PATH=" in inherited
    assert "DATABRICKS_SP" not in inherited
