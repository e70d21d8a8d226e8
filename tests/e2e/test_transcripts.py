"""Command-line transcripts: each case is a script of commands and what a terminal-less shell shows, exit codes included.

Values that differ from run to run are masked. To accept a new output: UPDATE_TRANSCRIPTS=1 make test.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.e2e.conftest import environment

CASES = sorted((Path(__file__).parent / "cases").glob("*/script.sh"))
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"), "<instant>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "<instant>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<client>"),
    (re.compile(r"in \d+\.\d s\b"), "in <seconds> s"),
    (re.compile(r"\d+\.\d$"), "<seconds>"),
    (re.compile(r"about \d+ (s|min) at [\d,]+ calls/s"), "about <time> at <rate> calls/s"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"\d+ (s|min|h|days) ago"), "<age> ago"),
    (re.compile(r"[ \t]+$"), ""),
    (re.compile(r" {2,}"), "  "),
)


def mask(text: str) -> str:
    lines = text.splitlines()
    for pattern, replacement in _MASKS:
        lines = [pattern.sub(replacement, line) for line in lines]
    return "\n".join(lines) + "\n"


def run_script(script: Path, bin_folder: Path, workdir: Path) -> str:
    """Run the commands one by one in one shell each, showing command, output in order, and exit code."""
    shown: list[str] = []
    variables: dict[str, str] = {}
    for line in script.read_text(encoding="utf-8").splitlines():
        command = line.strip()
        if not command or command.startswith("#"):
            continue
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            variables[name] = value
            shown.append(f"$ {command}")
            continue
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=workdir, env=environment(PATH=f"{bin_folder}:/usr/bin:/bin", **variables),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
        )  # fmt: skip
        shown += [f"$ {command}", result.stdout.rstrip("\n"), f"[{result.returncode}]"]
    return mask("\n".join(line for line in shown if line != ""))


@pytest.mark.parametrize("script", CASES, ids=[path.parent.name for path in CASES])
def test_transcript(script: Path, installed: Path, workdir: Path) -> None:
    expected = script.with_name("output.txt")

    actual = run_script(script, installed, workdir)

    if os.environ.get("UPDATE_TRANSCRIPTS"):
        expected.write_text(actual, encoding="utf-8")
    assert actual == expected.read_text(encoding="utf-8")
