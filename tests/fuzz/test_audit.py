"""The audit log: whatever stands in its JSON and its maps, the good events next to it are found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.mutations import FACTOR, mutated
from tests.sql.statements.lake import CLIENT_ID, NOON, TODAY, Lake, audit_event

RESULTS = [
    {"message_id": "odd", "conversation_id": "c", "space_id": "s", "user_id": 7},
    {
        "conversation": {"id": "c", "conversation_id": "c"},
        "message": {"message_id": "odd", "id": "odd", "space_id": "s", "content": "x"},
    },
]
PARAMETERS = [
    {"space_id": "s", "conversation_id": "c", "message_id": "odd"},
    {"spaceId": "new", "conversation_id": "new", "message_id": "new", "content": "x", "feedback_rating": "POSITIVE"},
]
ACTIONS = [
    "createConversationMessage",
    "genieStartConversationMessage",
    "getConversationMessage",
    "regenerateTomorrow",
    "deleteConversation",
    "",
]
GOOD = {"space_id": "s1", "conversation_id": "c1", "message_id": "good"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    lake = Lake(tmp_path_factory.mktemp("fuzz"))
    yield lake
    lake.close()


def _texts(value: Any) -> dict[str, str | None]:
    """Return what a map of strings can hold of it."""
    pairs = value.items() if isinstance(value, dict) else [("message_id", value)]
    return {_utf8(str(key)): None if item is None else _utf8(str(item)[:10_000]) for key, item in pairs}


def _utf8(text: str) -> str:
    return text.encode(errors="replace").decode()


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    result = _utf8(json.dumps(draw(mutated(RESULTS))))
    cut = draw(st.integers(0, len(result)) | st.just(len(result)))
    return audit_event(
        draw(st.sampled_from(ACTIONS)),
        params=_texts(draw(mutated(PARAMETERS))),
        result=draw(st.sampled_from([result[:cut], result, None, "", "null", "[]", '"text"', "{"])),
        status_code=draw(st.sampled_from([200, 201, 403, 404, 500, None])),
        email=draw(st.sampled_from(["ana@example.com", None, "", "System-User"])),
        user_agent=draw(st.sampled_from(["Mozilla/5.0", None, "genie-obs/", "genie-obs/1"])),
    )


@settings(max_examples=12 * FACTOR, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(events(), min_size=30, max_size=60))
def test_events_next_to_odd_ones_are_found(lake: Lake, odd: list[dict[str, Any]]) -> None:
    lake.fill("access/audit", *odd, audit_event("createConversationMessage", params=GOOD))
    window: dict[str, Any] = {"from_date": TODAY, "until_date": TODAY, "workspace_ids": ()}

    lake.fill("genie_events")
    lake.store_events()
    found = lake.select("datasets/events/select_witnesses", **window)

    [good] = [row for row in found if row["message_id"] == "good"]
    assert (good["space_id"], good["conversation_id"], good["first_event_time"]) == ("s1", "c1", NOON)
    assert all(row["message_id"].strip(" ") not in {"", "new"} for row in found)  # as SQL trims: blanks only
    lake.select("datasets/events/select_audit_witnesses", client_id=CLIENT_ID, **window)
    lake.select("datasets/events/select_deleted_conversations", **window)
    lake.tables.execute("datasets/events/merge_split_events", event_dates=[TODAY])
    [day] = lake.select("datasets/events/select_stored_days", **window)
    assert day["stored_count"] == len(odd) + 1
