"""Commands as separate processes: the simulator serves, the job reads; what leaks, what the exit codes say."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable
from tests.e2e.conftest import environment


@dataclass
class Simulation:
    """A running `genie-obs simulate`."""

    process: subprocess.Popen[str]
    lakehouse: Path
    credentials: dict[str, str]


@pytest.fixture
def simulation(installed: Path, workdir: Path) -> Iterator[Simulation]:
    command = ["simulate", "--lakehouse", "lake", "--env-file", "sim.env", "--messages", "80", "--days", "10", "--json"]
    with (workdir / "simulate.err").open("w") as errors:
        process = subprocess.Popen(
            [str(installed / "genie-obs"), *command],
            cwd=workdir, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())
    pairs = [line.partition("=") for line in (workdir / "sim.env").read_text().splitlines() if "=" in line]
    try:
        yield Simulation(process, workdir / "lake", {name: value.strip("'\"") for name, _, value in pairs})
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def genie_obs(bin_folder: Path, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(bin_folder / "genie-obs"), *arguments],
        cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_debug_output_shows_neither_secret_nor_token_nor_text(
    installed: Path, workdir: Path, simulation: Simulation
) -> None:
    result = genie_obs(
        installed,
        "ingest",
        "--lakehouse",
        "lake",
        "--log-level",
        "DEBUG",
        "--json",
        cwd=workdir,
        **simulation.credentials,
    )

    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "GET /api/2.0/genie/spaces/{space_id}" in output
    assert simulation.credentials["DATABRICKS_SP_CLIENT_SECRET"] not in output
    assert not re.search(r"Bearer|Basic [A-Za-z0-9+/=]{8}|access_token", output)
    rows = DeltaTable(str(simulation.lakehouse / "main/genie_analytics/message_details")).to_pyarrow_table().to_pylist()
    texts = {row[column] for row in rows for column in ("content", "answer_text", "query_sql", "feedback_comment")}
    assert len(rows) > 50
    assert not [text for text in texts if text and len(text) > 12 and text in output]


def test_nothing_secret_is_in_any_file_of_the_lakehouse(installed: Path, workdir: Path, simulation: Simulation) -> None:
    genie_obs(installed, "ingest", "--lakehouse", "lake", cwd=workdir, **simulation.credentials)

    secret = simulation.credentials["DATABRICKS_SP_CLIENT_SECRET"].encode()
    files = [path for path in simulation.lakehouse.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if secret in path.read_bytes()]


def test_log_of_a_run_tells_its_story_in_under_thirty_lines(
    installed: Path, workdir: Path, simulation: Simulation
) -> None:
    result = genie_obs(installed, "ingest", "--lakehouse", "lake", cwd=workdir, **simulation.credentials)

    assert result.returncode == 0
    assert 3 <= len(result.stderr.splitlines()) < 30
    assert "Fetching messages" in result.stderr


def test_simulator_ends_cleanly_and_silent_workspaces_then_give_exit_code_3(
    installed: Path, workdir: Path, simulation: Simulation
) -> None:
    simulation.process.send_signal(signal.SIGINT)
    assert simulation.process.wait(timeout=20) == 0

    result = genie_obs(installed, "ingest", "--lakehouse", "lake", "--json", cwd=workdir, **simulation.credentials)

    record = json.loads(result.stdout.splitlines()[-1])
    assert result.returncode == 3, result.stderr
    assert record["status"] == "partial"
    assert len(record["workspace_errors"]) == 3
    assert all("refused" in error for error in record["workspace_errors"])
    assert record["unread_count"] == record["due_count"] > 0


def test_wrong_secret_gives_exit_code_3_and_names_the_cause(
    installed: Path, workdir: Path, simulation: Simulation
) -> None:
    credentials = {**simulation.credentials, "DATABRICKS_SP_CLIENT_SECRET": "wrong"}

    result = genie_obs(installed, "ingest", "--lakehouse", "lake", cwd=workdir, **credentials)

    assert result.returncode == 3
    assert "invalid_client" in result.stdout


def test_wheel_alone_names_the_extra_that_the_local_engine_needs(installed_bare: Path, workdir: Path) -> None:
    (workdir / "lake" / "system").mkdir(parents=True)
    version = genie_obs(installed_bare, "--version", cwd=workdir)
    result = genie_obs(installed_bare, "init", "--lakehouse", "lake", cwd=workdir)
    demo = genie_obs(installed_bare, "demo", cwd=workdir)

    module = subprocess.run(
        [installed_bare / "python", "-m", "genie_obs", "--version"], capture_output=True, text=True, check=True
    )

    assert version.stdout.startswith("genie-obs ")
    assert module.stdout == version.stdout
    assert (result.returncode, demo.returncode) == (2, 2)
    assert "genie-obs[local]" in result.stderr
    assert "genie-obs[local,preview]" in demo.stderr


def test_wheel_carries_types_and_statements_and_nothing_of_the_checkout(wheel: Path, workdir: Path) -> None:
    shutil.unpack_archive(wheel, workdir, "zip")
    names = {str(path.relative_to(workdir)) for path in workdir.rglob("*") if path.is_file()}

    assert "genie_obs/py.typed" in names
    assert {"genie_obs/datasets/messages/table.sql", "genie_obs/ledger/select_due.sql"} <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "tools"))]
