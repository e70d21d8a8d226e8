"""A workspace that refuses everything costs a handful of calls, and nothing of what is known of its messages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.integration.conftest import DAY, HOUR, MINUTE, World
from tests.integration.refusals.cases import CASES, HANDFUL, MOST_TOKENS

from genie_obs.runs.record import RunRecord
from genie_obs.simulator import FaultRule

API = ("get_message", "list_messages", "get_space", "list_spaces", "list_conversations", "get_user")
# One of each kind; test_scopes.py has all of them against a scripted server.
EVERY_PUSH = {
    "IP access list", "words nobody knows", "sign-in page", "only 503", "stale token, words nobody knows",
}  # fmt: skip
TIMEOUT = "0.4"
Known = dict[tuple[str, str], tuple[str, int]]


def known_of(world: World, workspace_id: str) -> Known:
    return {
        key: (row["state"], row["attempts"])
        for key, row in world.by_key("message_ledger").items()
        if key[0] == workspace_id
    }


def refuse(world: World, name: str, operation: str) -> str:
    """Let one workspace refuse, and let people ask there and elsewhere meanwhile."""
    refusing, other = sorted(world.account.workspaces)
    for workspace_id in [refusing] * 30 + [other] * 3:
        world.account.ask(workspace_id=workspace_id)
    world.account.advance(HOUR)
    world.server.set_faults([replace(CASES[name].rule, workspace_id=refusing, operation=operation)])
    return refusing


def api_calls(world: World, workspace_id: str) -> int:
    return sum(world.server.stats.calls(operation, workspace_id) for operation in API)


def assert_given_up(world: World, record: RunRecord, workspace_id: str, said: str) -> None:
    assert record.status == "partial"
    [error] = record.workspace_errors
    assert workspace_id in error
    assert said in error
    # A refusal that may pass gets a second try, when everything else is read.
    assert api_calls(world, workspace_id) <= 2 * HANDFUL
    assert world.server.stats.calls("token", workspace_id) <= MOST_TOKENS
    known = known_of(world, workspace_id)
    assert set(known.values()) == {("fetched", 1), ("pending", 0)}
    assert record.unread_count == sum(state == "pending" for state, _ in known.values())


@pytest.mark.parametrize(
    "name", [name if name in EVERY_PUSH else pytest.param(name, marks=pytest.mark.long) for name in CASES]
)
@pytest.mark.parametrize(
    "is_first_listed", [False, pytest.param(True, marks=pytest.mark.long)], ids=["messages", "listing first"]
)
def test_workspace_that_refuses_everything_is_given_up_and_read_when_it_is_healed(
    read_world: World, name: str, is_first_listed: bool
) -> None:
    world, said = read_world, CASES[name].said
    if is_first_listed:
        world.account.advance(DAY)
    refusing = refuse(world, name, "[!t]*")  # everything but tokens

    record = world.run(timeout_seconds=TIMEOUT)

    if said is not None:
        assert_given_up(world, record, refusing, said)
        world.server.set_faults([])
        world.account.advance(MINUTE)
        record = world.run(timeout_seconds=TIMEOUT)
    assert (record.status, record.workspace_errors) == ("succeeded", ())
    assert {state for state, _ in known_of(world, refusing).values()} == {"fetched"}


@pytest.mark.long  # test_oauth.py has the kinds, each in a fraction of the time
@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].said is not None])
def test_workspace_whose_token_endpoint_refuses_is_given_up(read_world: World, name: str) -> None:
    world = read_world
    refusing = refuse(world, name, "token")

    record = world.run(timeout_seconds=TIMEOUT)

    assert record.status == "partial"
    [error] = record.workspace_errors
    assert refusing in error
    assert api_calls(world, refusing) == 0
    assert world.server.stats.calls("token", refusing) <= 2 * MOST_TOKENS
    assert set(known_of(world, refusing).values()) == {("fetched", 1), ("pending", 0)}


@pytest.mark.parametrize("refusal", ["ip_access_list", "unknown_words", "refused_token"])
def test_refusal_after_good_answers_keeps_what_is_left(read_world: World, refusal: str) -> None:
    """The network list is switched on, or the secret is rotated, in the middle of a run."""
    world = read_world
    refusing = refuse(world, "no words", "nothing")
    world.server.set_faults([FaultRule(refusal=refusal, workspace_id=refusing, skip=10, operation="[!t]*")])

    record = world.run(max_concurrency="4")

    assert record.status == "partial"
    known = known_of(world, refusing)
    assert {state for state, _ in known.values()} == {"fetched", "pending"}
    assert record.unread_count == sum(state == "pending" for state, _ in known.values())


def test_message_that_is_refused_once_is_asked_again_in_minutes(read_world: World) -> None:
    world = read_world
    [message] = [world.account.ask(workspace_id=min(world.account.workspaces))]
    world.account.advance(HOUR)
    world.server.set_faults([FaultRule(status=403, operation="*_message", times=1)])

    first = world.run()
    row = world.by_key("message_ledger")[message.workspace_id, message.message_id]
    assert (first.status, row["state"], row["reason_code"]) == ("succeeded", "retry", "refused_once")
    assert "grant" not in row["state_reason"].lower()

    world.account.advance(10 * MINUTE)
    assert world.run().fetched_count == 1


def test_message_that_is_refused_again_is_withheld_and_nobody_is_told_to_grant(read_world: World) -> None:
    world = read_world
    message = world.account.ask(workspace_id=min(world.account.workspaces))
    world.account.advance(HOUR)
    world.server.set_faults([FaultRule(status=403, operation="*_message")])

    for _ in range(2):
        world.run()
        world.account.advance(10 * MINUTE)

    row = world.by_key("message_ledger")[message.workspace_id, message.message_id]
    assert (row["state"], row["reason_code"]) == ("forbidden", "withheld")
    assert "grant" not in row["state_reason"].lower()

    world.server.set_faults([])
    world.account.advance(DAY)
    assert world.run().fetched_count == 1


def test_host_of_several_workspaces_is_told_which_one_is_meant(read_world: World) -> None:
    world = read_world
    world.server.needs_header = True
    for workspace in world.account.workspaces.values():
        workspace.url = f"{workspace.url}/?o={workspace.workspace_id}"
        world.account.ask(workspace_id=workspace.workspace_id)
    world.account.advance(HOUR)

    record = world.run()

    assert (record.status, record.fetched_count) == ("succeeded", 2)


def test_address_that_is_given_wins_over_the_system_table(read_world: World) -> None:
    world = read_world
    workspace = world.account.workspaces[min(world.account.workspaces)]
    right, workspace.url = workspace.url, "https://old.cloud.databricks.com"
    world.account.ask(workspace_id=workspace.workspace_id)
    world.account.advance(HOUR)

    record = world.run(workspace_addresses=f"{workspace.workspace_id}={right}")

    assert (record.status, record.fetched_count) == ("succeeded", 1)
