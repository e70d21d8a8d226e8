"""The whole job against the simulated account: real HTTP, real OAuth, real Delta tables."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from deltalake import DeltaTable
from tests.integration.conftest import DAY, HOUR, MINUTE, UNTIL, MakeWorld, World

from genie_obs.security.content_policy import ContentGuard
from genie_obs.simulator import FaultRule, SimulatedMessage, grow, message_body

TERMINAL = {"COMPLETED", "FAILED", "CANCELLED", "QUERY_RESULT_EXPIRED"}
Key = tuple[str, str]


def visible(world: World, days: int = 60) -> dict[Key, SimulatedMessage]:
    """Return the messages that the audit log has shown by now, the truth discovery is measured by."""
    since = world.account.now - timedelta(days=days)
    return {
        (message.workspace_id, message.message_id): message
        for message in world.account.messages()
        if message.audit_visible_at is not None
        and message.audit_visible_at <= world.account.now
        and message.created_at > since
    }


def is_readable(world: World, message: SimulatedMessage) -> bool:
    return world.account.space(message.workspace_id, message.space_id).access == "manage"


def instant(value: Any) -> datetime | None:
    if value is None:
        return None
    number = int(value)
    return datetime.fromtimestamp(number if number < 100_000_000_000 else number / 1000, UTC)


def assert_is_stored_as_served(row: dict[str, Any], message: SimulatedMessage) -> None:
    """Compare a row with the JSON the API serves, read independently of the job's parser."""
    body = message_body(message)
    assert row["content"] == body["content"]
    assert row["status"] == body["status"]
    assert row["conversation_id"] == body["conversation_id"]
    assert row["space_id"] == body["space_id"]
    attachments = body.get("attachments") or []
    queries = [item["query"] for item in attachments if "query" in item]
    assert row["attachments_count"] == len(attachments)
    assert json.loads(row["attachments_json"] or "[]") == attachments
    assert row["statement_ids"] == [query["statement_id"] for query in queries if query.get("statement_id")]
    assert row["query_sql"] == (queries[-1].get("query") if queries else None)
    feedback = body.get("feedback") or {}
    assert row["feedback_rating"] == feedback.get("rating")
    assert row["feedback_comment"] == feedback.get("comment")
    assert row["error_type"] == (body.get("error") or {}).get("type")
    if body.get("created_timestamp") is not None:
        stated = instant(body["created_timestamp"])
        assert stated is not None
        assert abs(row["created_at"] - stated) < timedelta(milliseconds=1)


def assert_ledger_is_complete(world: World) -> None:
    """Check the invariant: every witnessed message has one row, in one state, and every stored message is in it."""
    ledger, details = world.by_key("message_ledger"), world.by_key("message_details")
    assert set(visible(world)) <= set(ledger)
    assert set(details) <= set(ledger)
    states = Counter(row["state"] for row in ledger.values())
    assert set(states) <= {"pending", "fetched", "settling", "retry", "forbidden", "deleted", "not_found", "abandoned"}
    assert sum(states.values()) == len(ledger)
    for key, row in ledger.items():
        assert (key in details) == (row["created_date"] is not None)
        if row["state"] in {"fetched", "settling"}:
            assert key in details


def assert_matches_truth(world: World) -> None:
    ledger, details = world.by_key("message_ledger"), world.by_key("message_details")
    for key, message in visible(world).items():
        if not is_readable(world, message):
            assert ledger[key]["state"] == "forbidden"
            assert key not in details
        elif message.deleted:
            assert ledger[key]["state"] in {"deleted", "not_found"}
        else:
            assert_is_stored_as_served(details[key], message)
            assert ledger[key]["state"] == "fetched" if message.status in TERMINAL else {"settling", "abandoned"}
    assert_ledger_is_complete(world)


def test_first_run_stores_every_message_as_the_service_has_it(world: World) -> None:
    record = world.run()

    assert record.status == "succeeded"
    assert_matches_truth(world)
    assert record.witnessed_count == len(world.read("message_ledger")) == record.new_message_count
    assert record.due_count == len(world.read("message_ledger"))
    assert record.fetched_count == Counter(r["state"] for r in world.read("message_ledger"))["fetched"]
    assert record.message_call_count == world.message_calls()


