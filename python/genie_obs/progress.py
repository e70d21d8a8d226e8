"""How a run reports its progress: with log lines. On a terminal, `genie_obs.session.terminal_progress` shows it instead."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from genie_obs.clock import Clock

logger = logging.getLogger(__name__)

_LINE_EVERY_SECONDS = 10.0

Note = Callable[[], str]


class RunProgress(Protocol):
    """What a run reports while it works."""

    def step(self, name: str, total: int | None = None, note: Note | None = None) -> None:
        """Begin a step of `total` items, if that is known. `note` returns a short text that is shown beside the count."""

    def expect(self, total: int) -> None:
        """Say how many items the step has, once that is known."""

    def advance(self, count: int) -> None:
        """Say that `count` more items of the step are done."""


class LogProgress:
    """A log line when a step begins and every ten seconds while it goes on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._name = ""
        self._total: int | None = None
        self._note: Note | None = None
        self._done = 0
        self._started = 0.0
        self._shown = 0.0

    def step(self, name: str, total: int | None = None, note: Note | None = None) -> None:
        """Log that a step begins."""
        self._name, self._total, self._note, self._done = name, total, note, 0
        self._started = self._shown = self._clock.monotonic()
        logger.info("%s%s", name, f": {total}" if total is not None else "")

    def expect(self, total: int) -> None:
        """Take the number of items of the step."""
        self._total = total

    def advance(self, count: int) -> None:
        """Log how far the step is, if the last line is ten seconds old."""
        self._done += count
        now = self._clock.monotonic()
        if now - self._shown >= _LINE_EVERY_SECONDS:
            self._shown = now
            logger.info("%s: %s%s%s", self._name, self._counted(), self._left(now), self._noted())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: every line is complete."""

    def _counted(self) -> str:
        return f"{self._done} of {self._total}" if self._total is not None else str(self._done)

    def _left(self, now: float) -> str:
        if not self._total or not 0 < self._done < self._total:
            return ""
        return f", about {(now - self._started) / self._done * (self._total - self._done):.0f} s left"

    def _noted(self) -> str:
        return f", {self._note()}" if self._note else ""
