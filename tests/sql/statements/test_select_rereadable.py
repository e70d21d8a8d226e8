"""select_rereadable: ids of one kind widen the choice, those of several kinds narrow it."""

from __future__ import annotations

import pytest
from tests.sql.statements.lake import NOON, TODAY, Lake, Row, ledger_row

ROWS = [
    ledger_row(message_id="m1"),
    ledger_row(message_id="m2", conversation_id="c2", state="erased"),
    ledger_row(message_id="m3", space_id="s2", conversation_id="c3"),
    ledger_row(message_id="m4", space_id=None, conversation_id=None, state="pending", created_date=None),
    ledger_row(message_id="m1", workspace_id="2"),
]

_NAMES = ("workspace_ids", "space_ids", "conversation_ids", "message_ids")


def select(lake: Lake, **ids: str) -> list[Row]:
    given = {name: ids.get(name, "").split(",") if name in ids else [] for name in _NAMES}
    return lake.select("reports/select_rereadable", **given)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({"message_ids": "m1"}, ["1/m1", "2/m1"]),
        ({"message_ids": "m1,m4", "workspace_ids": "1"}, ["1/m1", "1/m4"]),
        ({"space_ids": "s1,s2", "workspace_ids": "1"}, ["1/m1", "1/m2", "1/m3"]),
        ({"space_ids": "s1", "conversation_ids": "c1,c3"}, ["1/m1", "2/m1"]),
        ({"workspace_ids": "1"}, ["1/m1", "1/m2", "1/m3", "1/m4"]),
        ({"message_ids": "m"}, []),
    ],
)
def test_ids_choose_messages_whatever_state_they_are_in(lake: Lake, ids: dict[str, str], expected: list[str]) -> None:
    lake.fill("message_ledger", *ROWS)

    assert sorted(f"{row['workspace_id']}/{row['message_id']}" for row in select(lake, **ids)) == expected


def test_chosen_message_comes_with_what_the_preview_needs_and_neighbours_of_its_conversation(lake: Lake) -> None:
    others = [ledger_row(message_id=f"m{n}", conversation_id=f"c{n % 2}") for n in range(4, 0, -1)]
    lake.fill("message_ledger", *others)

    rows = select(lake, space_ids="s1")

    assert [row["message_id"] for row in rows] == ["m2", "m4", "m1", "m3"]
    assert rows[0] == {
        "workspace_id": "1",
        "message_id": "m2",
        "space_id": "s1",
        "conversation_id": "c0",
        "witnessed_date": TODAY,
        "first_event_time": NOON,
        "state": "fetched",
        "created_date": TODAY,
    }