def test_second_run_with_nothing_new_makes_no_call_and_rewrites_no_row(world: World) -> None:
    world.run()
    versions = world.versions()

    record = world.run()

    assert world.server.stats.calls() == 0
    assert world.versions() == versions
    assert (record.due_count, record.new_message_count, record.api_call_count) == (0, 0, 0)


def test_record_is_written_when_a_run_begins_when_it_has_found_something_and_when_it_ends(clean_world: World) -> None:
    world = clean_world
    world.run()
    first = world.delta("ingestion_runs").version()
    world.run()
    second = world.delta("ingestion_runs").version()

    assert (first, second - first) == (3, 2)


def test_run_after_a_weeks_outage_catches_up_with_everything(world: World) -> None:
    world.run()
    account = world.account
    old = [m for m in visible(world).values() if m.status == "COMPLETED" and not m.deleted and is_readable(world, m)]
    rated, removed, regenerated, continued = old[0], old[1], next(m for m in old[2:] if m.queries), old[-1]
    at = account.now + DAY
    account.advance(2 * DAY)
    account.rate(rated, "NEGATIVE", "numbers look wrong", at=at)
    account.delete_message(removed, at=at)
    account.regenerate(regenerated, at=at)
    follow_up = account.ask(
        workspace_id=continued.workspace_id, conversation_id=continued.conversation_id, text="and per month?", at=at
    )
    late = account.ask(workspace_id=continued.workspace_id, text="late in audit", at=at, audit_delay=5 * DAY)
    slow = account.ask(
        workspace_id=continued.workspace_id, text="late in history", at=account.now, statement_delay=20 * HOUR
    )
    grow(account, until=UNTIL + 7 * DAY + HOUR)

    world.run()

    assert_matches_truth(world)
    details = world.by_key("message_details")
    assert details[rated.workspace_id, rated.message_id]["feedback_comment"] == "numbers look wrong"
    deleted = details[removed.workspace_id, removed.message_id]
    assert deleted["is_deleted"]
    assert deleted["content"] == removed.content
    assert (follow_up.workspace_id, follow_up.message_id) in details
    assert (late.workspace_id, late.message_id) in details
    joined = details[slow.workspace_id, slow.message_id]
    assert joined["query_execution_status"] == "FINISHED"
    assert details[regenerated.workspace_id, regenerated.message_id]["statement_id"] == regenerated.statement_ids[-1]


