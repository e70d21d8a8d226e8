"""A whole account read while one answer in four is a fault, of every kind: then the tables are exact, and nothing has leaked.

    python -m tests.faults.every_fault --messages 10000 --share 0.25

Runs a day apart, the faults never ending, until nothing is due. Everything that came of them, tables with their old files, logs at
level debug, tracebacks with local variables, what the commands print and the exported dashboard, is searched for the client
secret, in each form in which it is sent, and for every token.
"""

from __future__ import annotations

import argparse
import base64
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from tests.faults.oracle import Oracle
from tests.faults.world import Row, RunPlan, World

from genie_obs.secret import CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE
from genie_obs.simulator import FaultRule, message_body
from genie_obs.simulator.server.faults import ACTIONS

MOST_RUNS = 8
FLAGS = {"timeout_seconds": "1", "max_concurrency": "32"}
KINDS: tuple[dict[str, Any], ...] = (
    *({"status": status} for status in (400, 429, 500, 502, 503, 504)),
    {"status": 429, "retry_after": "1"},
    *({"action": action} for action in ACTIONS),
)
COUNTS = (
    "due_count", "fetched_count", "retry_count", "unread_count", "api_call_count", "api_retry_count", "throttled_count",
    "total_seconds",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of it; `difference` is the first thing that is not as it should be."""

    runs: list[Row]
    faults: dict[str, int]
    difference: str | None
    searched_files: int
    leaks: list[str] = field(default_factory=list)
    is_search_working: bool


def rules(share: float) -> list[FaultRule]:
    """Return a rule for every kind of fault; together they hit `share` of all requests, each equally often."""
    each = share / len(KINDS)
    # Rules are asked in turn: a later one only sees the requests that the earlier ones let pass.
    return [FaultRule(probability=each / (1 - number * each), **kind) for number, kind in enumerate(KINDS)]


def read_account(messages: int, share: float) -> Report:
    """Read an account of so many messages until nothing is due, and examine what came of it."""
    world = World(seed=1, message_count=messages, workspace_count=3)
    try:
        oracle = Oracle(world)
        world.advance(timedelta(hours=1))
        logs = world.folder / "logs"
        logs.mkdir()
        records = list(_run_until_done(world, share, logs))
        difference = _find_difference(oracle)
        _use_commands(world, logs)
        question = next(message_body(message)["content"] for message in world.account.messages())
        secrets = forms_of(world.account.client_id, world.account.client_secret, world.server.tokens.prefix)
        files = [path for path in world.folder.rglob("*") if path.is_file()]
        contents = [(path, _searchable(path)) for path in files]
        return Report(
            runs=records,
            faults=dict(sorted(world.server.hits.items())),
            difference=difference,
            searched_files=len(files),
            leaks=[f"{path.name}: {name}" for path, text in contents for name, form in secrets.items() if form in text],
            is_search_working=any(path.suffix == ".parquet" and question.encode() in text for path, text in contents),
        )
    finally:
        world.close()


def _run_until_done(world: World, share: float, logs: Path) -> Iterator[Row]:
    for number in range(1, MOST_RUNS + 1):
        [end] = world.run(RunPlan(flags=FLAGS, log=logs / f"run-{number}.log"), faults=rules(share))
        if end.record is None:
            raise RuntimeError(f"a fault of the service ended run {number}: {end.error}")
        yield end.record
        if end.record["status"] == "succeeded" and not end.record["retry_count"]:
            return
        world.advance(timedelta(days=1, hours=1))


def _find_difference(oracle: Oracle) -> str | None:
    try:
        oracle.check_settled()
    except AssertionError as error:
        return str(error)
    return None


def _use_commands(world: World, logs: Path) -> None:
    """Let a person look at the result, with the credentials in the environment as at home."""
    environment = {
        **os.environ,
        CLIENT_ID_VARIABLE: world.account.client_id,
        CLIENT_SECRET_VARIABLE: world.account.client_secret,
        "GENIE_OBS_ENGINE": "local",
        "GENIE_OBS_LAKEHOUSE": str(world.lakehouse),
        "GENIE_OBS_LOG_LEVEL": "debug",
    }
    commands = (
        ["status"],
        ["plan"],
        ["doctor"],
        ["dashboard", "export", "--out", str(world.folder / "dashboard.html")],
    )
    for command in commands:
        with (logs / f"{command[0]}.txt").open("wb") as output:
            subprocess.run(
                [sys.executable, "-m", "genie_obs", *command],
                env=environment, stdout=output, stderr=subprocess.STDOUT, check=command[0] == "status",
            )  # fmt: skip


def forms_of(client_id: str, client_secret: str, token_prefix: str) -> dict[str, bytes]:
    """Return the secret in each form in which it is sent or could be printed, and what every token begins with."""
    return {
        "client secret": client_secret.encode(),
        "client secret, quoted": quote(client_secret, safe="").encode(),
        "basic credentials": base64.b64encode(f"{client_id}:{client_secret}".encode()),
        "token": token_prefix.encode(),
    }


def _searchable(path: Path) -> bytes:
    """Return what a file holds; of compressed columns, their values."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    sink = pa.BufferOutputStream()
    table = pq.ParquetFile(path).read()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def lines(report: Report, seconds: float) -> Iterator[str]:
    """Yield what is to be printed."""
    for number, record in enumerate(report.runs, start=1):
        figures = ", ".join(f"{name.removesuffix('_count')} {record[name]:.0f}" for name in COUNTS)
        yield f"run {number}: {record['status']}, {figures}"
    yield f"faults injected: {sum(report.faults.values())}: " + ", ".join(f"{k} {n}" for k, n in report.faults.items())
    yield f"differences from the account: {report.difference or 'none'}"
    yield f"secret or token found in {len(report.leaks)} of {report.searched_files} files{_names(report.leaks)}"
    yield f"{seconds:.0f} s"


def _names(leaks: Sequence[str]) -> str:
    return f": {'; '.join(leaks[:10])}" if leaks else ""


def main() -> int:
    """Read an account, print what came of it; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.25, help="of all requests that are a fault")
    options = parser.parse_args()
    logging.getLogger("aiohttp.server").disabled = True  # it tells of every reset that it was told to make
    started = time.monotonic()
    report = read_account(options.messages, options.share)
    for line in lines(report, time.monotonic() - started):
        print(line)
    is_done = report.runs[-1]["status"] == "succeeded" and report.runs[-1]["retry_count"] == 0
    return int(report.difference is not None or bool(report.leaks) or not is_done or not report.is_search_working)


if __name__ == "__main__":
    sys.exit(main())
