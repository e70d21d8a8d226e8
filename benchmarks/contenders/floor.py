"""The floor: aiohttp fetches the URLs that our job would fetch, as many at once, and throws the bodies away. Stores nothing.

python -m benchmarks.contenders.floor --lakehouse DIR
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path

import aiohttp

from benchmarks.contenders.audit import Witnessed, credentials, hosts, witnessed

IN_FLIGHT = 64  # per workspace, the default of our job


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lakehouse", type=Path, required=True)
    options = parser.parse_args()
    wanted = witnessed(options.lakehouse)
    paths, addresses = targets(wanted), hosts(options.lakehouse)
    started = time.perf_counter()
    asyncio.run(fetch_all(addresses, paths))
    # Only the loop counts: a floor has no start-up and no audit log to read.
    print(json.dumps({"stored": len(wanted), "seconds": time.perf_counter() - started}))


async def fetch_all(addresses: dict[str, str], paths: dict[str, list[str]]) -> None:
    urls = {workspace_id: iter(found) for workspace_id, found in paths.items()}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def work(workspace_id: str, headers: dict[str, str]) -> None:
            for path in urls[workspace_id]:
                async with session.get(addresses[workspace_id] + path, headers=headers) as response:
                    response.raise_for_status()
                    await response.read()

        async with asyncio.TaskGroup() as group:
            for workspace_id in urls:
                headers = {"Authorization": f"Bearer {await token(session, addresses[workspace_id])}"}
                for _ in range(IN_FLIGHT):
                    group.create_task(work(workspace_id, headers))


def targets(wanted: list[Witnessed]) -> dict[str, list[str]]:
    """Return the paths by workspace: conversations with more than one message are listed."""
    conversations: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for item in wanted:
        conversations[item.workspace_id, item.space_id, item.conversation_id].append(item.message_id)
    paths = defaultdict(list)
    for (workspace_id, space_id, conversation_id), messages in conversations.items():
        path = f"/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages"
        paths[workspace_id].append(f"{path}?page_size=100" if len(messages) > 1 else f"{path}/{messages[0]}")
    return paths


async def token(session: aiohttp.ClientSession, host: str) -> str:
    client_id, secret = credentials()
    form = {"grant_type": "client_credentials", "scope": "all-apis"}
    auth = aiohttp.BasicAuth(client_id, secret)
    async with session.post(f"{host}/oidc/v1/token", data=form, auth=auth) as response:
        response.raise_for_status()
        return str((await response.json())["access_token"])


if __name__ == "__main__":
    main()
