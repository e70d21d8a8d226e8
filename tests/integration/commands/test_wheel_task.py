"""The wheel task as Databricks' launcher runs it: built, installed, entry point found by name, called inside an event loop."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.conftest import MakeWorld, World

from genie_obs.command.task import TaskOptions, parse_options, parse_parameters
from genie_obs.errors import ConfigError

ROOT = Path(__file__).parents[3]

# What Databricks documents: the entry point of that name in the package's metadata, without arguments, what comes back is ignored;
# where the metadata has none, `package_name.entry_point()`. Its own launchers, where they can be read, take the name from any
# group. Arguments are in sys.argv and an event loop already runs.
LAUNCHER = """
import asyncio, importlib, importlib.metadata, sys

def find(way):
    if way == "metadata":
        [entry] = [ep for ep in importlib.metadata.distribution("genie_obs").entry_points if ep.name == "runtime"]
        return entry.load()
    return getattr(importlib.import_module("genie_obs"), "runtime")

async def launch(way):
    assert find(way)() is None

asyncio.run(launch(sys.argv.pop(1)))
"""


@dataclass
class Ended:
    exit_code: int
    log: list[str]
    error: str


Launch = Callable[..., Ended]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the installed wheel; what it depends on comes from the environment of the tests."""
    uv = str(Path(sys.executable).with_name("uv"))
    dist, site = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(dist)], cwd=ROOT, check=True)
    [wheel] = dist.glob("*.whl")
    install = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--python",
        sys.executable,
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True)
    return site


