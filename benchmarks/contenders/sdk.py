"""The official SDK: one `get_message` per message of the audit log, in a loop or in a pool of threads, merged into Delta.

python -m benchmarks.contenders.sdk --lakehouse DIR --threads 32
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import NotFound, PermissionDenied

from benchmarks.contenders.audit import Witnessed, credentials, hosts, merge_all, witnessed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lakehouse", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    wanted = witnessed(options.lakehouse)
    if options.threads == 1:
        clients = open_clients(options.lakehouse, connections=1)
        stored = merge_all(options.lakehouse, present(fetch(clients, item) for item in wanted))
    else:
        # As many connections as threads: with the SDK's default of 20 the other threads would wait.
        clients = open_clients(options.lakehouse, connections=options.threads)
        with ThreadPoolExecutor(options.threads) as pool:
            rows = pool.map(lambda item: fetch(clients, item), wanted)
            stored = merge_all(options.lakehouse, present(rows))
    print(json.dumps({"stored": stored}))


def open_clients(lakehouse: Path, *, connections: int) -> dict[str, WorkspaceClient]:
    client_id, secret = credentials()
    return {
        workspace_id: WorkspaceClient(
            config=Config(
                host=host,
                client_id=client_id,
                client_secret=secret,
                auth_type="oauth-m2m",
                max_connection_pools=connections,
                max_connections_per_pool=connections,
            )
        )
        for workspace_id, host in hosts(lakehouse).items()
    }


def fetch(clients: dict[str, WorkspaceClient], item: Witnessed) -> dict[str, Any] | None:
    """Return the row of a message, or None if it is deleted or may not be read; the SDK itself waits and repeats on 429."""
    try:
        message = clients[item.workspace_id].genie.get_message(item.space_id, item.conversation_id, item.message_id)
    except (NotFound, PermissionDenied):
        return None
    return item.row(message.as_dict())


def present(rows: Any) -> Iterator[dict[str, Any]]:
    return (row for row in rows if row is not None)


if __name__ == "__main__":
    main()
