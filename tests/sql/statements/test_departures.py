"""Departures of spaces: the newest accepted event of a space says whether it went."""

from __future__ import annotations

import pyarrow as pa
from tests.sql.statements.lake import HOUR, NOON, Lake, Row, ledger_row, space_row

from genie_obs.datasets.spaces.departures import _CHANGED


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


def merge(lake: Lake, state: str, hours: int) -> tuple[Row, Row]:
    """Merge a departure, and return the space and the message afterwards."""
    row = {
        "workspace_id": "1", "space_id": "s1", "went_state": state, "went_by": None, "went_at": NOON + hours * HOUR,
        "reason_code": f"space_{state}", "state_reason": "gone",
    }  # fmt: skip
    rows = pa.Table.from_pylist([row], _CHANGED)
    lake.tables.execute("datasets/spaces/merge_departed_messages", departures=rows)
    lake.tables.execute("datasets/spaces/merge_departures", departures=rows)
    return lake.only("space_details"), lake.only("message_ledger")


def test_forbidden_space_and_its_messages_take_the_reason_and_an_older_event_changes_nothing(lake: Lake) -> None:
    lake.fill("space_details", space_row(state="forbidden", reason_code="no_permission"))
    lake.fill("message_ledger", ledger_row(state="forbidden", space_id="s1", reason_code="no_permission"))

    space, message = merge(lake, "trashed", 2)
    assert (space["went_state"], space["reason_code"], message["reason_code"]) == ("trashed", *["space_trashed"] * 2)

    assert merge(lake, "deleted", 1)[0] == space


def test_readable_space_and_stored_message_keep_their_reason(lake: Lake) -> None:
    lake.fill("space_details", space_row())
    lake.fill("message_ledger", ledger_row(state="fetched", space_id="s1"))

    space, message = merge(lake, "trashed", 2)

    assert (space["went_state"], space["reason_code"], message) == (
        "trashed",
        None,
        ledger_row(state="fetched", space_id="s1"),
    )