def test_audit_row_that_comes_later_than_the_run_is_found_by_the_overlap(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    world.account.advance(HOUR)
    late = world.account.ask(workspace_id=workspace_id, text="late", audit_delay=30 * HOUR)
    world.account.advance(HOUR)
    world.account.ask(workspace_id=workspace_id, text="in time")
    world.account.advance(MINUTE)
    world.run()
    assert (workspace_id, late.message_id) not in world.by_key("message_ledger")

    world.account.advance(30 * HOUR)
    world.run()

    assert world.by_key("message_details")[workspace_id, late.message_id]["content"] == "late"


def test_statement_that_is_not_in_the_history_yet_is_joined_by_a_later_run_without_calls(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = world.account.ask(workspace_id=workspace_id, statement_delay=3 * HOUR)
    world.account.advance(MINUTE)
    first = world.run()
    assert first.statements_missing_count
    assert world.by_key("message_details")[workspace_id, asked.message_id]["query_execution_status"] is None

    world.account.advance(4 * HOUR)
    second = world.run()

    row = world.by_key("message_details")[workspace_id, asked.message_id]
    assert second.statements_joined_count == 1
    assert row["query_execution_status"] == "FINISHED"
    assert row["query_duration_ms"] is not None
    assert row["query_warehouse_id"] is not None
    assert world.message_calls() == 0


def test_running_message_is_stored_as_settling_and_followed_until_it_is_final(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = world.account.ask(workspace_id=workspace_id, outcome="running")
    world.account.advance(timedelta(seconds=20))
    world.run()
    key = (workspace_id, asked.message_id)
    assert world.by_key("message_ledger")[key]["state"] == "settling"
    assert world.by_key("message_details")[key]["status"] not in TERMINAL

    world.account.advance(10 * MINUTE)
    world.run()

    assert world.by_key("message_ledger")[key]["state"] == "fetched"
    assert world.by_key("message_details")[key]["status"] == "COMPLETED"


def test_message_regenerated_while_it_is_read_keeps_its_terminal_status(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = world.account.ask(workspace_id=workspace_id)
    world.account.advance(HOUR)
    world.run()
    world.account.regenerate(asked, outcome="running")
    world.account.advance(timedelta(seconds=10))
    assert asked.status not in TERMINAL

    world.run()

    key = (workspace_id, asked.message_id)
    assert world.by_key("message_details")[key]["status"] == "COMPLETED"
    assert world.by_key("message_ledger")[key]["state"] == "settling"


@pytest.mark.parametrize("change", ["regenerated", "edited"])
def test_old_message_that_changes_is_followed_until_its_new_answer_is_final(clean_world: World, change: str) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = world.account.ask(workspace_id=workspace_id)
    world.account.advance(15 * DAY)
    world.run()
    if change == "regenerated":
        world.account.regenerate(asked, outcome="running")
    else:
        world.account.update(asked, "And by region?", outcome="running")
    world.account.advance(timedelta(seconds=10))

    world.run()
    row = world.by_key("message_ledger")[workspace_id, asked.message_id]
    assert (row["state"], row["next_attempt_at"] - row["last_attempt_at"]) == ("settling", 2 * MINUTE)

    world.account.advance(10 * MINUTE)
    world.run()
    assert world.by_key("message_ledger")[workspace_id, asked.message_id]["state"] == "fetched"
    assert_is_stored_as_served(world.by_key("message_details")[workspace_id, asked.message_id], asked)


def test_message_that_never_becomes_final_is_abandoned_and_says_so(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = world.account.ask(workspace_id=workspace_id, outcome="stuck")
    world.account.advance(HOUR)
    world.run()
    for _ in range(3):
        world.account.advance(3 * DAY)
        world.run()

    row = world.by_key("message_ledger")[workspace_id, asked.message_id]
    assert row["state"] == "abandoned"
    assert "7 days" in row["state_reason"]
    assert (workspace_id, asked.message_id) in world.by_key("message_details")


def test_same_message_id_in_two_workspaces_is_two_messages(clean_world: World) -> None:
    world = clean_world
    first, second = list(world.account.workspaces)[:2]
    shared_id = "01f0aaaabbbbccccddddeeeeffff0001"
    world.account.ask(workspace_id=first, text="in the first", message_id=shared_id)
    world.account.ask(workspace_id=second, text="in the second", message_id=shared_id)
    world.account.advance(MINUTE)

    world.run()

    details = world.by_key("message_details")
    assert details[first, shared_id]["content"] == "in the first"
    assert details[second, shared_id]["content"] == "in the second"


def test_hidden_space_makes_its_messages_forbidden_with_the_grant_to_run(clean_world: World) -> None:
    world = clean_world
    message = next(iter(visible(world).values()))
    world.account.deny_space(message.workspace_id, message.space_id)

    record = world.run()

    mine = [row for row in world.read("message_ledger") if row["space_id"] == message.space_id]
    assert {row["state"] for row in mine} == {"forbidden"}
    assert all("CAN MANAGE" in row["state_reason"] and message.space_id in row["state_reason"] for row in mine)
    assert record.status == "succeeded"
    assert record.forbidden_count == len(mine)
    assert_matches_truth(world)


def test_forbidden_space_costs_one_look_a_day_until_it_is_granted(clean_world: World) -> None:
    world = clean_world
    message = next(iter(visible(world).values()))
    world.account.deny_space(message.workspace_id, message.space_id)
    world.run()
    world.account.advance(HOUR)
    world.run()
    assert world.server.stats.calls() == 0

    world.account.advance(DAY)
    world.run()
    assert world.message_calls() == 0
    assert 1 <= world.server.stats.calls("get_space", message.workspace_id, 404) <= 2

    world.account.allow_space(message.workspace_id, message.space_id)
    world.account.advance(DAY)
    world.run()
    assert_matches_truth(world)
    assert not [row for row in world.read("message_ledger") if row["state"] == "forbidden"]


def test_space_that_may_be_seen_but_not_managed_is_forbidden_not_deleted(clean_world: World) -> None:
    world = clean_world
    message = next(iter(visible(world).values()))
    world.account.deny_space(message.workspace_id, message.space_id, mode="can_run")

    world.run()

    mine = [row for row in world.read("message_ledger") if row["space_id"] == message.space_id]
    assert {row["state"] for row in mine} == {"forbidden"}
    assert all("CAN MANAGE" in row["state_reason"] for row in mine)
    [space] = [row for row in world.read("space_details") if row["space_id"] == message.space_id]
    assert space["state"] == "forbidden"
    assert space["title"]


@pytest.mark.parametrize("trouble", ["unreachable", "refuses"])
def test_workspace_that_cannot_be_read_is_skipped_and_caught_up_later(clean_world: World, trouble: str) -> None:
    world = clean_world
    broken = min(world.account.workspaces)
    if trouble == "unreachable":
        world.account.workspaces[broken].reachable = False
    else:
        world.account.workspaces[broken].accepts_credentials = False

    record = world.run()

    assert record.status == "partial"
    assert len(record.workspace_errors) == 1
    assert broken in record.workspace_errors[0]
    ledger = world.by_key("message_ledger")
    assert {row["state"] for key, row in ledger.items() if key[0] == broken} == {"pending"}
    assert {row["state"] for key, row in ledger.items() if key[0] != broken} == {"fetched"}
    assert record.unread_count == sum(key[0] == broken for key in ledger)

    world.account.workspaces[broken].reachable = True
    world.account.workspaces[broken].accepts_credentials = True
    assert world.run().status == "succeeded"
    assert_matches_truth(world)


def delete_workspace(world: World, workspace_id: str) -> None:
    """Let the account no longer have a workspace; its audit events stay."""
    workspaces = DeltaTable(str(world.lakehouse / "system/access/workspaces_latest"))
    workspaces.delete(f"workspace_id = '{workspace_id}'")


def test_messages_of_a_deleted_workspace_are_tried_for_days_and_then_abandoned(read_world: World) -> None:
    world = read_world
    gone = min(world.account.workspaces)
    world.account.advance(HOUR)
    asked = world.account.ask(workspace_id=gone)
    world.account.advance(HOUR)
    world.publish()
    delete_workspace(world, gone)

    first = world.run(publish=False, max_attempts="3")
    row = world.by_key("message_ledger")[gone, asked.message_id]
    assert first.status == "partial"
    assert (row["state"], row["attempts"]) == ("retry", 1)
    for _ in range(3):
        world.account.advance(DAY)
        last = world.run(publish=False, max_attempts="3")

    row = world.by_key("message_ledger")[gone, asked.message_id]
    assert row["state"] == "abandoned"
    assert "workspaces_latest" in row["state_reason"]
    assert (last.due_count, last.status, last.workspace_errors) == (0, "succeeded", ())


def test_workspace_that_left_the_account_is_no_reason_to_fail_while_nothing_of_it_is_due(clean_world: World) -> None:
    world = clean_world
    gone, kept = sorted(world.account.workspaces)[:2]
    world.run()
    delete_workspace(world, gone)

    runs = []
    for _ in range(3):
        world.account.advance(DAY)
        runs.append(world.run(publish=False))
        assert world.server.stats.calls(workspace_id=gone) == 0
        assert world.server.stats.calls("list_spaces", kept) == 1

    assert [(run.status, run.workspace_errors, run.due_count) for run in runs] == [("succeeded", (), 0)] * 3


def test_account_whose_only_workspace_left_costs_no_call(make_world: MakeWorld) -> None:
    world = make_world(quirks=False, message_count=20, workspace_count=1, space_count=2)
    world.run()
    delete_workspace(world, next(iter(world.account.workspaces)))
    world.account.advance(DAY)

    record = world.run(publish=False)

    assert (record.status, record.api_call_count, world.server.stats.calls()) == ("succeeded", 0, 0)


def test_failing_message_is_tried_later_and_later_and_polling_uses_no_attempts_up(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = world.account.ask(workspace_id=workspace_id)
    world.account.advance(HOUR)
    world.run()
    world.account.rate(asked, "POSITIVE")
    world.account.advance(HOUR)
    world.server.set_faults([FaultRule(operation="get_message", status=500)])
    world.run()
    key = (workspace_id, asked.message_id)
    first = world.by_key("message_ledger")[key]
    assert (first["state"], first["attempts"], first["http_status"]) == ("retry", 1, 500)
    assert world.by_key("message_details")[key]["content"] == asked.content

    world.account.advance(HOUR)
    world.run()
    second = world.by_key("message_ledger")[key]
    assert second["attempts"] == 2
    assert second["next_attempt_at"] - second["last_attempt_at"] > first["next_attempt_at"] - first["last_attempt_at"]

    world.server.set_faults([])
    world.account.advance(HOUR)
    world.run()
    assert world.by_key("message_ledger")[key]["state"] == "fetched"
    assert world.by_key("message_details")[key]["feedback_rating"] == "POSITIVE"


def test_message_that_only_a_listing_shows_is_stored_and_enters_the_ledger(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    unseen = world.account.ask(workspace_id=workspace_id, text="never audited", audit=False)
    for text in ("second", "third"):
        world.account.ask(workspace_id=workspace_id, conversation_id=unseen.conversation_id, text=text)
    world.account.advance(MINUTE)

    world.run()

    key = (workspace_id, unseen.message_id)
    assert world.by_key("message_details")[key]["content"] == "never audited"
    assert world.by_key("message_ledger")[key]["witnesses"] == ["api:list"]
    assert world.by_key("message_ledger")[key]["state"] == "fetched"
    assert_ledger_is_complete(world)


@pytest.mark.parametrize("age", [timedelta(0), 20 * DAY], ids=["new", "old"])
def test_asker_is_looked_up_again_after_an_outage_of_the_directory_of_users(clean_world: World, age: timedelta) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    unseen = world.account.ask(workspace_id=workspace_id, audit=False)
    assert unseen.user is not None
    for _ in range(2):
        world.account.ask(workspace_id=workspace_id, conversation_id=unseen.conversation_id)
    world.account.advance(age + MINUTE)
    world.server.set_faults([FaultRule(operation="scim_user", status=503)])
    key = (workspace_id, unseen.message_id)

    world.run()
    assert world.by_key("message_details")[key]["content"] == unseen.content
    assert world.by_key("message_details")[key]["user_email"] is None
    row = world.by_key("message_ledger")[key]
    assert (row["state"], row["reason_code"], row["http_status"]) == ("settling", "asker_unknown", 200)

    world.server.set_faults([])
    world.account.advance(DAY)
    world.run()
    assert world.by_key("message_details")[key]["user_email"] == unseen.user.email
    assert world.by_key("message_ledger")[key]["state"] == "fetched"
    assert world.message_calls() == 1


def test_conversation_deleted_as_a_whole_marks_its_messages(read_world: World) -> None:
    world = read_world
    victim = next(m for m in visible(world).values())
    conversation = {k for k, m in visible(world).items() if m.conversation_id == victim.conversation_id}
    world.account.advance(HOUR)
    world.account.delete_conversation(victim.workspace_id, victim.conversation_id)
    world.account.advance(MINUTE)

    world.run()

    details, ledger = world.by_key("message_details"), world.by_key("message_ledger")
    assert all(details[key]["is_deleted"] and details[key]["content"] for key in conversation)
    assert {ledger[key]["state"] for key in conversation} == {"deleted"}


def test_own_reads_trigger_nothing_and_are_no_witnesses(read_world: World) -> None:
    world = read_world
    before = {key: row["witnesses"] for key, row in world.by_key("message_ledger").items()}
    world.account.advance(HOUR)

    record = world.run()

    assert world.message_calls() == 0
    assert record.due_count == 0
    assert {key: row["witnesses"] for key, row in world.by_key("message_ledger").items()} == before


def test_raising_the_look_back_reads_the_days_before(clean_world: World) -> None:
    world = clean_world
    world.run(days_lookback="5")
    few = len(world.read("message_ledger"))

    world.run(days_lookback="60")

    assert len(world.read("message_ledger")) > few
    assert_matches_truth(world)


def test_run_limited_to_a_workspace_does_not_move_the_watermark_of_the_others(clean_world: World) -> None:
    world = clean_world
    first, second = sorted(world.account.workspaces)[:2]
    world.run(workspace_ids=first)
    assert {key[0] for key in world.by_key("message_ledger")} == {first}

    world.run(workspace_ids=second)

    assert_matches_truth(world)


def test_run_limited_to_spaces_leaves_the_other_messages_pending(clean_world: World) -> None:
    world = clean_world
    space_id = next(iter(visible(world).values())).space_id

    world.run(space_ids=space_id)
    states = {(row["space_id"] == space_id, row["state"]) for row in world.read("message_ledger")}
    assert states == {(True, "fetched"), (False, "pending")}

    world.run()
    assert_matches_truth(world)


def test_spaces_are_filled_and_refreshed_once_a_day(read_world: World) -> None:
    world = read_world
    spaces = {row["space_id"]: row for row in world.read("space_details")}
    used = {m.space_id for m in visible(world).values()}
    assert used <= set(spaces)
    assert all(row["title"] and row["state"] == "readable" and row["serialized_space"] for row in spaces.values())

    world.account.advance(DAY)
    for workspace in world.account.workspaces.values():
        for space in workspace.spaces.values():
            space.title = f"{space.title} renamed"
    world.run()

    assert all(row["title"].endswith(" renamed") for row in world.read("space_details"))


def test_space_that_cannot_be_digested_stops_no_run(
    clean_world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = clean_world
    message = next(iter(visible(world).values()))
    world.account.space(message.workspace_id, message.space_id).title = "odd words"
    protect = failing_for("odd words", ContentGuard.protect, column="title")
    monkeypatch.setattr(ContentGuard, "protect", protect)

    record = world.run()

    assert record.status == "succeeded"
    assert_matches_truth(world)
    assert message.space_id not in {row["space_id"] for row in world.read("space_details")}
    assert "RuntimeError at failing_for.<locals>.protect_unless:" in caplog.text
    assert "odd words" not in caplog.text


def test_spaces_of_large_configurations_are_stored_while_others_are_asked_for(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genie_obs.datasets.spaces.directory._MANY_BYTES", 1)
    world = make_world(quirks=False, message_count=60, workspace_count=1, space_count=8)
    world.run()

    [workspace] = world.account.workspaces.values()
    assert sorted(row["space_id"] for row in world.read("space_details")) == sorted(workspace.spaces)
    merges = [commit for commit in world.delta("space_details").history() if commit["operation"] == "MERGE"]
    assert len(merges) > 1
    assert_matches_truth(world)


@pytest.mark.parametrize("is_listed", [True, False])
def test_message_that_cannot_be_read_takes_no_other_with_it(
    clean_world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_listed: bool
) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    first = world.account.ask(workspace_id=workspace_id, text="first")
    odd = world.account.ask(workspace_id=workspace_id, conversation_id=first.conversation_id, text="odd words")
    last = world.account.ask(workspace_id=workspace_id, conversation_id=first.conversation_id, text="last")
    monkeypatch.setattr(ContentGuard, "protect", failing_for("odd words", ContentGuard.protect))
    if not is_listed:
        monkeypatch.setattr("genie_obs.datasets.messages.planner.is_listing_cheaper", lambda *_: False)
    world.account.advance(MINUTE)

    world.run()

    ledger = world.by_key("message_ledger")
    rows = [ledger[workspace_id, message.message_id] for message in (first, odd, last)]
    assert [row["state"] for row in rows] == ["fetched", "retry", "fetched"]
    assert (rows[1]["reason_code"], rows[1]["attempts"]) == ("unreadable_answer", 1)
    assert rows[1]["state_reason"] == "RuntimeError while reading the answer; please report it"
    assert "reading a message failed: RuntimeError at failing_for.<locals>.protect_unless:" in caplog.text
    assert "odd words" not in caplog.text


def failing_for(text: str, protect: Callable[..., Any], *, column: str = "content") -> Callable[..., Any]:
    """Return a method that fails, with the text in its words, for a row with this text."""

    def protect_unless(self: ContentGuard, row: dict[str, Any], *args: Any) -> Any:
        if row.get(column) == text:
            raise RuntimeError(f"cannot digest {text!r}")
        return protect(self, row, *args)

    return protect_unless


def test_throttled_service_is_read_to_the_end(make_world: MakeWorld) -> None:
    world = make_world(quirks=False, message_count=150, workspace_count=1, space_count=2, requests_per_second=40)

    record = world.run()

    assert record.status == "succeeded"
    assert_matches_truth(world)


def test_no_secret_token_or_text_appears_in_the_debug_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        record = world.run()

    log = "\n".join(f"{item.getMessage()} {item.exc_text or ''}" for item in caplog.records) + record.to_json()
    assert "GET /api/2.0/genie/spaces/{space_id}" in log
    assert world.account.client_secret not in log
    texts = {m.content for m in world.account.messages() if len(m.content) > 12}
    assert not [text for text in texts if text in log]
    assert "Bearer" not in log
    assert "Basic" not in log
