"""Whether a workspace answers as Genie does: how many requests had no usable answer, and who may ask while nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_DOUBT_AFTER = 5  # requests without a usable answer in a row
_TRIES = 4  # requests in doubt before it is decided


class Health:
    """Counts for one workspace. In doubt, requests go one at a time, so that a workspace that is lost costs a handful of them.

    A workspace is in doubt until its first usable answer, and again after five requests in a row without one. For example, 64 messages
    are due and the service is down. One request is sent; the other 63 wait. After four failures in a row the client asks for something
    else, and gives the workspace up if that fails too.
    """

    def __init__(self) -> None:
        self.is_in_doubt = True
        self.failed_operations: set[str] = set()  # since the last usable answer
        self._unusable_count = 0  # in a row
        self._tries = 0  # in doubt, in a row
        self._sent_count = 0
        self._answered = 0  # number of the latest request that had a usable answer
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Wait for the right to ask; in doubt only one has it. The value says whether this is the one."""
        if self.is_in_doubt:
            async with self._alone:
                if self.is_in_doubt:
                    yield True
                    return
        yield False

    def number(self) -> int:
        """Return the number of a request that is sent now; they count up."""
        self._sent_count += 1
        return self._sent_count

    @property
    def must_decide(self) -> bool:
        """Whether so much failed in doubt that the workspace is given up, unless it answers something else."""
        return self.is_in_doubt and self._tries >= _TRIES

    def answered_since(self, number: int) -> bool:
        """Say whether a request that was sent after this one had a usable answer."""
        return self._answered > number

    def note_usable(self, number: int) -> None:
        """Note an answer as Genie gives it."""
        self.is_in_doubt = False
        self._unusable_count = self._tries = 0
        if self.failed_operations:
            self.failed_operations = set()
        self._answered = max(self._answered, number)

    def note_reached(self) -> None:
        """Note that the service is there but busy (429)."""
        self.is_in_doubt = False
        self._unusable_count = self._tries = 0

    def note_unusable(self, operation: str, *, is_slow: bool = False) -> None:
        """Note a request without a usable answer: nothing, an error of the server, a page, a redirect.

        A time-out counts twice (`is_slow`): four of them would take minutes.
        """
        self.failed_operations.add(operation)
        self._unusable_count += 1
        if self.is_in_doubt:
            self._tries += 2 if is_slow else 1
        elif self._unusable_count >= _DOUBT_AFTER:
            self.is_in_doubt = True
