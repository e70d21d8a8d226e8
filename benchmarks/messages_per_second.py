"""Messages per second of the demo account: genie-obs, the official SDK in a loop, the SDK in 32 threads.

All read the same simulated account from the same server, in turn, each as a whole process that starts from the audit log
and ends with the rows merged into a Delta table of its own. Medians of several runs and ratios within this run count;
absolute numbers are this machine's. Run: make bench
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
GENIE_OBS = str(Path(sys.executable).with_name("genie-obs"))
_SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in (
            "workspace_id",
            "message_id",
            "space_id",
            "conversation_id",
            "content",
            "status",
            "attachments_json",
        )
    ]
    + [("created_timestamp", pa.int64())]
)
_MERGE_ROWS = 2_000
Ids = tuple[str, str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--variant", choices=["sdk-loop", "sdk-threads"], help=argparse.SUPPRESS)
    parser.add_argument("--lakehouse", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        stored = run_sdk(options.lakehouse, threads=32 if options.variant == "sdk-threads" else 1)
        print(json.dumps({"stored": stored}))
        return
    compare(options.messages, options.runs, options.latency_ms)


def compare(messages: int, runs: int, latency_ms: float) -> None:
    """Run every variant in turn, `runs` times, and print and store the table."""
    variants: dict[str, Callable[[Path], int]] = {
        "genie-obs ingest": run_ours,
        "SDK in 32 threads": lambda lakehouse: run_variant("sdk-threads", lakehouse),
        "SDK in a loop": lambda lakehouse: run_variant("sdk-loop", lakehouse),
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    stored: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder, simulator(Path(folder), messages, latency_ms) as lakehouse:
        for run in range(runs):
            for name, variant in variants.items():
                shutil.rmtree(lakehouse / "main", ignore_errors=True)
                started = time.perf_counter()
                stored[name] = variant(lakehouse)
                seconds[name].append(time.perf_counter() - started)
                print(f"run {run + 1}: {name}: {stored[name]} messages in {seconds[name][-1]:.1f} s", file=sys.stderr)
    rates = {name: stored[name] / statistics.median(seconds[name]) for name in variants}
    show(rates, seconds, stored, latency_ms)


def show(rates: dict[str, float], seconds: dict[str, list[float]], stored: dict[str, int], latency_ms: float) -> None:
    ours = next(iter(rates.values()))
    table = Table(
        title=f"Messages per second, whole process, {latency_ms:g} ms latency, median of {len(next(iter(seconds.values())))}"
    )
    for name in ("", "messages stored", "seconds", "messages/s", "genie-obs is faster by"):
        table.add_column(name, justify="left" if not name else "right")
    for name, rate in rates.items():
        table.add_row(
            name, f"{stored[name]:,}", f"{statistics.median(seconds[name]):.2f}", f"{rate:,.0f}", f"{ours / rate:.1f}×"
        )
    Console(width=120).print(table)
    RESULTS.mkdir(exist_ok=True)
    result = {"latency_ms": latency_ms, "seconds": seconds, "stored": stored, "messages_per_second": rates}
    (RESULTS / "messages_per_second.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


@contextmanager
def simulator(folder: Path, messages: int, latency_ms: float) -> Iterator[Path]:
    """Serve the demo account in a process of its own; sets the credentials in this process's environment."""
    lakehouse, variables = folder / "lakehouse", folder / "simulator.env"
    command = [
        GENIE_OBS, "simulate", "--lakehouse", str(lakehouse), "--env-file", str(variables), "--messages", str(messages),
        "--latency-ms", str(latency_ms), "--json",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            json.loads(process.stdout.readline())
            for line in variables.read_text(encoding="utf-8").splitlines():
                name, found, value = line.partition("=")
                if found:
                    os.environ[name] = value.strip("'\"")
            yield lakehouse
        finally:
            process.terminate()


def run_ours(lakehouse: Path) -> int:
    """Run the job; returns how many messages are stored."""
    command = [GENIE_OBS, "ingest", "--lakehouse", str(lakehouse), "--days-lookback", "100", "--json"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    record = json.loads(result.stdout.splitlines()[-1])
    return int(record["fetched_count"] + record["settling_count"] + record["abandoned_count"])


def run_variant(variant: str, lakehouse: Path) -> int:
    """Run this file as a process of its own with one of the SDK variants."""
    command = [sys.executable, __file__, "--variant", variant, "--lakehouse", str(lakehouse)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(json.loads(result.stdout.splitlines()[-1])["stored"])


def run_sdk(lakehouse: Path, *, threads: int) -> int:
    """Do what one would write with the SDK: ids from audit, one `get_message` each, merged into a Delta table."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors.base import DatabricksError

    urls = {
        row["workspace_id"]: row["workspace_url"]
        for row in DeltaTable(str(lakehouse / "system/access/workspaces_latest")).to_pyarrow_table().to_pylist()
    }
    clients = {
        workspace_id: WorkspaceClient(
            host=url if "://" in url else f"https://{url}",
            client_id=os.environ["DATABRICKS_SP_CLIENT_ID"],
            client_secret=os.environ["DATABRICKS_SP_CLIENT_SECRET"],
            auth_type="oauth-m2m",
        )
        for workspace_id, url in urls.items()
    }

    def fetch(ids: Ids) -> dict[str, Any] | None:
        workspace_id, space_id, conversation_id, message_id = ids
        try:
            message = clients[workspace_id].genie.get_message(space_id, conversation_id, message_id).as_dict()
        except DatabricksError:  # deleted, or in a space that may not be read
            return None
        return {
            "workspace_id": workspace_id,
            **{
                name: message.get(name)
                for name in ("message_id", "space_id", "conversation_id", "content", "status", "created_timestamp")
            },
            "attachments_json": json.dumps(message.get("attachments")),
        }

    wanted = witnessed(lakehouse)
    if threads == 1:
        return merge_all(lakehouse, map(fetch, wanted))
    with ThreadPoolExecutor(threads) as pool:
        return merge_all(lakehouse, pool.map(fetch, wanted))


def witnessed(lakehouse: Path) -> list[Ids]:
    """Return the distinct messages of the audit log."""
    audit = DeltaTable(str(lakehouse / "system/access/audit")).to_pyarrow_table(
        columns=["workspace_id", "service_name", "request_params", "response"]
    )
    found: dict[Ids, None] = {}
    for row in audit.to_pylist():
        if row["service_name"] != "aibiGenie":
            continue
        params, result = dict(row["request_params"] or ()), parse((row["response"] or {}).get("result"))
        ids = [params.get(name) or result.get(name) for name in ("space_id", "conversation_id", "message_id")]
        if all(isinstance(value, str) and value and value != "new" for value in ids):
            found[row["workspace_id"], str(ids[0]), str(ids[1]), str(ids[2])] = None
    return list(found)


def parse(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def merge_all(lakehouse: Path, rows: Iterable[dict[str, Any] | None]) -> int:
    """Merge rows in batches into a Delta table and return how many there were."""
    folder = str(lakehouse / "main" / "by_sdk")
    write_deltalake(folder, pa.Table.from_pylist([], _SCHEMA), mode="overwrite")
    stored = 0
    batch: list[dict[str, Any]] = []

    def merge() -> None:
        (
            DeltaTable(folder)
            .merge(
                pa.Table.from_pylist(batch, _SCHEMA),
                "t.workspace_id = s.workspace_id AND t.message_id = s.message_id",
                source_alias="s",
                target_alias="t",
            )
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )

    for row in rows:
        if row is None:
            continue
        batch.append(row)
        stored += 1
        if len(batch) == _MERGE_ROWS:
            merge()
            batch.clear()
    if batch:
        merge()
    return stored


if __name__ == "__main__":
    main()
