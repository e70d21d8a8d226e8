"""Whatever an engine raises becomes an error of ours."""

from __future__ import annotations

import pytest

from genie_obs.errors import ConfigError, EngineError
from genie_obs.lakehouse.errors import engine_errors


@pytest.mark.parametrize(
    ("raised", "problem"),
    [
        (RuntimeError("Table not found: x\n  at line 1\n  at line 2"), "Table not found: x"),
        (OSError(13, "Permission denied"), "[Errno 13] Permission denied"),
        (KeyError(), "KeyError"),
        (RuntimeError("long " * 1000), "long " * 59 + "long…"),
        (RuntimeError("forged\x1b[0m\tline"), "forged [0m line"),
    ],
    ids=["pages", "file system", "says nothing", "long", "control characters"],
)
def test_error_of_an_engine_is_one_line_with_the_fix(raised: Exception, problem: str) -> None:
    with pytest.raises(EngineError) as caught, engine_errors("Ask for the grant."):
        raise raised

    assert (caught.value.problem, caught.value.fix) == (problem, "Ask for the grant.")
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize(
    "ours", [ConfigError("wrong", "Correct it."), EngineError("gone", "Start it."), KeyboardInterrupt()]
)
def test_errors_of_ours_and_interrupts_pass(ours: BaseException) -> None:
    with pytest.raises(type(ours)) as caught, engine_errors("Ask for the grant."):
        raise ours

    assert caught.value is ours
