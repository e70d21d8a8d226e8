"""`genie-obs simulate` as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from deltalake import DeltaTable

from genie_obs.simulator.command import simulate_command

SMALL = ["--messages", "80", "--days", "5", "--spaces", "4", "--workspaces", "2", "--until", "2026-11-20T15:00:00Z"]
PROGRAM = "from genie_obs.simulator.command import simulate_command; simulate_command(prog_name='simulate')"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(simulate_command, arguments)


@contextmanager
def serving(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, "--json", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with serving("--lakehouse", str(tmp_path / "lake"), *SMALL) as (process, ready):
        assert len(ready["urls"]) == 2
        host, port = next(iter(ready["urls"].values())).removeprefix("http://").split(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0
    assert out == ""
    assert "Stopped after" in err


def test_live_account_grows(tmp_path: Path) -> None:
    options = ["--live", "--tick-seconds", "0.1", "--speed", "360000"]
    with serving("--lakehouse", str(tmp_path / "lake"), *SMALL, *options) as (process, ready):
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert all("became visible" in line for line in lines)
    assert len(DeltaTable(tmp_path / "lake/system/access/audit").to_pyarrow_table()) > ready["rows"]["access.audit"]


def test_write_only_ends_by_itself(tmp_path: Path) -> None:
    result = run("--lakehouse", str(tmp_path / "lake"), "--write-only", "--json", *SMALL)
    ready = json.loads(result.stdout)
    assert result.exit_code == 0
    assert ready["messages"] == 80
    assert ready["urls"] == {}
    assert Path(ready["env_file"]) == tmp_path / "simulator.env"


def test_credentials_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    env_file = tmp_path / "own.env"
    assert (
        run("--lakehouse", str(tmp_path / "lake"), "--env-file", str(env_file), "--write-only", *SMALL).exit_code == 0
    )
    names = [line.partition("=")[0] for line in env_file.read_text().splitlines() if not line.startswith("#")]
    assert names == ["DATABRICKS_SP_CLIENT_ID", "DATABRICKS_SP_CLIENT_SECRET"]
    assert env_file.stat().st_mode & 0o777 == 0o600


def test_env_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    env_file = tmp_path / "own.env"
    env_file.write_text("KEEP=me\n")
    result = run("--lakehouse", str(tmp_path / "lake"), "--env-file", str(env_file), "--write-only", *SMALL)
    assert result.exit_code == 2
    assert "was not written by the simulator" in result.stderr
    assert env_file.read_text() == "KEEP=me\n"


def test_same_options_write_the_same_account(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        run("--lakehouse", str(tmp_path / name / "lake"), "--write-only", *SMALL)
        table = DeltaTable(tmp_path / name / "lake/system/access/audit").to_pyarrow_table()
        texts.append(table.sort_by([("event_id", "ascending")]))
    assert texts[0].equals(texts[1])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--fault", "get_message"], "operation:status-or-action"),
        (["--fault", "get_message:explode"], "no fault action"),
        (["--until", "yesterday"], "no instant"),
        (["--live", "--write-only"], "--live needs a server"),
        (["--workspaces", "9", "--spaces", "3"], "space_count"),
        (["--messages", "-1"], "--messages"),
    ],
)
def test_usage_errors_exit_with_2_and_say_why(tmp_path: Path, options: list[str], problem: str) -> None:
    result = run("--lakehouse", str(tmp_path / "lake"), *options)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not (tmp_path / "lake").exists()


def test_bad_fault_file_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text("{}")
    result = run("--lakehouse", str(tmp_path / "lake"), "--fault-file", str(file))
    assert result.exit_code == 2
    assert "list of objects" in result.stderr


def test_busy_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("--lakehouse", str(tmp_path / "lake"), "--port", str(taken.getsockname()[1]), *SMALL)
    assert result.exit_code == 2
    assert "Cannot open the ports" in result.stderr


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--lakehouse", str(tmp_path / "file" / "lake"), "--write-only", *SMALL)
    assert result.exit_code == 2
    assert "Cannot write the simulated account" in result.stderr
