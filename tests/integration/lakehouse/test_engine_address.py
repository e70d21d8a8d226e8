"""The address of a Spark Connect server may hold a token: no command, log line or report shows it, whatever is wrong."""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from pyspark.sql.connect.client import SparkConnectClient

from genie_obs.command.cli import main
from genie_obs.command.task import RunFailedError, run_task, runtime
from genie_obs.errors import ConfigError, EngineError
from genie_obs.lakehouse.engines.session import connect
from genie_obs.session.crash import describe_crash

CREDENTIALS = {"DATABRICKS_SP_CLIENT_ID": "app-1", "DATABRICKS_SP_CLIENT_SECRET": "made-up"}


@pytest.fixture(autouse=True)
def logger_as_before() -> Iterator[None]:
    """Commands set our logger up for their process; here it is the process of the tests."""
    ours = logging.getLogger("genie_obs")
    before = (ours.level, ours.propagate, list(ours.handlers))
    yield
    ours.level, ours.propagate, ours.handlers[:] = before


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield an address with a token where something listens, and which pyspark refuses with an error that quotes all of it."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"sc://127.0.0.1:{listening.getsockname()[1]}/no-path-is-allowed;use_ssl=true;token=hush"


@pytest.mark.parametrize("command", ["doctor", "erase", "ingest", "init", "plan", "status"])
@pytest.mark.parametrize("mistake", ["refused by the client", "no engine", "user and password"])
def test_no_command_shows_the_token(
    address: str, command: str, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {
        "refused by the client": address,
        "no engine": address.replace("sc://", "spark://"),
        "user and password": address.replace("sc://", "sc://me:hush@"),
    }[mistake]
    more = ["--older-than", "30"] if command == "erase" else []

    code = main([command, *more, "--engine", given, "--log-level", "DEBUG"])

    shown = "".join(capsys.readouterr())
    assert code in {1, 2}
    assert "hush" not in shown
    assert "127.0.0.1" in shown  # what is wrong can be told


def test_task_does_not_log_the_token(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="No service principal"):
        run_task(["--engine=sc://host:443/;use_ssl=true;token=hush", "--schema=s", "--log-level=DEBUG"], {})

    log = capsys.readouterr().err
    assert "with engine=sc://host:443/;*** log_level=DEBUG schema=s" in log
    assert "hush" not in log


def test_error_of_a_task_does_not_quote_the_token(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["task", f"--engine={address}"])

    with pytest.raises(RunFailedError, match=r"Opening a Spark session at sc://127") as raised:
        runtime()

    assert "hush" not in str(raised.value)


def test_report_of_a_crash_hides_the_token_of_an_address() -> None:
    error = RuntimeError("cannot reach sc://host:443/;use_ssl=true;token=hush")

    assert "cannot reach sc://host:443/;***" in describe_crash(error, advice="go on.")


def test_session_on_a_server_that_knows_no_spark_is_closed() -> None:
    """An open one would call the server again when the process ends, for minutes if it does not answer."""
    before = spark_clients()
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with pytest.raises(EngineError, match="Check that the server is up"):
            connect(f"sc://127.0.0.1:{port}")
    finally:
        server.stop(None)

    [client] = [client for client in spark_clients() if client not in before]
    assert client.is_closed


def spark_clients() -> list[SparkConnectClient]:
    return [item for item in gc.get_objects() if isinstance(item, SparkConnectClient)]
