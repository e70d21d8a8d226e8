"""The command from outside, through the real Databricks Connect: its own Python environment, from the lock file, against a stand-in.

The workspace is TLS, a token and Apache Spark; the Genie API is the simulator behind TLS. Nothing here is loopback to the job:
the hosts are trusted because they are listed, and the certificates because their authority is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession
from tests.spark.spark_lake import CATALOG, register_system_tables
from tests.spark.workspace_stand_in import TOKEN, running_workspace, tls_front

from genie_obs.config import EngineSettings
from genie_obs.lakehouse.engines.cluster import ClusterEngine
from genie_obs.lakehouse.statements import our_tables
from genie_obs.simulator import AccountSpec, SimulatedAccount, SimulatorServer, generate_account, write_system_tables

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build" / "connect"
SCHEMA = "from_outside"


def find_python() -> str:
    """Return a Python 3.12, which Databricks Connect of serverless needs, or skip."""
    python = shutil.which("python3.12")
    # pyenv's python3.12 answers only once it is told which one.
    given = {**os.environ, "PYENV_VERSION": "3.12"}
    if python:
        shown = [python, "-c", "import sys; print(sys.executable)"]
        found = subprocess.run(shown, env=given, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    pytest.skip("Databricks Connect 18 needs Python 3.12, which is not installed here")


@pytest.fixture(scope="module")
def command() -> Path:
    """Return `genie-obs` of an environment with the extra `connect`, in the versions of the lock file."""
    uv = ROOT / ".venv" / "bin" / "uv"
    subprocess.run(
        [uv, "sync", "--quiet", "--locked", "--no-default-groups", "--extra", "connect", "--python", find_python()],
        cwd=ROOT, check=True, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT)},
    )  # fmt: skip
    return ENVIRONMENT / "bin" / "genie-obs"


@dataclass
class Outside:
    """A machine outside: what it runs, what it is told, and the account it looks at."""

    command: Path
    environ: dict[str, str]
    account: SimulatedAccount
    spark: SparkSession

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        where = ["--engine", "databricks", "--catalog", CATALOG, "--schema", SCHEMA, "--system-catalog", CATALOG]
        return subprocess.run(
            [self.command, *arguments, *where],
            env=self.environ | environ, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip


@pytest.fixture(scope="module")
def outside(command: Path, spark_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    account = generate_account(
        AccountSpec(seed=5, message_count=60, days=10, workspace_count=2, space_count=4, user_count=9, quirks=False, until=until)
    )  # fmt: skip
    engine = ClusterEngine(EngineSettings(engine=spark_server, catalog=CATALOG, system_catalog=CATALOG))
    with ExitStack() as stack:
        stack.callback(engine.close)
        stack.enter_context(SimulatorServer(account))
        write_system_tables(account, folder)
        hosts = publish_behind_tls(folder / "system" / "access" / "workspaces_latest", authority, stack)
        register_system_tables(engine.spark, folder / "system")
        workspace = stack.enter_context(running_workspace(authority, spark_server))
        kept = ("PATH", "LANG", "LC_ALL")
        environ = {name: os.environ[name] for name in kept if name in os.environ} | {
            "HOME": str(folder),
            "DATABRICKS_HOST": workspace,
            "DATABRICKS_TOKEN": TOKEN,
            "DATABRICKS_SP_CLIENT_ID": account.client_id,
            "DATABRICKS_SP_CLIENT_SECRET": account.client_secret,
            "GENIE_OBS_ALLOWED_HOSTS": ",".join(hosts),
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(folder / "authority.pem"),
            "REQUESTS_CA_BUNDLE": str(folder / "authority.pem"),
            "SSL_CERT_FILE": str(folder / "authority.pem"),
        }
        yield Outside(command, environ, account, engine.spark)


def publish_behind_tls(table: Path, authority: trustme.CA, stack: ExitStack) -> list[str]:
    """Give every workspace an https address, in the system table too. Return host and port of each."""
    rows = DeltaTable(str(table)).to_pyarrow_table()
    urls = [
        stack.enter_context(tls_front(authority, http1=url)) if url.startswith("http://") else url
        for url in rows.column("workspace_url").to_pylist()
    ]
    place = rows.schema.get_field_index("workspace_url")
    write_deltalake(str(table), rows.set_column(place, rows.schema.field(place), [urls]), mode="overwrite")
    return [url.removeprefix("https://") for url in urls]


def test_job_runs_from_outside_through_databricks_connect(outside: Outside) -> None:
    made = outside.run("init")
    assert (made.returncode, made.stderr) == (0, ""), made.stderr
    assert made.stdout.count(": created, ") == len(our_tables())

    done = outside.run("ingest", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout.splitlines()[-1])
    stored = outside.spark.table(f"{CATALOG}.{SCHEMA}.message_details").toArrow().to_pylist()
    truth = {(message.workspace_id, message.message_id): message.content for message in outside.account.messages()}
    assert {(row["workspace_id"], row["message_id"]): row["content"] for row in stored} == truth
    assert (record["status"], record["engine"], record["fetched_count"]) == ("succeeded", "databricks", len(truth))

    again = json.loads(outside.run("ingest", "--json").stdout.splitlines()[-1])
    assert (again["status"], again["due_count"], again["fetched_count"]) == ("succeeded", 0, 0)

    for output in (made, done):
        for secret in (TOKEN, outside.account.client_secret):
            assert secret not in output.stdout + output.stderr


def test_doctor_from_outside_says_that_ingestion_works(outside: Outside) -> None:
    checked = outside.run("doctor")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_wrong_token_is_told_without_showing_it(outside: Outside) -> None:
    refused = outside.run("init", DATABRICKS_TOKEN="a-token-that-nobody-knows")
    assert refused.returncode == 1
    assert "--engine databricks: no Spark session here" in refused.stderr
    assert "docs/connect.md" in refused.stderr
    assert "a-token-that-nobody-knows" not in refused.stderr
    assert "Traceback" not in refused.stderr
