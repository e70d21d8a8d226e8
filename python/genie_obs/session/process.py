"""Settings of the whole process: credentials stay out of child processes and core dumps, garbage is collected less often."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager

from genie_obs.secret import CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE, CONTENT_HASH_KEY_VARIABLE, Secret

_PR_SET_DUMPABLE = 4  # linux/prctl.h
_OBJECTS_BETWEEN_COLLECTIONS = (
    20_000  # With Python's own 700, what is imported at start-up is looked through hundreds of times: 0.07 s
)


class HeldEnvironment(Mapping[str, str]):
    """An environment from which values were taken out: it still reads as before, and its repr does not show them."""

    def __init__(self, held: Mapping[str, Secret], rest: Mapping[str, str]) -> None:
        self._held = dict(held)
        self._rest = rest

    def __getitem__(self, name: str) -> str:
        return self._held[name].reveal() if name in self._held else self._rest[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._held, **self._rest})

    def __len__(self) -> int:
        return len({**self._held, **self._rest})

    def __repr__(self) -> str:
        return f"HeldEnvironment({self._held!r}, …)"


@contextmanager
def held_credentials(environ: MutableMapping[str, str]) -> Iterator[HeldEnvironment]:
    """Take the credentials out of an environment for a block, and put them back.

    What is started meanwhile (a browser, a Spark client's helper) does not inherit them, and nothing that prints the
    environment shows them. They are put back because a notebook may call the command again.
    """
    names = (CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE, CONTENT_HASH_KEY_VARIABLE)
    held = {name: Secret(environ.pop(name)) for name in names if name in environ}
    try:
        yield HeldEnvironment(held, environ)
    finally:
        environ.update({name: value.reveal() for name, value in held.items()})


def forbid_memory_dumps() -> None:
    """Ask Linux for no core dump of this process, and to let no other process of the same user look into it.

    That covers `/proc/<pid>/environ` too, which keeps what the process was started with. Elsewhere nothing is done.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect cyclic garbage less often while a process of ours works, and not at all when it ends: saves 0.1 s of a start of 1 s.

    Only for a process that ends after the block: objects that are alive then are never collected.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        yield
    finally:
        gc.freeze()