@pytest.fixture
def launch(site: Path, tmp_path: Path) -> Launch:
    """Return a function that runs the task in a process of its own, in an empty folder."""
    launcher = tmp_path / "launcher.py"
    launcher.write_text(LAUNCHER, encoding="utf-8")
    workdir = tmp_path / "anywhere"
    workdir.mkdir()

    def run(*arguments: str, way: str = "metadata", **variables: str) -> Ended:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GENIE_OBS_", "DATABRICKS_", "PYTHON"))}
        done = subprocess.run(
            [sys.executable, str(launcher), way, *arguments],
            cwd=workdir, env={**kept, "PYTHONPATH": str(site), **variables}, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert not list(workdir.iterdir())
        log, _, error = done.stderr.partition("Traceback (most recent call last)")
        return Ended(done.returncode, log.splitlines(), error)

    return run


def credentials(world: World, **changed: str) -> dict[str, str]:
    account = world.account
    pair = {"DATABRICKS_SP_CLIENT_ID": account.client_id, "DATABRICKS_SP_CLIENT_SECRET": account.client_secret}
    return {**pair, **changed}


def parameters(world: World) -> list[str]:
    """Return what the bundle's job passes: every parameter, most of them empty."""
    return [
        "--engine=local", f"--lakehouse={world.lakehouse}", "--catalog=main", "--schema=genie_analytics", "--workspace-ids=",
        "--space-ids=", "--days-lookback=60", "--overlap-days=", "--max-requests-per-second=", "--partial-ok=", "--log-level=",
    ]  # fmt: skip


@pytest.mark.parametrize("way", ["metadata", "package attribute"])
def test_task_ingests_and_ends_well_inside_a_running_event_loop(launch: Launch, clean_world: World, way: str) -> None:
    ended = launch(*parameters(clean_world), way=way, **credentials(clean_world))
    assert (ended.exit_code, ended.error) == (0, "")
    assert len(clean_world.read("message_details")) == 60


@pytest.mark.parametrize("way", ["metadata", "package attribute"])
def test_task_finds_its_parameters_and_raises_whichever_way_it_is_called(
    launch: Launch, clean_world: World, way: str
) -> None:
    ended = launch(*parameters(clean_world), "--days-lookback=soon", way=way, **credentials(clean_world))
    assert ended.exit_code == 1
    assert "RunFailedError: Wrong parameters or configuration: --days-lookback 'soon'" in ended.error


def test_log_tells_the_story_in_under_thirty_lines(launch: Launch, clean_world: World) -> None:
    ended = launch(*parameters(clean_world), **credentials(clean_world))
    assert 5 <= len(ended.log) < 30
    assert "days_lookback=60" in ended.log[0]
    assert any("60 due, 60 fetched" in line for line in ended.log)
    assert clean_world.account.client_secret not in "\n".join(ended.log)


def test_refused_credentials_raise_with_the_workspace_and_the_fix(launch: Launch, clean_world: World) -> None:
    ended = launch(*parameters(clean_world), **credentials(clean_world, DATABRICKS_SP_CLIENT_SECRET="wrong"))
    assert ended.exit_code == 1
    assert "RunPartialError: 2 workspaces could not be read" in ended.error
    assert all(workspace_id in ended.error for workspace_id in clean_world.account.workspaces)
    [record] = clean_world.read("ingestion_runs")
    assert record["status"] == "partial"


@pytest.mark.parametrize("switch", ["--partial-ok=true", "--partial-ok", "variable"])
def test_partial_run_succeeds_where_that_is_wanted(launch: Launch, clean_world: World, switch: str) -> None:
    variables = {"GENIE_OBS_PARTIAL_OK": "true"} if switch == "variable" else {}
    arguments = [*parameters(clean_world), *([] if variables else [switch])]
    ended = launch(*arguments, **credentials(clean_world, DATABRICKS_SP_CLIENT_SECRET="wrong"), **variables)
    assert (ended.exit_code, ended.error) == (0, "")


def test_wrong_parameters_raise_before_anything_is_written(launch: Launch, clean_world: World) -> None:
    ended = launch(*parameters(clean_world), "--days-lookback=soon", **credentials(clean_world))
    assert ended.exit_code == 1
    assert "RunFailedError: Wrong parameters or configuration: --days-lookback 'soon'" in ended.error
    assert not (clean_world.lakehouse / "main").exists()


def test_missing_credentials_raise_and_say_where_they_belong(launch: Launch, clean_world: World) -> None:
    ended = launch(*parameters(clean_world))
    assert "secret scope genie-obs" in ended.error


def test_crash_names_the_place_and_quotes_no_chained_error(
    launch: Launch, clean_world: World, site: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(site, broken)
    (broken / "genie_obs" / "ledger" / "merge_witnesses.sql").unlink()
    ended = launch(*parameters(clean_world), **credentials(clean_world), PYTHONPATH=str(broken))
    assert ended.exit_code == 1
    assert "RunFailedError: Crashed: FileNotFoundError in " in ended.error
    assert any(line.lstrip().startswith("at ") or "  at " in line for line in ended.log)
    assert "During handling" not in ended.error


def test_damaged_table_is_named(launch: Launch, make_world: MakeWorld) -> None:
    world = make_world(quirks=False, message_count=20, workspace_count=1, space_count=2)
    launch(*parameters(world), **credentials(world))
    log = world.lakehouse / "main" / "genie_analytics" / "message_ledger" / "_delta_log"
    for entry in log.glob("*.json"):
        entry.write_text("not json", encoding="utf-8")
    ended = launch(*parameters(world), **credentials(world))
    assert ended.exit_code == 1
    assert "RunFailedError: The run failed: " in ended.error
    assert "message_ledger" in ended.error


def test_outside_databricks_the_default_engine_says_what_to_install(launch: Launch, world: World) -> None:
    ended = launch("--catalog=main", **credentials(world))
    assert ended.exit_code == 1
    assert "--engine databricks outside Databricks needs Databricks Connect" in ended.error


def test_on_databricks_without_a_session_the_reason_is_named(launch: Launch, world: World) -> None:
    ended = launch("--catalog=main", **credentials(world), DATABRICKS_RUNTIME_VERSION="client.5.0")
    assert ended.exit_code == 1
    assert "RunFailedError: The run failed: --engine databricks: no Spark session here. " in ended.error


def test_parameters_come_in_every_form_the_launcher_may_use() -> None:
    arguments = [
        "--days-lookback=7",
        "--workspace_ids",
        "1,2",
        "--space-ids",
        "",
        "--partial-ok",
        "--schema=s",
        "--schema=t",
    ]
    assert parse_parameters(arguments) == {
        "days_lookback": "7", "workspace_ids": "1,2", "space_ids": "", "partial_ok": "true", "schema": "t",
    }  # fmt: skip


def test_all_unknown_parameters_are_named_together() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_parameters(["ingest", "--schema=s", "--day_lookback=7"])
    assert [problem.problem for problem in raised.value.problems] == [
        "'ingest' is no parameter of this task", "'--day_lookback' is no parameter of this task",
    ]  # fmt: skip
    assert "--days-lookback, " in raised.value.problems[0].fix
    assert raised.value.problems[1].fix == "Did you mean --days-lookback?"


@pytest.mark.parametrize("arguments", [["--client-secret=hush"], ["--client-secret", "hush"]])
def test_value_of_an_unknown_parameter_is_not_repeated(arguments: list[str]) -> None:
    with pytest.raises(ConfigError, match="'--client-secret' is no parameter") as raised:
        parse_parameters(arguments)
    assert len(raised.value.problems) == 1
    assert "hush" not in str(raised.value)


def test_options_are_checked_together() -> None:
    with pytest.raises(ConfigError, match="2 problems"):
        parse_options({"partial_ok": "maybe", "log_level": "loud"}, {})


def test_empty_option_is_not_set_so_that_the_variable_counts() -> None:
    options = parse_options({"partial_ok": "", "log_level": " "}, {"GENIE_OBS_LOG_LEVEL": "debug"})
    assert options == TaskOptions(is_partial_ok=False, log_level="DEBUG")
