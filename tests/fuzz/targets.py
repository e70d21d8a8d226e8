"""What must hold for any input; used by the property-based tests and by the coverage-guided ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from genie_obs.config import FetchSettings
from genie_obs.datasets.messages.outcomes import WorkspaceRun, listed_only, stored
from genie_obs.datasets.messages.parsing.message_drift import find_drift
from genie_obs.datasets.messages.parsing.message_rows import parse_message
from genie_obs.drift import MAX_KINDS, DriftCounter
from genie_obs.genie_api.exchange import Answer, NotJsonError, parse_json_object
from genie_obs.lakehouse.schema import table
from genie_obs.ledger.rows import DueMessage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CANARY = "the words of a user"
WORKSPACE = WorkspaceRun(workspace_id="1", workspace_name="w", run_id="r", settings=FetchSettings())
DUE = DueMessage(
    workspace_id="1", message_id="m", space_id="s", conversation_id="c", witnessed_date=NOW.date(), first_event_time=NOW,
    last_write_event_time=None, user_email=None, state="pending", attempts=0, created_date=None,
    is_deletion_seen=False,
    is_absence_seen=False,
    is_refusal_seen=False,
)  # fmt: skip


def check_body(body: bytes) -> None:
    """Whatever a body is, it is an object, or a named failure that quotes nothing of it."""
    try:
        parsed = parse_json_object(Answer(200, {"Content-Type": "application/json"}, body, len(body)))
    except NotJsonError as error:
        assert error.args[0].startswith("the answer")  # noqa: PT017
        return
    check_message(parsed)


def check_message(raw: dict[str, Any]) -> None:
    """Whatever a message is, it becomes a row that the tables take, and its drift is told without its words."""
    row = {**parse_message(raw), "user_email": None}
    row["space_id"], row["conversation_id"] = row["space_id"] or "s", row["conversation_id"] or "c"
    outcomes = [stored(WORKSPACE, DUE, row, space_name=None, fetched_at=NOW)]
    if row["message_id"]:
        outcomes.append(listed_only(WORKSPACE, row, space_name=None, fetched_at=NOW))
    details = [outcome.details for outcome in outcomes if outcome.details is not None]
    pa.Table.from_pylist(details, table("message_details").arrow_schema()).validate(full=True)
    pa.Table.from_pylist([outcome.ledger for outcome in outcomes], table("message_ledger").arrow_schema()).validate(
        full=True
    )
    json.dumps(row, ensure_ascii=False).encode()
    drift = DriftCounter()
    drift.add_all(find_drift(raw))
    lines = drift.lines()
    assert len(lines) <= MAX_KINDS + 1
    assert not any(CANARY in line or "\n" in line for line in lines)
