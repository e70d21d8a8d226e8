"""What people paste to name messages: ids, lists of ids, quotation marks, links."""

from __future__ import annotations

import pytest

from genie_obs.errors import ConfigError
from genie_obs.reports.reread_selector import RereadSelector, parse_reread_selector, read_link

ROOM = "https://dbc-1.cloud.databricks.com/genie/rooms/01ab"


def parse(**given: str) -> RereadSelector:
    return parse_reread_selector(**{"workspace": None, "space": None, "conversation": None, "message": None, **given})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"message": "m1"}, RereadSelector(message_ids=("m1",))),
        ({"message": " 'm1' , \"m2\"\n m1,"}, RereadSelector(message_ids=("m1", "m2"))),
        ({"message": "m1", "workspace": "42"}, RereadSelector(message_ids=("m1",), workspace_ids=("42",))),
        ({"space": ROOM}, RereadSelector(space_ids=("01ab",))),
        ({"space": f"{ROOM}?o=42"}, RereadSelector(space_ids=("01ab",), workspace_ids=("42",))),
        ({"space": f"{ROOM}?o=42", "workspace": "7"}, RereadSelector(space_ids=("01ab",), workspace_ids=("7",))),
        ({"space": f"{ROOM}?o=42,01cd"}, RereadSelector(space_ids=("01ab", "01cd"))),
        (
            {"conversation": f"{ROOM}/chats/01cd?o=42#top"},
            RereadSelector(conversation_ids=("01cd",), space_ids=("01ab",), workspace_ids=("42",)),
        ),
        ({"workspace": "https://host/?o=42"}, RereadSelector(workspace_ids=("42",))),
        ({"workspace": "https://adb-42.7.azuredatabricks.net/"}, RereadSelector(workspace_ids=("42",))),
    ],
)
def test_ids_and_links_are_understood(given: dict[str, str], expected: RereadSelector) -> None:
    assert parse(**given) == expected


def test_link_of_the_api_names_a_message() -> None:
    path = "/api/2.0/genie/spaces/s1/conversations/c1/messages/m1"
    assert read_link(f"https://host{path}") == {"space": "s1", "conversation": "c1", "message": "m1"}


@pytest.mark.parametrize("given", [{}, {"message": " , "}, {"space": ""}])
def test_nothing_named_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="nothing to read again is named"):
        parse(**given)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("conversation", ROOM),
        ("message", "https://["),
        ("space", "https://host/sql/editor"),
        ("space", "Sales; DROP TABLE x"),
        ("workspace", ROOM),
    ],
)
def test_what_is_neither_an_id_nor_a_link_to_one_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"neither an id of a {kind} nor a link to one"):
        parse(**{kind: text})


def test_all_problems_are_told_together() -> None:
    with pytest.raises(ConfigError) as refused:
        parse(space="https://a/b", message="§")
    assert "--space" in str(refused.value)
    assert "--message" in str(refused.value)
