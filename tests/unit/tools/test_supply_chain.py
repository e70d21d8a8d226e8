"""Licences, list of parts, audit and lock of what the wheel pulls in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile in the environment of this test, without setting it up again."""
    return subprocess.run(
        ["make", "--silent", "--old-file=setup", f"BIN={Path(sys.executable).parent}", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "UV_HTTP_RETRIES": "0"},
    )  # fmt: skip


def required_by_the_wheel() -> set[str]:
    """Return what the wheel itself names, with every extra but `connect`, which excludes `local`."""
    needed = map(Requirement, metadata.requires("genie-obs") or ())
    return {canonicalize_name(one.name) for one in needed if 'extra == "connect"' not in str(one.marker)}


def test_every_licence_of_what_the_wheel_pulls_in_is_allowed() -> None:
    done = make("licences")

    assert done.returncode == 0, done.stderr
    listed = {canonicalize_name(line.split()[0]) for line in done.stdout.splitlines() if line.strip()}
    assert required_by_the_wheel() | {"numpy", "urllib3"} <= listed
    assert not {"pytest", "mypy", "ruff"} & listed


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "MIT AND GPL-3.0-only", "LGPL-3.0-or-later", ""])
def test_licence_that_is_not_on_the_list_fails(licence: str, tmp_path: Path) -> None:
    facts = tmp_path / "made_up-1.0.dist-info" / "METADATA"
    facts.parent.mkdir()
    stated = f"License-Expression: {licence}\n" if licence else ""
    facts.write_text(f"Metadata-Version: 2.4\nName: made-up\nVersion: 1.0\n{stated}", encoding="utf-8")

    done = subprocess.run(
        [Path(sys.executable).with_name("pip-licenses"), "--packages", "made-up"],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip

    assert done.returncode == 1
    assert f"license {licence or 'UNKNOWN'} not in allow-only licenses" in done.stderr


def test_every_locked_package_has_a_hash_and_comes_from_the_public_index() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]

    for package in locked:
        if package["name"] == "genie-obs":
            continue
        assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        assert files
        assert all(item["hash"].startswith("sha256:") for item in files), package["name"]


@pytest.mark.long  # the schema takes seven seconds, and only uv.lock changes the list
def test_list_of_parts_is_valid_and_names_what_the_wheel_pulls_in(tmp_path: Path) -> None:
    out = tmp_path / "genie-obs.cdx.json"
    done = make("sbom", f"SBOM={out}")

    assert done.returncode == 0, done.stderr
    listed = json.loads(out.read_text(encoding="utf-8"))
    # The schema takes 0.1 s for each address of a file, and there are a thousand: those of three packages show the form as well.
    few = [
        {**part, "externalReferences": part["externalReferences"][: 2 if number < 3 else 0]}
        for number, part in enumerate(listed["components"])
    ]
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps({**listed, "components": few})) is None
    assert listed["metadata"]["component"]["name"] == "genie-obs"
    assert listed["metadata"]["component"]["version"]
    # The lock is for every platform and Python, so it holds more than is installed here; never less.
    named = {part["name"] for part in listed["components"]}
    assert required_by_the_wheel() | {"numpy", "urllib3"} <= named
    assert all(part["purl"].startswith("pkg:pypi/") for part in listed["components"])
    assert all(
        reference["hashes"][0]["alg"] == "SHA-256"
        for part in listed["components"]
        for reference in part["externalReferences"]
        if reference["type"] == "distribution"
    )
    assert not {"pytest", "mypy", "ruff"} & named


@contextmanager
def vulnerability_service(vulnerable: str) -> Iterator[str]:
    """Answer like the OSV service, which knows one vulnerability of one package."""
    known = {
        "id": "GHSA-0000-0000-0000", "modified": "2026-01-01T00:00:00Z", "summary": "made up",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": vulnerable},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }
        ],
    }  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            hits = [{"vulns": [known]} if query["package"]["name"] == vulnerable else {} for query in queries]
            self._answer({"results": hits})

        def do_GET(self) -> None:
            self._answer(known)

        def _answer(self, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    return make("audit", f"AUDIT=--service-url {url}")


@pytest.mark.parametrize("vulnerable", ["aiohttp", "vl-convert-python", "databricks-connect"])
def test_audit_fails_on_a_known_vulnerability_of_what_the_wheel_pulls_in(vulnerable: str) -> None:
    with vulnerability_service(vulnerable) as url:
        done = audit(url)

    assert done.returncode != 0
    assert "GHSA-0000-0000-0000" in done.stdout
    assert "AUDIT SKIPPED" not in done.stderr


@pytest.mark.parametrize("vulnerable", ["something-else", "pytest", "dlt"])
def test_audit_passes_when_none_is_known(vulnerable: str) -> None:
    with vulnerability_service(vulnerable) as url:
        assert audit(url).returncode == 0


def test_audit_that_nobody_answers_says_that_nothing_was_checked() -> None:
    done = audit("http://127.0.0.1:9/")

    assert done.returncode == 0
    assert "AUDIT SKIPPED" in done.stderr
    assert "Nothing was checked" in done.stderr


def test_audit_that_fails_for_another_reason_is_not_called_skipped() -> None:
    done = make("audit", "AUDIT=--no-such-flag")

    assert done.returncode != 0
    assert "AUDIT SKIPPED" not in done.stderr
