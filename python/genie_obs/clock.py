"""Time as an argument, so that tests never wait."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

CLOCKS_DIFFER_BY = timedelta(minutes=10)
"""How far apart the clocks of two machines may be. An instant further ahead than this was written by a wrong clock."""


class Clock(Protocol):
    """What the project needs of time."""

    def now(self) -> datetime:
        """Return the wall-clock instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only go forward; for elapsed time, never for dates."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds`; zero or less only yields to other tasks."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the system's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` without blocking the event loop."""
        await asyncio.sleep(max(0.0, seconds))
