"""How a run shows where it is."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

import pytest
from rich.console import Console
from tests.unit.fakes import FakeClock

from genie_obs.progress import LogProgress, RunProgress
from genie_obs.session.terminal_progress import TerminalProgress


def test_log_says_when_a_step_begins(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="genie_obs.progress")
    progress = LogProgress(FakeClock())

    progress.step("Reading the audit log")
    progress.step("Fetching messages", 300)

    assert caplog.messages == ["Reading the audit log", "Fetching messages: 300"]


def test_log_has_a_line_every_ten_seconds_at_most(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="genie_obs.progress")
    clock = FakeClock()
    progress = LogProgress(clock)
    progress.step("Fetching messages", 300, lambda: "7 calls")

    for _ in range(6):
        clock.advance(4)
        progress.advance(10)

    assert caplog.messages[1:] == [
        "Fetching messages: 30 of 300, about 108 s left, 7 calls",
        "Fetching messages: 60 of 300, about 96 s left, 7 calls",
    ]


def test_log_counts_without_a_total_and_knows_it_once_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="genie_obs.progress")
    clock = FakeClock()
    progress = LogProgress(clock)
    progress.step("Joining statements")

    clock.advance(10)
    progress.advance(5)
    progress.expect(10)
    clock.advance(10)
    progress.advance(5)

    assert caplog.messages[1:] == ["Joining statements: 5", "Joining statements: 10 of 10"]


def test_log_starts_counting_anew_with_each_step(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="genie_obs.progress")
    clock = FakeClock()
    progress = LogProgress(clock)
    progress.step("one", 5)
    progress.advance(5)
    progress.step("two", 8)

    clock.advance(10)
    progress.advance(2)

    assert caplog.messages[-1].startswith("two: 2 of 8")


def shown(show: Callable[[RunProgress], object]) -> str:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, color_system=None)
    with TerminalProgress(console) as progress:
        show(progress)
    return screen.getvalue()


def test_terminal_shows_each_step_with_its_count_and_note() -> None:
    def run(progress: RunProgress) -> None:
        progress.step("Reading the audit log")
        progress.step("Fetching messages", 1_500, lambda: "12 calls, 3 throttled")
        progress.advance(1_000)

    screen = shown(run)

    assert "Reading the audit log" in screen
    assert "1,500 of 1,500" in screen  # the last step is shown as done when the run ends well
    assert "12 calls, 3 throttled" in screen


def test_terminal_shows_a_step_that_failed_as_far_as_it_got() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, color_system=None)

    def fail() -> None:
        with TerminalProgress(console) as progress:
            progress.step("Fetching messages", 10)
            progress.advance(4)
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        fail()

    assert "4 of 10" in screen.getvalue()
    assert "10 of 10" not in screen.getvalue()


def test_terminal_shows_a_total_that_is_told_later() -> None:
    def run(progress: RunProgress) -> None:
        progress.step("Joining statements")
        progress.expect(20)
        progress.advance(20)

    assert "20 of 20" in shown(run)


def test_advancing_before_the_first_step_is_harmless() -> None:
    def run(progress: RunProgress) -> None:
        progress.advance(3)
        progress.expect(4)

    assert "3 of" not in shown(run)
