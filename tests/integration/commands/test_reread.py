"""`genie-obs reread`: what it says before, what it reads again, and that it reads nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tests.integration.conftest import World

from genie_obs.command.cli import main
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.reread import mark_for_rereading
from genie_obs.simulator import SimulatedMessage

Reread = Callable[..., dict[str, Any]]
Key = tuple[str, str]


@pytest.fixture
def reread(read_world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Reread:
    """Run the command with the credentials of the account, and return what `--json` prints."""
    read_world.publish()  # its new address
    monkeypatch.setenv("DATABRICKS_SP_CLIENT_ID", read_world.account.client_id)
    monkeypatch.setenv("DATABRICKS_SP_CLIENT_SECRET", read_world.account.client_secret)

    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        read_world.server.stats.reset()
        where = ["--engine", "local", "--lakehouse", str(read_world.lakehouse)]
        assert main(["reread", *where, *arguments, "--json"]) == code
        out, err = capsys.readouterr()
        return json.loads(out.splitlines()[-1]) if out else {"error": err}

    return run


def key(message: SimulatedMessage) -> Key:
    return message.workspace_id, message.message_id


def change_ledger(world: World, wanted: Callable[[dict[str, Any]], bool], **values: Any) -> None:
    """Let rows of the ledger say something else, with another implementation than ours."""
    table = world.delta("message_ledger").to_pyarrow_table()
    rows = [row | (values if wanted(row) else {}) for row in table.to_pylist()]
    write_deltalake(world.delta("message_ledger"), table.from_pylist(rows, schema=table.schema), mode="overwrite")


def longest_conversation(world: World) -> list[SimulatedMessage]:
    conversations: dict[tuple[str, str], list[SimulatedMessage]] = {}
    for message in world.account.messages():
        conversations.setdefault((message.workspace_id, message.conversation_id), []).append(message)
    return max(conversations.values(), key=len)


def test_regenerated_answer_takes_the_place_of_the_old_one_and_calls_are_as_foreseen(
    read_world: World, reread: Reread
) -> None:
    messages = longest_conversation(read_world)
    [chosen, *others] = messages
    before = read_world.by_key("message_details")
    read_world.account.regenerate(chosen)
    chosen.text = "Another answer."
    conversation = ["--conversation", chosen.conversation_id]

    foreseen = reread(*conversation)
    calls_before, stored_before = read_world.message_calls(), read_world.by_key("message_details")
    done = reread(*conversation, "--yes")

    after = read_world.by_key("message_details")
    assert (foreseen["message_count"], foreseen["stored_count"], calls_before) == (len(messages), len(messages), 0)
    assert stored_before == before
    assert (after[key(chosen)]["answer_text"], before[key(chosen)]["answer_text"] != "Another answer.") == (
        "Another answer.",
        True,
    )
    assert [after[key(other)]["content"] for other in others] == [before[key(other)]["content"] for other in others]
    assert read_world.message_calls() == foreseen["message_calls"] == done["run"]["message_call_count"] > 0
    assert (done["run"]["status"], done["run"]["due_count"], done["run"]["fetched_count"]) == (
        "succeeded",
        *[len(messages)] * 2,
    )
    assert {row["state"] for row in read_world.by_key("message_ledger").values()} == {"fetched"}
    assert {
        row["ingestion_batch_id"]
        for k, row in after.items()
        if row["message_id"] not in {m.message_id for m in messages}
    } == {row["ingestion_batch_id"] for row in before.values()}


def test_abandoned_message_comes_back_and_only_it_is_read_although_others_are_due(
    read_world: World, reread: Reread
) -> None:
    [chosen, other, *_] = read_world.account.messages()
    given_up = {"state": "abandoned", "reason_code": "attempts_used_up", "state_reason": "…", "attempts": 20}
    change_ledger(read_world, lambda row: row["message_id"] == chosen.message_id, **given_up)
    change_ledger(read_world, lambda row: row["message_id"] == other.message_id, state="pending")

    done = reread("--message", f" '{chosen.message_id}' ", "--yes")

    ledger = read_world.by_key("message_ledger")
    assert (ledger[key(chosen)]["state"], ledger[key(chosen)]["attempts"]) == ("fetched", 1)
    assert ledger[key(other)]["state"] == "pending"
    assert (done["run"]["message_call_count"], [row["name"] for row in done["run"]["steps"]]) == (
        1,
        ["marking", "messages", "erasing"],
    )


def test_marked_messages_are_read_by_the_next_run(read_world: World, reread: Reread) -> None:
    chosen = next(iter(read_world.account.messages()))
    space = ["--space", chosen.space_id, "--workspace", chosen.workspace_id]

    marked = reread(*space, "--yes", "--mark-only")
    calls = read_world.message_calls()
    codes = {row["reason_code"] for row in read_world.read("message_ledger") if row["space_id"] == chosen.space_id}
    record = read_world.run()

    assert (marked["run"], calls, codes) == (None, 0, {"reread"})
    assert (record.due_count, record.message_call_count) == (marked["message_count"], marked["message_calls"])
    assert {row["state"] for row in read_world.read("message_ledger")} == {"fetched"}


def test_whole_workspace_is_read_again_but_not_what_was_erased_or_is_gone(read_world: World, reread: Reread) -> None:
    workspace_id = next(iter(read_world.account.workspaces))
    [erased, gone, *rest] = [m for m in read_world.account.messages() if m.workspace_id == workspace_id]
    change_ledger(read_world, lambda row: row["message_id"] == erased.message_id, state="erased")
    change_ledger(read_world, lambda row: row["message_id"] == gone.message_id, state="not_found", created_date=None)
    before = read_world.by_key("message_ledger")

    done = reread("--workspace", f"https://host/?o={workspace_id}", "--yes")

    ledger = read_world.by_key("message_ledger")
    assert {(item["reason"], item["message_count"]) for item in done["left_out"]} == {("erased", 1), ("gone", 1)}
    assert done["message_count"] == done["run"]["fetched_count"] == len(rest)
    assert [ledger[key(message)] == before[key(message)] for message in (erased, gone)] == [True, True]


def test_messages_of_a_space_that_cannot_be_read_are_left_as_they_are(read_world: World, reread: Reread) -> None:
    chosen = next(iter(read_world.account.messages()))
    spaces = read_world.delta("space_details").to_pyarrow_table()
    closed = {"state": "forbidden", "state_reason": "grant it"}
    rows = [row | (closed if row["space_id"] == chosen.space_id else {}) for row in spaces.to_pylist()]
    write_deltalake(read_world.delta("space_details"), spaces.from_pylist(rows, schema=spaces.schema), mode="overwrite")
    before = read_world.by_key("message_ledger")

    done = reread("--message", chosen.message_id, "--yes")

    [left] = done["left_out"]
    assert (left["reason"], left["space_id"], left["advice"].partition(".")[0]) == (
        "space_closed",
        chosen.space_id,
        "grant it",
    )
    assert (done["run"], read_world.by_key("message_ledger")) == (None, before)


def test_link_to_a_conversation_is_understood(read_world: World, reread: Reread) -> None:
    chosen = longest_conversation(read_world)
    link = f"https://host/genie/rooms/{chosen[0].space_id}/chats/{chosen[0].conversation_id}?o={chosen[0].workspace_id}"

    assert reread("--conversation", link)["message_count"] == len(chosen)


def test_ids_that_are_unknown_or_in_several_workspaces_change_nothing(read_world: World, reread: Reread) -> None:
    one, other = list(read_world.account.workspaces)
    chosen = next(m for m in read_world.account.messages() if m.workspace_id == one)
    twin = next(m for m in read_world.account.messages() if m.workspace_id == other)
    change_ledger(read_world, lambda row: row["message_id"] == twin.message_id, message_id=chosen.message_id)
    version = read_world.delta("message_ledger").version()

    unknown = reread("--message", "01efnothere", "--yes", code=2)["error"]
    ambiguous = reread("--message", chosen.message_id, "--yes", code=2)["error"]

    assert "--message 01efnothere: not in the ledger, in any workspace" in unknown
    assert "it exists in workspaces" in ambiguous
    assert one in ambiguous
    assert other in ambiguous
    assert read_world.delta("message_ledger").version() == version
    assert reread("--message", chosen.message_id, "--workspace", one)["message_count"] == 1


def test_without_credentials_nothing_is_marked_unless_only_marking_is_asked_for(
    read_world: World, reread: Reread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_SP_CLIENT_SECRET")
    chosen = next(iter(read_world.account.messages()))
    version = read_world.delta("message_ledger").version()

    reread("--message", chosen.message_id, "--yes", code=2)

    assert read_world.delta("message_ledger").version() == version
    assert reread("--message", chosen.message_id, "--yes", "--mark-only")["is_marked"]


def test_loosened_content_policy_brings_the_texts_back(read_world: World, reread: Reread) -> None:
    chosen = next(iter(read_world.account.messages()))
    before = read_world.by_key("message_details")
    one = ["--message", chosen.message_id, "--yes"]

    strict = reread(*one, "--content-policy", "metrics_only")
    without = read_world.by_key("message_details")[key(chosen)]
    reread(*one)

    after = read_world.by_key("message_details")[key(chosen)]
    assert (strict["content_policy"], without["content"], without["content_policy"]) == (
        "metrics_only",
        "[not kept]",
        "metrics_only",
    )
    assert (after["content"], after["content_policy"]) == (before[key(chosen)]["content"], "full")
    assert after["query_sql"] == before[key(chosen)]["query_sql"]


def test_mark_made_while_a_run_holds_an_older_answer_is_met_by_the_next_run(read_world: World) -> None:
    account = read_world.account
    chosen = next(iter(account.messages()))
    change_ledger(read_world, lambda row: row["message_id"] == chosen.message_id, state="pending")
    marked_at = account.now + timedelta(seconds=1)

    class MarkedMeanwhile(Tables):
        def write(self, what: str, whole: str, only_new: str | None, relations: Mapping[str, pa.Table]) -> int:
            if what == "ledger/merge_outcomes":
                mark_for_rereading(self, relations["message_outcomes"], now=marked_at)
            return super().write(what, whole, only_new, relations)

    first = read_world.run(wrap=MarkedMeanwhile)
    left = read_world.by_key("message_ledger")[key(chosen)]
    account.advance(timedelta(minutes=1))
    second = read_world.run()

    assert (first.fetched_count, left["state"], left["reason_code"]) == (1, "settling", "reread")
    assert (second.fetched_count, read_world.by_key("message_ledger")[key(chosen)]["state"]) == (1, "fetched")


def test_nothing_to_read_leaves_no_run_behind(read_world: World, reread: Reread) -> None:
    chosen = next(iter(read_world.account.messages()))
    change_ledger(read_world, lambda row: row["message_id"] == chosen.message_id, state="erased")
    runs = len(read_world.read("ingestion_runs"))

    done = reread("--message", chosen.message_id, "--yes")

    assert (done["message_count"], done["is_marked"], done["run"]) == (0, False, None)
    assert len(read_world.read("ingestion_runs")) == runs
