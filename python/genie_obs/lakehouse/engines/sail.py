"""The server of the local engine: Sail, a Spark Connect server inside this process."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from genie_obs.errors import ConfigError
from genie_obs.lakehouse.sql import Names

FIRST_SYSTEM_SCHEMA = "access"  # Sail makes one schema of each catalog as it starts
_M_ARENA_MAX = -8  # malloc.h of glibc


class SailServer:
    """A server that runs from its creation until `stop`, or until no object refers to it any more."""

    def __init__(self, names: Names) -> None:
        """Start a server with two empty catalogs, ours and that of the system tables.

        Raises:
            ConfigError: if Sail is not installed.
        """
        server_class = _load_server_class()
        catalogs = ", ".join(
            f'{{name="{name}", type="memory", initial_database=["{schema}"]}}'
            for name, schema in ((names.catalog, names.schema), (names.system_catalog, FIRST_SYSTEM_SCHEMA))
        )
        # Sail reads its settings from the environment when the server starts, and only from there.
        with _environment(
            SAIL_CATALOG__LIST=f"[{catalogs}]", SAIL_CATALOG__DEFAULT_CATALOG=names.catalog, RUST_LOG="off"
        ):
            self._server = server_class("127.0.0.1", 0)
            self._server.start(background=True)

    @property
    def url(self) -> str:
        """Return the address that Spark Connect clients take."""
        host, port = self._server.listening_address
        return f"sc://{host}:{port}"

    def stop(self) -> None:
        """Stop it. Waits until sessions that are still open have finished their work."""
        self._server.stop()


def _load_server_class() -> Any:
    try:
        import pyarrow as pa

        # Sail and Arrow allocate with mimalloc, which gives back free memory late: a run would hold a third more than it uses. The
        # mimalloc of Sail reads its settings when it is loaded. That of Arrow is loaded already, so Arrow takes another allocator.
        pa.set_memory_pool(pa.system_memory_pool())
        share_one_heap()
        with _environment(MIMALLOC_PURGE_DELAY=os.environ.get("MIMALLOC_PURGE_DELAY", "0")):
            from pysail.spark import SparkConnectServer
    except ImportError as error:
        raise ConfigError(
            f"--engine local needs packages that are not installed ({error.name})",
            "Install them with: pip install 'genie-obs[local]'",
        ) from error
    return SparkConnectServer


def share_one_heap() -> None:
    """Let all threads allocate from one heap: memory that one of them has freed, the others can use.

    The C library of most Linux systems gives threads heaps of their own, up to eight for each core. A run of the local engine then
    holds some 70 MiB more than it uses. On other systems nothing is done.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):  # musl has none
        mallopt(_M_ARENA_MAX, 1)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables for a block and put the old ones back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
