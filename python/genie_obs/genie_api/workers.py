"""Several workers over one pile of work, in one event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def run_workers(count: int, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run so many workers side by side to their end; the first failure stops all of them and is raised."""
    workers = [asyncio.create_task(work()) for _ in range(count)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
