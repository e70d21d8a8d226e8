"""Which message of each workspace `doctor` reads."""

from __future__ import annotations

from tests.sql.statements.lake import HOUR, NOON, TODAY, Lake, audit_event

IDS = {"space_id": "s", "conversation_id": "c"}


def test_the_message_that_was_read_last_is_chosen_in_each_workspace(lake: Lake) -> None:
    lake.fill(
        "access/audit",
        audit_event(at=NOON, params={**IDS, "message_id": "old"}),
        audit_event(at=NOON + HOUR, params={**IDS, "message_id": "new"}),
        audit_event(at=NOON + 2 * HOUR, params={**IDS, "message_id": "refused"}, status_code=403),
        audit_event(at=NOON + 2 * HOUR, params=IDS),
        audit_event("listConversationMessages", at=NOON + 2 * HOUR, params={**IDS, "message_id": "listed"}),
        audit_event(at=NOON, params={**IDS, "message_id": "other"}, workspace_id="2"),
    )

    rows = lake.select("doctor/select_known_messages", from_date=TODAY)

    assert sorted((row["workspace_id"], row["message_id"]) for row in rows) == [("1", "new"), ("2", "other")]
