"""Runs `minilake`, an emulator of the Databricks API that we did not write, as a process of its own on a free port.

minilake takes any token, so a gate in front of it knows three: one that may do all, one that may not write, and all others.

Run as a program it serves; imported it starts that program.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GOOD_TOKEN = "stand-in-token"
READING_TOKEN = "stand-in-token-that-may-only-read"

_ENVIRONMENT = {
    # Nothing but the API: no notebook server, no image to pull, no extension to download.
    "MINILAKE_NOTEBOOK": "0",
    "MINILAKE_SPARK_PREWARM": "0",
    "MINILAKE_SERVICES": "secrets,identity,sql_warehouses,workspace",
}


@contextmanager
def running_minilake(folder: Path) -> Iterator[str]:
    """Serve and give the address; the folder holds its data."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "MINILAKE_"))}
    extensions = folder / "extensions"
    extensions.mkdir(parents=True)
    environment = {
        **kept,
        **_ENVIRONMENT,
        "MINILAKE_DATA_DIR": str(folder / "data"),
        "MINILAKE_DUCKDB_EXTENSION_DIR": str(extensions),
    }
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, __file__], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert server.stdout is not None
            # The socket listens before its port is printed: the first request waits until minilake is up.
            port = server.stdout.readline().strip()
            assert port, (folder / "log.txt").read_text(encoding="utf-8")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=20)
            if server.stdout is not None:
                server.stdout.close()


class Gate:
    """Refuses what Databricks would: an unknown token, and a write with the token that may only read."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.responses import JSONResponse

        refusal = self._refusal(scope) if scope["type"] == "http" and scope["path"].startswith("/api/") else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, code, message = refusal
        await JSONResponse({"error_code": code, "message": message}, status)(scope, receive, send)

    @staticmethod
    def _refusal(scope: Any) -> tuple[int, str, str] | None:
        token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        if token == GOOD_TOKEN:
            return None
        if token != READING_TOKEN:
            return 401, "UNAUTHENTICATED", "Invalid access token."
        if scope["method"] == "GET":
            return None
        return 403, "PERMISSION_DENIED", "User does not have permission to manage secrets."


def serve() -> None:
    import uvicorn
    from minilake.app import create_app  # type: ignore[import-untyped]  # ships no types

    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdout = sys.stderr  # minilake greets on stdout, which nobody reads from here on
    uvicorn.Server(uvicorn.Config(Gate(create_app()), log_level="warning", http="h11")).run(sockets=[listener])


if __name__ == "__main__":
    serve()
