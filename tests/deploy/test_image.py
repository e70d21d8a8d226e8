"""The wheel installs on serverless compute without replacing anything that its image ships."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.deploy.bundle import ROOT

IMAGE = Path(__file__).parent / "serverless_environment_5.txt"
OFFLINE = ("Failed to fetch", "error sending request", "dns error", "Could not connect")


def resolve(tmp_path: Path, *requirements: str) -> dict[str, str]:
    """Return the versions by which these are installed beside what the image ships; skips without a package index."""
    wanted = tmp_path / "requirements.in"
    wanted.write_text("\n".join(requirements))
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run(
        [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", "3.12.3", wanted],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode and any(sign in done.stderr for sign in OFFLINE):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"(?m)^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", done.stdout))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return everything the image holds: what it names, and what that needs."""
    return resolve(tmp_path_factory.mktemp("image"), IMAGE.read_text())


def test_nothing_that_the_image_ships_is_replaced(image: dict[str, str], tmp_path: Path) -> None:
    beside = resolve(tmp_path, *(f"{name}=={version}" for name, version in image.items()), str(ROOT))

    assert {name: version for name, version in beside.items() if name in image} == image
    # `genie-obs` itself is a path, which has no version.
    assert set(beside) - set(image) <= {
        "aiohappyeyeballs", "aiohttp", "aiosignal", "attrs", "frozenlist", "multidict", "propcache", "yarl",  # aiohttp
        "markdown-it-py", "mdurl", "rich",  # rich
        "msgspec", "phonenumberslite",
    }  # fmt: skip
