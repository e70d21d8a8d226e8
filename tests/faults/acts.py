"""What may happen to an account, as small values that Hypothesis can draw, print and shrink."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MESSAGE_ACTS = (
    "ask", "continue", "rate", "comment", "regenerate", "edit", "execute", "expire", "delete", "delete_conversation", "read",
    "refuse", "noise", "copy_rows", "ask_at_length",
)  # fmt: skip
WORLD_ACTS = ("deny", "allow", "down", "up", "refuse_credentials", "accept_credentials", "limit", "rename_space")
SWITCHES = ("down", "up")
DELAYS = (timedelta(0), timedelta(minutes=7), timedelta(hours=3), timedelta(hours=30))
OUTCOMES = ("completed", "running", "text", "failed", "clarification", "stuck", "cancelled", "expired")


@dataclass(frozen=True)
class Act:
    """Something that happens: `pick` chooses the message, space or workspace, `variant` how it happens."""

    name: str
    pick: int = 0
    variant: int = 0
    delay: int = 0  # index of DELAYS: how late the audit row is

    @property
    def audit_delay(self) -> timedelta:
        """How late the audit row of this act becomes visible."""
        return DELAYS[self.delay % len(DELAYS)]


@dataclass(frozen=True)
class Meanwhile:
    """An act while a run is under way, when the service has had so many requests of it."""

    after_requests: int
    act: Act


@dataclass(frozen=True)
class Before:
    """What happens before a run: plain questions, each a conversation of its own, acts, then some time."""

    acts: tuple[Act, ...] = ()
    minutes: int = 0
    questions: int = 0
