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
from pathlib import Path
from typing import Any

import pytest
from tools.licences import Part, find_parts

ROOT = Path(__file__).resolve().parents[2]


def test_every_licence_is_known_and_allowed() -> None:
    parts = find_parts()

    assert {"aiohttp", "click", "databricks-sdk", "pyarrow", "pysail", "rich", "vl-convert-python"} <= {
        p.name for p in parts
    }
    assert [(part.name, part.licence or "unknown") for part in parts if not part.is_allowed] == []


@pytest.mark.parametrize(
    ("licence", "is_allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("(MIT OR GPL-2.0) AND (BSD-3-Clause OR AGPL-3.0)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("", False),
    ],
)
def test_all_demands_must_be_met_and_one_of_each_choice(licence: str, is_allowed: bool) -> None:
    assert Part(name="x", version="1", licence=licence).is_allowed == is_allowed


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
def test_list_of_parts_is_valid_and_names_exactly_what_the_wheel_pulls_in(tmp_path: Path) -> None:
    out = tmp_path / "genie-obs.cdx.json"
    subprocess.run([sys.executable, "tools/sbom.py", str(out)], cwd=ROOT, check=True)
    text = out.read_text(encoding="utf-8")
    # Imported here: it builds grammars for two seconds, which every worker would pay as it collects.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    listed = json.loads(text)
    # Some packages have a hundred files, and the schema compares each with each other: two show the form as well.
    short = {
        **listed,
        "components": [{**part, "externalReferences": part["externalReferences"][:2]} for part in listed["components"]],
    }
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(short)) is None
    assert listed["metadata"]["component"]["name"] == "genie-obs"
    assert listed["metadata"]["component"]["version"]
    # The lock is for every platform and Python, so it holds more than is installed here; never less.
    named = {(part["name"], part["version"]) for part in listed["components"]}
    assert {(part.name, part.version) for part in find_parts()} <= named
    assert all(part["purl"].startswith("pkg:pypi/") for part in listed["components"])
    assert all(
        reference["hashes"][0]["alg"] == "SHA-256"
        for part in listed["components"]
        for reference in part["externalReferences"]
        if reference["type"] == "distribution"
    )
    assert not {"pytest", "mypy", "ruff"} & {name for name, _ in named}


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
    return subprocess.run(
        [sys.executable, "tools/audit.py", "--service-url", url],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "UV_HTTP_RETRIES": "0"},
    )  # fmt: skip


def test_audit_fails_on_a_known_vulnerability() -> None:
    with vulnerability_service("aiohttp") as url:
        done = audit(url)

    assert done.returncode == 1
    assert "GHSA-0000-0000-0000" in done.stdout


def test_audit_passes_when_none_is_known() -> None:
    with vulnerability_service("something-else") as url:
        assert audit(url).returncode == 0


def test_audit_that_nobody_answers_says_that_nothing_was_checked() -> None:
    done = audit("http://127.0.0.1:9/")

    assert done.returncode == 0
    assert "AUDIT SKIPPED" in done.stderr
    assert "Nothing was checked" in done.stderr
