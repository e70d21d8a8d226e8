"""dlt: its REST client in a parallelised transformer over the messages of the audit log, merged (upsert) into a Delta table.

    python -m benchmarks.contenders.with_dlt --lakehouse DIR

Set up as dlt's page on performance recommends for one request per item: `parallelized=True` and as many extract workers as the
other contender has threads. Nested attachments are stored as JSON, not as child tables, which is less work.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.helpers.requests import Client
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials

from benchmarks.contenders.audit import Witnessed, credentials, hosts, witnessed

WORKERS = 32
GONE = {403, 404}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lakehouse", type=Path, required=True)
    options = parser.parse_args()
    dlt.config["runtime.dlthub_telemetry"] = False
    dlt.config["extract.workers"] = WORKERS
    dlt.config["extract.max_parallel_items"] = 2 * WORKERS
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({"stored": run(options.lakehouse, Path(folder))}))


def run(lakehouse: Path, folder: Path) -> int:
    """Load every message of the audit log and return how many rows were loaded."""
    clients = {workspace_id: open_client(host) for workspace_id, host in hosts(lakehouse).items()}

    def fetch(item: Witnessed) -> Iterator[dict[str, Any]]:
        path = f"spaces/{item.space_id}/conversations/{item.conversation_id}/messages/{item.message_id}"
        response = clients[item.workspace_id].get(path)
        if response.status_code in GONE:
            return
        response.raise_for_status()
        yield item.row(response.json())

    messages = dlt.transformer(
        fetch,
        data_from=dlt.resource(witnessed(lakehouse), name="witnessed", selected=False),
        name="messages",
        parallelized=True,
        max_table_nesting=0,
        primary_key=("workspace_id", "message_id"),
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        table_format="delta",
    )
    pipeline = dlt.pipeline(
        "genie",
        destination=dlt.destinations.filesystem(bucket_url=(lakehouse / "main").absolute().as_uri()),
        dataset_name="dlt",
        pipelines_dir=str(folder),
    )
    pipeline.run(messages, loader_file_format="parquet").raise_on_failed_jobs()
    return int(pipeline.last_trace.last_normalize_info.row_counts["messages"])


def open_client(host: str) -> RESTClient:
    client_id, secret = credentials()
    auth = OAuth2ClientCredentials(
        access_token_url=f"{host}/oidc/v1/token",
        client_id=client_id,
        client_secret=secret,
        access_token_request_data={"scope": "all-apis"},
    )
    # It honours Retry-After; with dlt's default of five attempts a rate limit would end the whole load.
    session = Client(raise_for_status=False, max_connections=WORKERS, request_max_attempts=100).session
    return RESTClient(f"{host}/api/2.0/genie/", auth=auth, session=session)


if __name__ == "__main__":
    main()
