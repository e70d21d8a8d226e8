"""Spaces that were trashed, deleted and restored, and grants that come back: the whole job."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.conftest import DAY, HOUR, MINUTE, World

from genie_obs.simulator import SimulatedMessage


def ask_and_lose(world: World, act: str = "trash_space", **values: Any) -> SimulatedMessage:
    """Let somebody ask, and end the space before the message was read."""
    message = world.account.ask(workspace_id=min(world.account.workspaces))
    world.account.advance(MINUTE)
    getattr(world.account, act)(message.workspace_id, message.space_id, **values)
    world.account.advance(HOUR)
    return message


def told(world: World, message: SimulatedMessage) -> tuple[str, str | None]:
    row = world.by_key("message_ledger")[message.workspace_id, message.message_id]
    return row["state"], row["reason_code"]


def space_of(world: World, message: SimulatedMessage) -> dict[str, Any]:
    [space] = [
        row
        for row in world.read("space_details")
        if (row["workspace_id"], row["space_id"]) == (message.workspace_id, message.space_id)
    ]
    return space


@pytest.mark.parametrize("act", ["trash_space", "delete_space"])
def test_space_that_went_says_so_and_advises_no_grant(read_world: World, act: str) -> None:
    world = read_world
    message = ask_and_lose(world, act)

    record = world.run()

    went = "trashed" if act == "trash_space" else "deleted"
    row, space = world.by_key("message_ledger")[message.workspace_id, message.message_id], space_of(world, message)
    assert record.status == "succeeded"
    assert told(world, message) == ("forbidden", f"space_{went}")
    assert "grant" not in row["state_reason"].lower()
    assert (space["state"], space["reason_code"], space["went_state"]) == ("forbidden", f"space_{went}", went)
    assert space["went_by"]
    assert space["went_by"] not in space["state_reason"]


def test_event_that_comes_after_the_refusal_changes_the_reason_without_a_call(read_world: World) -> None:
    world = read_world
    message = ask_and_lose(world, audit_delay=4 * HOUR)
    world.run()
    assert told(world, message) == ("forbidden", "no_permission")

    world.account.advance(5 * HOUR)
    record = world.run()

    assert (told(world, message), record.api_call_count) == (("forbidden", "space_trashed"), 0)
    assert "grant" not in space_of(world, message)["state_reason"]


def test_restored_space_is_asked_again_at_once_and_its_messages_are_read(read_world: World) -> None:
    world = read_world
    message = ask_and_lose(world)
    world.run()
    world.account.restore_space(message.workspace_id, message.space_id)
    world.account.advance(HOUR)

    world.run()

    space = space_of(world, message)
    assert told(world, message) == ("fetched", None)
    assert (space["state"], space["went_state"], space["went_by"]) == ("readable", "restored", None)


def test_deleted_space_is_not_asked_for_every_day_until_it_is_restored(read_world: World) -> None:
    world = read_world
    message = ask_and_lose(world, "delete_space")
    world.run()
    for _ in range(2):
        world.account.advance(DAY + HOUR)
        world.run()
        assert world.server.stats.calls("get_space", message.workspace_id) == 0
        assert told(world, message) == ("forbidden", "space_deleted")

    world.account.restore_space(message.workspace_id, message.space_id)
    world.account.advance(HOUR)
    world.run()

    assert told(world, message) == ("fetched", None)


def test_messages_are_read_in_the_run_that_finds_the_grant_given_back(read_world: World) -> None:
    world = read_world
    message = world.account.ask(workspace_id=min(world.account.workspaces))
    space = world.account.space(message.workspace_id, message.space_id)
    space.access = "can_run"
    world.account.advance(DAY)
    world.run()
    assert told(world, message) == ("forbidden", "no_permission")

    space.access = "manage"
    world.account.advance(DAY)
    world.run()

    assert told(world, message) == ("fetched", None)
