"""`databricks bundle validate --strict` on this bundle, against minilake, where the Databricks CLI is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from tests.deploy.bundle import GIVEN, ROOT, TARGETS
from tests.deploy.minilake_server import GOOD_TOKEN, running_minilake

OLDEST = (1, 3)


def find_cli() -> str:
    """Return the CLI, or skip: nothing installs it, and the one of another age knows no bundles."""
    cli = shutil.which("databricks")
    if cli is None:
        pytest.skip(
            "the Databricks CLI is not on the PATH: no package registry has it, Databricks' installer brings it"
        )
    said = subprocess.run([cli, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v?(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        pytest.skip(f"the Databricks CLI is older than 1.3: {said.strip()}")
    return cli


@pytest.fixture(scope="module")
def cli() -> str:
    return find_cli()


@pytest.fixture(scope="module")
def host(cli: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_minilake(tmp_path_factory.mktemp("minilake")) as address:
        client = WorkspaceClient(host=address, token=GOOD_TOKEN, auth_type="pat")
        client.api_client.do(
            "POST", "/api/2.0/sql/warehouses", body={"name": "Serverless Starter Warehouse", "cluster_size": "2X-Small"}
        )
        yield address


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what the bundle consists of: the CLI writes beside it."""
    for name in ("resources", "sql", "docs", "python"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("databricks.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("target", TARGETS)
def test_bundle_is_valid_without_a_warning(cli: str, host: str, checkout: Path, target: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "BUNDLE_"))}
    given = {f"BUNDLE_VAR_{name}": value for name, value in GIVEN[target].items() if name != "warehouse_id"}
    done = subprocess.run(
        [cli, "bundle", "validate", "--strict", "--target", target],
        cwd=checkout, capture_output=True, text=True, check=False, timeout=60,
        env={**kept, **given, "HOME": str(checkout), "DATABRICKS_HOST": host, "DATABRICKS_TOKEN": GOOD_TOKEN},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation OK!" in done.stdout
