"""The soft deadline of a run: after it nothing new is begun, so that the run ends by itself and the next one goes on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from genie_obs.clock import Clock

GRACE_SECONDS = 60.0
"""What is in flight at the deadline may end within this time, then it is stopped: a call may wait for minutes, for `Retry-After` say."""


class Deadline:
    """Says when a run has used up its time; counted from where this object is made."""

    def __init__(self, clock: Clock, seconds: float | None = None) -> None:
        """Make it; without `seconds` it is never reached."""
        self._clock = clock
        self._at = math.inf if seconds is None else clock.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Return the seconds until it is reached; below zero afterwards, infinite if there is none."""
        return self._at - self._clock.monotonic()

    @property
    def is_reached(self) -> bool:
        """Whether nothing new may be begun."""
        return self.seconds_left <= 0

    @asynccontextmanager
    async def stops(self, *, grace_seconds: float = 0.0) -> AsyncIterator[None]:
        """Stop what is inside so many seconds after the deadline.

        Raises:
            TimeoutError: if it was stopped.
        """
        if math.isinf(self._at):
            yield
            return
        async with asyncio.timeout(None) as limit:
            timer = asyncio.create_task(self._expire(limit, grace_seconds))
            try:
                yield
            finally:
                timer.cancel()

    async def _expire(self, limit: asyncio.Timeout, grace_seconds: float) -> None:
        await self._clock.sleep(self.seconds_left + grace_seconds)
        limit.reschedule(asyncio.get_running_loop().time())
