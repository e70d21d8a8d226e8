"""Where a command's words go: its result to stdout, its log and its progress to stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from genie_obs.clock import SystemClock
from genie_obs.progress import LogProgress

if TYPE_CHECKING:
    from rich.console import Console

    from genie_obs.session.terminal_progress import TerminalProgress

_WIDTH_WITHOUT_TERMINAL = 160  # wide enough for every table, where there is no terminal to fold to


def set_up_logging(level: str | None) -> Console | None:
    """Send our log to stderr and return the console when stderr is a terminal; other libraries stay quiet.

    Only our own logger follows the level: foreign DEBUG output may quote requests and rows.
    """
    is_terminal = sys.stderr.isatty()
    ours = logging.getLogger("genie_obs")
    ours.setLevel((level or ("WARNING" if is_terminal else "INFO")).upper())
    ours.propagate = False
    ours.handlers.clear()
    if is_terminal:
        from rich.console import Console
        from rich.logging import RichHandler

        console = Console(stderr=True)
        ours.addHandler(RichHandler(console=console, show_path=False, markup=False, rich_tracebacks=False))
        return console
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    ours.addHandler(handler)
    return None


def open_progress(terminal: Console | None) -> TerminalProgress | LogProgress:
    """Return the display of progress: live on a terminal, log lines elsewhere. Use it as a context manager."""
    if terminal is None:
        return LogProgress(SystemClock())
    from genie_obs.session.terminal_progress import TerminalProgress

    return TerminalProgress(terminal)


def print_result(result: str | Callable[[Console], None]) -> None:
    """Print a text, or what a function draws on a console, to stdout."""
    if isinstance(result, str):
        click.echo(result)
        return
    from rich.console import Console

    result(Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL, highlight=False))
