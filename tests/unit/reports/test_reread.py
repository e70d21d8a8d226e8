"""The preview of `reread`: which messages are read again, which are not and why, and what it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.fake_tables import DAY, HOUR, NOON, FakeTables

from genie_obs.config import parse_settings
from genie_obs.errors import ConfigError
from genie_obs.reports.reread import RereadPreview, preview_reread
from genie_obs.reports.reread_selector import RereadSelector

WORKSPACES: list[dict[str, Any]] = [
    {"workspace_id": "1", "workspace_name": "sales"},
    {"workspace_id": "2", "workspace_name": None},
]


def known(message_id: str = "m1", **values: Any) -> dict[str, Any]:
    return {
        "workspace_id": "1",
        "message_id": message_id,
        "space_id": "s",
        "conversation_id": "c",
        "witnessed_date": NOON.date(),
        "first_event_time": NOON,
        "state": "fetched",
        "created_date": NOON.date(),
        **values,
    }


def space(state: str, **values: Any) -> dict[str, Any]:
    return {
        "workspace_id": "1",
        "space_id": "s",
        "state": state,
        "state_reason": "grant it",
        "fetched_at": NOON,
        "went_state": None,
        "went_at": None,
        **values,
    }


def preview(
    *rows: dict[str, Any],
    spaces: tuple[dict[str, Any], ...] = (),
    sizes: tuple[dict[str, Any], ...] = (),
    **ids: tuple[str, ...],
) -> RereadPreview:
    fake = FakeTables(
        {
            "reports/select_rereadable": list(rows),
            "datasets/spaces/select_spaces": list(spaces),
            "ledger/select_conversation_sizes": list(sizes),
        }
    )
    selector = RereadSelector(**(ids or {"space_ids": ("s",)}))
    return preview_reread(fake.as_tables(), parse_settings({}, {}), selector, WORKSPACES, NOON)


def test_messages_are_counted_by_place_and_state_and_planned_as_a_run_would() -> None:
    size = {"workspace_id": "1", "conversation_id": "c", "message_count": 450, "final_message_ids": []}
    rows = [known(f"m{n}") for n in range(6)] + [known("p", conversation_id="c2", state="pending", created_date=None)]

    found = preview(*rows, sizes=(size,))

    assert [(p.workspace_id, p.space_id, p.state, p.message_count) for p in found.places] == [
        ("1", "s", "fetched", 6),
        ("1", "s", "pending", 1),
    ]
    assert (found.stored_count, found.message_calls, found.space_calls) == (6, 5 + 1, 1)
    assert found.scope.workspace_ids == ("1",)
    assert found.scope.space_ids == ("s",)
    assert json.loads(json.dumps(found.to_dict()))["message_count"] == 7


def test_space_that_was_asked_for_lately_costs_no_call() -> None:
    assert preview(known(), spaces=(space("readable", fetched_at=NOON - HOUR),)).space_calls == 0
    assert preview(known(), spaces=(space("readable", fetched_at=NOON - DAY),)).space_calls == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (known(state="erased", space_id=None), "erased"),
        (known(space_id=None), "place_unknown"),
        (known(conversation_id=None), "place_unknown"),
        (known(state="deleted"), "gone"),
        (known(state="not_found", created_date=None), "gone"),
        (known(workspace_id="3"), "workspace_gone"),
    ],
)
def test_what_cannot_be_read_is_left_out_with_advice(row: dict[str, Any], reason: str) -> None:
    found = preview(row, known("other"), workspace_ids=(row["workspace_id"], "1"))

    [left] = found.left_out
    assert (left.reason, left.message_count, left.advice[-1]) == (reason, 1, ".")
    assert found.messages["message_id"].to_pylist() == ["other"]


def test_messages_of_a_closed_space_are_left_out_with_its_own_reason() -> None:
    found = preview(known(), known("m2", state="forbidden"), spaces=(space("forbidden"),))

    [left] = found.left_out
    assert (left.reason, left.message_count, left.advice.partition(".")[0]) == ("space_closed", 2, "grant it")
    assert (found.messages.num_rows, found.message_calls, found.seconds) == (0, 0, 0)


def test_gone_message_that_is_named_itself_is_asked_for() -> None:
    found = preview(known(state="deleted"), message_ids=("m1",))

    assert (found.messages.num_rows, found.left_out, found.message_calls) == (1, (), 1)


def test_unknown_ids_are_told_with_where_they_were_looked_for() -> None:
    with pytest.raises(ConfigError) as refused:
        preview(known(), message_ids=("m1", "m7", "m8"), workspace_ids=("1",))

    assert "--message m7: not in the ledger that is of workspace 1" in str(refused.value)
    assert "--message m8" in str(refused.value)
    assert "--message m1" not in str(refused.value)


def test_nothing_found_at_all_names_every_id() -> None:
    with pytest.raises(ConfigError) as refused:
        preview(workspace_ids=("9",), space_ids=("s",))

    assert "--workspace 9: no message of it" in str(refused.value)
    assert "--space s: no message of it" in str(refused.value)


@pytest.mark.parametrize("kind", ["message", "conversation", "space"])
def test_id_in_several_workspaces_is_told_with_their_names_unless_they_are_given(kind: str) -> None:
    rows, ids = [known(), known(workspace_id="2")], {f"{kind}_ids": (known()[f"{kind}_id"],)}

    with pytest.raises(ConfigError, match=r"it exists in workspaces 1 \(sales\), 2\. Add --workspace"):
        preview(*rows, **ids)
    assert preview(*rows, **ids, workspace_ids=("1", "2")).messages.num_rows == 2
