"""What this process keeps to itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from genie_obs.secret import CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE
from genie_obs.session.process import held_credentials

VALUE = "not-a-real-value"


def test_children_started_meanwhile_inherit_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLIENT_ID_VARIABLE, "app")
    monkeypatch.setenv(CLIENT_SECRET_VARIABLE, VALUE)

    with held_credentials(os.environ) as environ:
        inherited = subprocess.run(
            [sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True, check=True
        )
        assert VALUE not in repr(os.environ)
        assert (environ[CLIENT_ID_VARIABLE], environ[CLIENT_SECRET_VARIABLE]) == ("app", VALUE)
        assert environ["PATH"] == os.environ["PATH"]

    assert VALUE.encode() not in inherited.stdout
    assert os.environ[CLIENT_SECRET_VARIABLE] == VALUE


def test_environment_is_as_before_even_after_a_failure_and_where_nothing_was_set() -> None:
    environ = {CLIENT_SECRET_VARIABLE: VALUE, "OTHER": "x"}

    def fail() -> None:
        with held_credentials(environ) as held:
            assert sorted(held) == [CLIENT_SECRET_VARIABLE, "OTHER"]
            assert (len(held), held.get(CLIENT_ID_VARIABLE, "none")) == (2, "none")
            assert environ == {"OTHER": "x"}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert environ == {CLIENT_SECRET_VARIABLE: VALUE, "OTHER": "x"}


def test_held_environment_does_not_show_itself() -> None:
    with held_credentials({CLIENT_SECRET_VARIABLE: VALUE, "OTHER": "x"}) as held:
        assert VALUE not in f"{held} {held!r} {vars(held)}"


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_kernel_is_told_to_dump_no_memory() -> None:
    ask = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    forbid = "from genie_obs.session.process import forbid_memory_dumps; forbid_memory_dumps()"
    answers = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.strip()
        for code in (ask, f"{forbid}; {ask}")
    ]

    assert answers == ["1", "0"]


@pytest.mark.parametrize(
    ("call", "frozen"), [("main()", True), ("main(['--version'])", False)], ids=["own process", "a notebook's process"]
)
def test_garbage_is_left_alone_at_the_end_of_a_process_of_ours_only(call: str, frozen: bool) -> None:
    told = "print(gc.get_freeze_count() > 0, gc.get_threshold()[0] > 10_000)"
    code = f"import gc, sys; from genie_obs.command.cli import main; sys.argv[1:] = ['--version']; {call}; {told}"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert done.stdout.splitlines()[-1] == f"{frozen} {frozen}"
