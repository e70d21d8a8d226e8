"""What the account keeps for `system.access.audit`: one small object for each event.

The rows are made from it when the table is written.
"""

from dataclasses import dataclass
from typing import Any

from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.publication import Publication
from genie_obs.simulator.account.user import SimulatedUser


@dataclass(slots=True)
class AuditEvent:
    """One event, or `repeat` equal events with `step_us` between them (a client that polls)."""

    seq: int
    at_us: int
    visible_us: int
    workspace_id: str
    action: str
    user: SimulatedUser | None
    message: SimulatedMessage | None = None
    space_id: str | None = None
    conversation_id: str | None = None
    repeat: int = 1
    step_us: int = 0
    copies: int = 1  # rows with the same event_id. Nobody has seen it, but nobody promises exactly-once delivery either
    params: dict[str, str] | None = None  # added to those of the action; they win
    error: tuple[int, str] | None = None  # response status and message of a refused call
    user_agent: str | None = None
    columns: dict[str, Any] | None = None  # columns of the row to replace, by name


class AuditLog:
    """All events of an account, in the order they were recorded."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def add(self, event: AuditEvent) -> None:
        """Append an event. Note on its message when the first row that proves the message becomes visible."""
        self.events.append(event)
        message = event.message
        if message is not None and event.visible_us < message.audit_visible_us:
            message.audit_visible_us = event.visible_us

    def between(self, before: Publication, until_us: int) -> list[AuditEvent]:
        """Return the events that are visible at `until_us` and not yet in the publication `before`, oldest first."""
        new = [
            event
            for event in self.events
            if event.visible_us <= until_us and (event.visible_us > before.now_us or event.seq > before.seq)
        ]
        new.sort(key=lambda event: (event.at_us, event.seq))
        return new
