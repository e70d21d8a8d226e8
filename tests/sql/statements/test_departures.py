"""select_departures: the newest accepted event of a space says whether it went."""

from __future__ import annotations

from tests.sql.statements.lake import HOUR, NOON, Lake, Row


def event(action: str, hours: int, space_id: str = "s1", *, is_accepted: bool = True) -> Row:
    at = NOON + hours * HOUR
    return {
        "event_id": f"{action}{hours}{space_id}", "event_time": at, "event_date": at.date(), "workspace_id": "1",
        "space_id": space_id, "action": action, "kind": "space", "is_accepted": is_accepted, "actor": "ann@example.com",
    }  # fmt: skip


def test_newest_accepted_event_wins(lake: Lake) -> None:
    lake.fill(
        "genie_events",
        event("restoreSpace", 3), event("trashSpace", 1), event("deleteSpace", 4, is_accepted=False),
        event("genieTrashSpace", 2, "s2"), event("createSpace", 5, "s2"), event("cloneSpace", 1, "s3"),
    )  # fmt: skip

    rows = lake.select("datasets/spaces/select_departures", workspace_ids=())

    assert sorted((row["space_id"], row["went_state"], row["went_at"]) for row in rows) == [
        ("s1", "restored", NOON + 3 * HOUR),
        ("s2", "trashed", NOON + 2 * HOUR),
    ]
