"""A due message, and the workspace and run it is read in."""

from __future__ import annotations

from typing import Any

from tests.unit.fake_tables import NOON

from genie_obs.config import FetchSettings
from genie_obs.datasets.messages.outcomes import WorkspaceRun
from genie_obs.ledger.rows import DueMessage


def workspace(**settings: Any) -> WorkspaceRun:
    return WorkspaceRun(workspace_id="1", workspace_name="sales", run_id="run1", settings=FetchSettings(**settings))


def due(**values: Any) -> DueMessage:
    row = {
        "workspace_id": "1",
        "message_id": "m1",
        "space_id": "s1",
        "conversation_id": "c1",
        "witnessed_date": NOON.date(),
        "first_event_time": NOON,
        "last_write_event_time": NOON,
        "user_email": "ana@example.com",
        "state": "pending",
        "attempts": 0,
        "created_date": None,
        "is_deletion_seen": False,
        "is_absence_seen": False,
        "is_refusal_seen": False,
    }
    return DueMessage(**{**row, **values})
