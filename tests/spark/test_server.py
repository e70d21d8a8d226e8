"""The server itself: what it says when it cannot start, and that nothing of it outlives its owner."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tools.spark_connect_server import SparkServerError, missing_parts, prepare, spark_connect_server

TOOL = Path(__file__).parents[2] / "tools" / "spark_connect_server.py"


def processes_with(text: str) -> list[int]:
    """Return the processes whose command line or folder has the text in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue  # ended meanwhile
        if text in command:
            found.append(int(process.name))
    return found


def wait_until(is_so: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_without_java_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "Java is not installed; install a headless JRE of version 17 or newer" in str(missing_parts())
    with pytest.raises(SparkServerError, match="Java is not installed"):
        prepare(tmp_path)


def test_old_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert str(missing_parts()).startswith("Java 11 is too old")


@pytest.mark.long
def test_taken_port_is_named(spark_server: str) -> None:
    port = int(spark_server.rpartition(":")[2])
    with (
        pytest.raises(SparkServerError, match=r"the server ended with \d+:(.|\n)*BindException: Failed to bind"),
        spark_connect_server(port=port),
    ):
        pass


@pytest.mark.long
def test_server_and_its_files_go_when_its_owner_is_killed(spark_server: str, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    owner = subprocess.Popen(
        [sys.executable, str(TOOL), "--port", "0"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith("serving on sc://localhost:")
    assert processes_with(str(tmp_path))
    assert list(tmp_path.iterdir())

    owner.kill()
    owner.wait()
    owner.stdout.close()

    wait_until(lambda: not processes_with(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []
