"""The local engine opens a server in this process: nothing of it is left when opening fails, and it never keeps a process from ending."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from genie_obs.config import EngineSettings
from genie_obs.errors import EngineError
from genie_obs.lakehouse.engines import local
from genie_obs.lakehouse.engines.engine import open_engine
from genie_obs.lakehouse.engines.session import connect

OPEN = """
import sys
from pathlib import Path
from genie_obs.config import EngineSettings
from genie_obs.lakehouse.engines.engine import open_engine

def opened():
    engine = open_engine(EngineSettings(lakehouse=Path(sys.argv[1])))
    assert engine.spark.sql("SELECT 1").count() == 1
    return engine
"""
FORGETS = "opened()"
RAISES = "engine = opened()\nraise RuntimeError('of the caller')"
CATCHES = "try:\n    opened(); raise RuntimeError\nexcept RuntimeError:\n    sys.exit(3)"
KEEPS_A_FRAME = "frame = opened().spark.range(7)\nimport gc; gc.collect()\nassert frame.count() == 7"
KEEPS_AN_ITERATOR = "rows = opened().spark.range(10_000_000).toLocalIterator()\nnext(rows)"
CLOSES_TWICE = "engine = opened()\nengine.close()\nengine.close()"


@pytest.fixture
def lakehouse(tmp_path: Path) -> Path:
    """Return a lakehouse without tables, at a path that Sail cannot use as it is."""
    folder = tmp_path / "my lakehouse"
    (folder / "system").mkdir(parents=True)
    return folder


def run(code: str, lakehouse: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own; one that does not end, or leaves a folder behind, is a failure."""
    script = lakehouse.parent / "script.py"
    script.write_text(
        f"import tempfile; tempfile.tempdir = {str(lakehouse.parent)!r}\n{OPEN}\n{code}\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, str(script), str(lakehouse)], capture_output=True, text=True, check=False, timeout=60
    )
    assert sorted(path.name for path in lakehouse.parent.iterdir()) == [lakehouse.name, script.name]
    return done


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [(FORGETS, 0), (RAISES, 1), (CATCHES, 3), (KEEPS_A_FRAME, 0), (KEEPS_AN_ITERATOR, 0), (CLOSES_TWICE, 0)],
    ids=["forgets", "raises", "catches", "keeps a frame", "keeps an iterator", "closes twice"],
)
def test_process_that_opened_the_engine_ends(lakehouse: Path, code: str, exit_code: int) -> None:
    assert run(code, lakehouse).returncode == exit_code


def test_error_of_a_process_that_never_closed_the_engine_is_shown(lakehouse: Path) -> None:
    assert run(RAISES, lakehouse).stderr.rstrip().endswith("RuntimeError: of the caller")


def test_process_ends_where_the_tables_cannot_be_registered(lakehouse: Path) -> None:
    break_audit_log(lakehouse)

    done = run("opened()", lakehouse)

    assert done.returncode == 1
    assert "Error" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("failing", ["session", "registration"])
def test_nothing_stays_open_where_opening_fails(
    lakehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    asked: list[str] = []

    def connect_and_note(url: str) -> Any:
        asked.append(url)
        if failing == "session":
            raise EngineError("no session")
        return connect(url)

    monkeypatch.setattr(local, "connect", connect_and_note)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if failing == "registration":
        break_audit_log(lakehouse)

    with pytest.raises(Exception, match=r"no session|not json|log"):
        open_engine(EngineSettings(lakehouse=lakehouse))

    assert [path.name for path in tmp_path.iterdir()] == [lakehouse.name]
    address = urlsplit(asked[0])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname or "", address.port or 0), timeout=5)


def break_audit_log(lakehouse: Path) -> None:
    log = lakehouse / "system" / "access" / "audit" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("not json", encoding="utf-8")
