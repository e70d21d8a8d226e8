"""Content policies, with the whole job and every byte of the lakehouse."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import HOUR, World
from tests.integration.privacy_world import ADDRESS, WORD, mark, mark_all_texts, places_of

from genie_obs.command.cli import main
from genie_obs.secret import Secret
from genie_obs.security.content_policy import ContentGuard, ContentSettings, Policy, parse_policies
from genie_obs.security.texts import NOT_KEPT

HASH_KEY = Secret("not to be guessed at all")


@pytest.fixture
def marked(clean_world: World) -> World:
    clean_world.content_hash_key = HASH_KEY
    mark_all_texts(clean_world)
    return clean_world


def ours(world: World) -> Path:
    return world.lakehouse / "main"


@pytest.mark.parametrize(
    ("policy", "word_is_kept", "address_is_kept"),
    [("full", True, True), ("redacted", True, False), ("hashed", False, False), ("metrics_only", False, False)],
)
def test_policy_is_applied_before_anything_is_written_and_when_a_message_is_read_again(
    marked: World, policy: str, word_is_kept: bool, address_is_kept: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="genie_obs")
    world = marked
    first = world.run(content_policy=policy)
    asked = next(iter(world.account.messages()))
    world.account.rate(asked, "NEGATIVE", f"{WORD} {ADDRESS} again")
    world.account.advance(HOUR)
    second = world.run(content_policy=policy)

    rows = world.by_key("message_details")
    again = rows[asked.workspace_id, asked.message_id]
    assert (len(rows), bool(first.statements_joined_count), second.fetched_count) == (60, True, 1)
    assert again["ingestion_batch_id"] == second.run_id
    assert {row["content_policy"] for row in rows.values()} == {policy}
    assert (places_of(WORD, ours(world)) != []) is word_is_kept
    assert (places_of(ADDRESS, ours(world)) != []) is address_is_kept
    assert WORD not in caplog.text
    # What is counted is there under every policy.
    assert all(row["content"] for row in rows.values())
    assert any(row["query_sql"] for row in rows.values())
    assert again["feedback_comment"]


@pytest.mark.parametrize(
    ("policy", "folder"),
    [("full", f"/Workspace/Users/{ADDRESS}"), ("redacted", "/Workspace/Users/[email]"), ("metrics_only", NOT_KEPT)],
)
def test_folder_of_a_space_which_is_named_after_its_owner_follows_the_policy(
    marked: World, policy: str, folder: str
) -> None:
    marked.run(content_policy=policy)

    assert {row["parent_path"] for row in marked.read("space_details")} == {folder}


def test_key_of_the_hashes_is_taken_from_its_variable_and_without_it_nothing_is_written(
    marked: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = marked
    monkeypatch.setenv("DATABRICKS_SP_CLIENT_ID", world.account.client_id)
    monkeypatch.setenv("DATABRICKS_SP_CLIENT_SECRET", world.account.client_secret)
    arguments = [
        "ingest", "--engine", "local", "--lakehouse", str(world.lakehouse), "--days-lookback", "3650", "--content-policy", "hashed",
    ]  # fmt: skip

    assert main(arguments) == 2
    assert "GENIE_OBS_CONTENT_HASH_KEY" in capsys.readouterr().err
    assert not ours(world).exists()

    monkeypatch.setenv("GENIE_OBS_CONTENT_HASH_KEY", HASH_KEY.reveal())
    assert main(arguments) == 0
    guard = ContentGuard(ContentSettings(content_policy=parse_policies("hashed")), hash_key=HASH_KEY)
    truth = {(m.workspace_id, m.message_id): m.content for m in world.account.messages()}
    stored = {key: row["content"] for key, row in world.by_key("message_details").items()}
    assert stored == {key: guard.protect_text(text, Policy.HASHED) for key, text in truth.items()}


def test_policies_differ_by_workspace_and_space(marked: World) -> None:
    world = marked
    one, other = world.account.workspaces
    space = next(m.space_id for m in world.account.messages() if m.workspace_id == one)

    world.run(content_policy=f"full; {one}=hashed; {one}/{space}=metrics_only")

    policies = {
        (row["workspace_id"], row["space_id"] == space, row["content_policy"]) for row in world.read("message_details")
    }
    assert policies == {(one, True, "metrics_only"), (one, False, "hashed"), (other, False, "full")}
    spaces = {(row["workspace_id"], row["space_id"]): row["description"] for row in world.read("space_details")}
    assert spaces[one, space] == NOT_KEPT


def test_stricter_policy_takes_the_text_of_what_is_read_again_and_a_looser_one_brings_it_back(marked: World) -> None:
    world = marked
    world.run()
    asked = next(m for m in world.account.messages() if m.queries)
    key = (asked.workspace_id, asked.message_id)
    whole = world.by_key("message_details")[key]

    def read_again(policy: str) -> dict[str, Any]:
        world.account.rate(asked, "POSITIVE")
        asked.suggestions = ()
        mark(asked)
        asked.feedback = ("POSITIVE", None)  # the comment is gone: it must go here too, and not stay as "never lost"
        world.account.advance(HOUR)
        world.run(content_policy=policy)
        return world.by_key("message_details")[key]

    strict = read_again("metrics_only")
    assert whole["content_policy"] == "full"
    assert WORD not in str(strict)
    assert strict["feedback_comment"] is None
    assert (strict["content"], strict["query_error_message"]) == (NOT_KEPT, NOT_KEPT)
    assert strict["query_execution_status"] == whole["query_execution_status"] is not None
    assert {row["content_policy"] for k, row in world.by_key("message_details").items() if k != key} == {"full"}

    assert WORD in read_again("full")["content"]
