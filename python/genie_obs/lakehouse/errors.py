"""Turns the many errors of engines (pyspark, gRPC, Py4J, deltalake, the file system) into one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from genie_obs.errors import EngineError, GenieObsError, clean_text

_MOST_CHARACTERS = 300


@contextmanager
def engine_errors(fix: str = "", *, what: str = "") -> Iterator[None]:
    """Turn every error that an engine raises in the block into an `EngineError`. Errors of ours pass unchanged.

    Its `problem` is the first line of the engine's message, after the name of what failed, if `what` names it. Its `fix` is the
    one given here.

    Raises:
        EngineError: for any error that is not ours.
    """
    try:
        yield
    except GenieObsError:
        raise
    except Exception as error:
        said = first_line(error)
        raise EngineError(f"{what} failed: {said}" if what else said, fix) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an engine's message, which may be pages long. If it is empty, return the error's type."""
    text = str(error).strip()
    return clean_text(text.splitlines()[0], limit=_MOST_CHARACTERS) if text else type(error).__name__
