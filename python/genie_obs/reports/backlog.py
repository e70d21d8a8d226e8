"""What is left to read: whether a run is at work on it, and about how many more runs it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from genie_obs.lakehouse.arrow_rows import Row


@dataclass(frozen=True, kw_only=True)
class Guess:
    """How many more runs the backlog may need, if they read as many messages as the last ones that stopped at their deadline."""

    run_count: int
    messages_per_run: int
    from_run_count: int  # the runs that it is guessed from


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """The messages that a run would ask for now, and the run that is at work on them."""

    due_count: int
    at_work_since: datetime | None = None  # UTC; None: no run is at work
    last_sign_at: datetime | None = None
    guess: Guess | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`; instants in ISO 8601, UTC."""
        return {
            "due_count": self.due_count,
            "at_work_since": self.at_work_since.isoformat() if self.at_work_since else None,
            "last_sign_at": self.last_sign_at.isoformat() if self.last_sign_at else None,
            "guess": asdict(self.guess) if self.guess else None,
        }


def make_backlog(due_count: int, runs: Sequence[Row]) -> Backlog:
    """Return the backlog; `runs` are the last ones, the newest first, with `killed` as the status of those that died."""
    at_work = next((run for run in runs if run["status"] == "running"), None)
    return Backlog(
        due_count=due_count,
        at_work_since=at_work["started_at"] if at_work else None,
        last_sign_at=(at_work["alive_at"] or at_work["started_at"]) if at_work else None,
        guess=_guess(due_count, runs),
    )


def _guess(due_count: int, runs: Sequence[Row]) -> Guess | None:
    """Return the guess, None without a run that stopped at its deadline: then one run reads what is due.

    For example, 25,000 messages are due, and the last two runs that stopped at their deadline read 9,000 and 11,000: about 3 more runs.
    """
    read = [run["due_count"] - run["unread_count"] for run in runs if run["is_deadline_reached"]]
    if not due_count or sum(read) <= 0:
        return None
    mean = sum(read) / len(read)
    return Guess(run_count=math.ceil(due_count / mean), messages_per_run=round(mean), from_run_count=len(read))
