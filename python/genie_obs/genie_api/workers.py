"""Tasks side by side in one event loop, where a failure is raised as itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def side_by_side() -> AsyncIterator[asyncio.TaskGroup]:
    """Open a task group whose first failure stops all its tasks and is raised alone, not as an `ExceptionGroup`.

    The tasks that are stopped may fail too; that is only a consequence, and is not reported.
    """
    first_failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        first_failure = failures.exceptions[0]
    if first_failure is not None:
        raise first_failure  # not inside `except`: it keeps its own cause, and the group is none
