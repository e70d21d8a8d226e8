"""The wheel, built and installed into an environment that holds nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = str(Path(sys.executable).with_name("uv"))


def environment(**values: str) -> dict[str, str]:
    """Return the variables a command gets: nothing of ours, nothing of the checkout's environment."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GENIE_OBS_", "DATABRICKS_", "PYTHON", "VIRTUAL_ENV", "COVERAGE"))
    }
    return {**kept, "COLUMNS": "160", "TZ": "UTC", "LC_ALL": "C.UTF-8", **values}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", str(out)], cwd=ROOT, check=True, env=environment())
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with the wheel and its extras `local` and `preview`, no checkout in sight."""
    return install(wheel, "[local,preview]", tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def installed_bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment with the wheel alone, as on Databricks where pyspark comes with the runtime."""
    return install(wheel, "", tmp_path_factory.mktemp("bare"))


def install(wheel: Path, extras: str, folder: Path) -> Path:
    python = folder / "bin" / "python"
    subprocess.run(
        [UV, "venv", "--quiet", "--python", sys.executable, str(folder), "--clear"], check=True, env=environment()
    )
    # The versions that were locked, so that a release of today does not decide this test.
    constraints = folder / "constraints.txt"
    with constraints.open("w") as file:
        subprocess.run(
            [UV, "export", "--quiet", "--locked", "--extra", "local", "--extra", "preview", "--no-dev", "--no-hashes", "--no-emit-project"],
            cwd=ROOT, check=True, env=environment(UV_PROJECT_ENVIRONMENT=str(ROOT / ".venv")), stdout=file,
        )  # fmt: skip
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--python", str(python), "--constraint", str(constraints), f"{wheel}{extras}"],
        check=True, env=environment(),
    )  # fmt: skip
    return python.parent


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """Return an empty folder to run commands in."""
    folder = tmp_path / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
