"""Engines raise what they like: errors of pyspark, gRPC, Py4J, deltalake, the file system. Here they become one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from genie_obs.errors import EngineError, GenieObsError, clean_text

_MOST_CHARACTERS = 300


@contextmanager
def engine_errors(fix: str = "") -> Iterator[None]:
    """Let whatever an engine raises in the block leave it as an `EngineError`; errors of ours pass as they are.

    Its `problem` is the first line of what the engine said, its `fix` is the one given here.

    Raises:
        EngineError: for any error that is not ours.
    """
    try:
        yield
    except GenieObsError:
        raise
    except Exception as error:
        raise EngineError(first_line(error), fix) from error


def first_line(error: BaseException) -> str:
    """Return the head of an engine's message, which may be pages long; the error's type where it says nothing."""
    text = str(error).strip()
    return clean_text(text.splitlines()[0], limit=_MOST_CHARACTERS) if text else type(error).__name__
