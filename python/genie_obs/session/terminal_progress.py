"""The live display of a run on a terminal. It is apart from the log lines, as most runs have no terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from genie_obs.progress import Note


class _CountColumn(ProgressColumn):
    """How many of how many, where the step has things to count."""

    def render(self, task: Task) -> Text:
        if not task.fields["is_counted"]:
            return Text("")
        return Text(f"{int(task.completed):,} of {int(task.total or 0):,}", justify="right")


class _NoteColumn(ProgressColumn):
    """What the step has to say now. It is asked at every refresh, so that the text also changes between two batches."""

    def render(self, task: Task) -> Text:
        note: Note | None = task.fields["note"]
        return Text(note() if note else "")


class TerminalProgress:
    """One line per step: what, how many of how many, time left, requests."""

    def __init__(self, console: Console) -> None:
        self._display = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=24),
            _CountColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=False),
            TextColumn("left"),
            _NoteColumn(),
            console=console,
        )
        self._task: TaskID | None = None

    def step(self, name: str, total: int | None = None, note: Note | None = None) -> None:
        """Finish the line of the step before and begin another."""
        self._finish()
        self._task = self._display.add_task(name, total=total, note=note, is_counted=total is not None)

    def expect(self, total: int) -> None:
        """Show a bar where the step began without knowing its length."""
        if self._task is not None:
            self._display.update(self._task, total=total, is_counted=True)

    def advance(self, count: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._display.update(self._task, advance=count)

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        self._display.stop()

    def _finish(self) -> None:
        if self._task is not None:
            total = self._display.tasks[self._task].total or 1
            self._display.update(self._task, total=total, completed=total)
