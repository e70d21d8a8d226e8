"""`genie-obs erase` and the retention of the job, with the whole job and every byte of the lakehouse."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.integration.conftest import CLEAN, DAY, HOUR, UNTIL, CopyWorld, World, make_account, read_once
from tests.integration.privacy_world import places_of

from genie_obs.command.cli import main
from genie_obs.erasure.erase import run_erase
from genie_obs.erasure.receipt import hash_user
from genie_obs.erasure.selector import Extent, Selector
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.tables import Tables
from genie_obs.runs.record import RunRecord
from genie_obs.simulator import SimulatedMessage

Key = tuple[str, str]
Erase = Callable[..., dict[str, Any]]


def address_of(message: SimulatedMessage) -> str:
    assert message.user is not None
    return message.user.email


def word_of(message: SimulatedMessage) -> str:
    return "Zebrafish" + address_of(message).partition("@")[0].replace(".", "")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An account in which every text of a message holds a word that only its asker uses, all of it stored."""
    account = make_account(**CLEAN)
    for message in account.messages():
        word = word_of(message)
        message.content, message.text, message.suggestions = f"{word} asks", f"{word} is told", (f"{word} again",)
        message.feedback = ("NEGATIVE", f"{word} minds")
        for query in message.queries:
            query.sql_override = f"SELECT 1 WHERE x = '{word}'"
        message.body = None
    return read_once(account, tmp_path_factory.mktemp("erasure") / "lakehouse")


@pytest.fixture
def world(stored: World, copy_world: CopyWorld) -> World:
    return copy_world(stored)


@pytest.fixture
def erase(world: World, capsys: pytest.CaptureFixture[str]) -> Erase:
    """Run the command and return what it prints."""

    def run(*arguments: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["erase", "--engine", "local", "--lakehouse", str(world.lakehouse), *arguments, "--json"]) == code
        printed: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return printed

    return run


def ours(world: World) -> Path:
    return world.lakehouse / "main"


def key(message: SimulatedMessage) -> Key:
    return message.workspace_id, message.message_id


def of_somebody(world: World) -> tuple[SimulatedMessage, set[Key]]:
    """Return a message, and the keys of everything its asker asked."""
    chosen = next(message for message in world.account.messages() if message.queries)
    return chosen, {key(m) for m in world.account.messages() if address_of(m) == address_of(chosen)}


def read_all_again(world: World) -> RunRecord:
    """Let everybody rate everything, so that a run has a reason to read every message again."""
    for message in world.account.messages():
        world.account.rate(message, "POSITIVE", f"{word_of(message)} once more")
    world.account.advance(HOUR)
    return world.run()


def test_no_text_of_a_person_is_left_in_any_file_and_no_run_brings_it_back(world: World, erase: Erase) -> None:
    asked, theirs = of_somebody(world)
    before = world.by_key("message_details")
    address = address_of(asked)
    assert places_of(word_of(asked), ours(world))

    receipt = erase("--user", address.upper(), "--vacuum", "--yes")

    assert (receipt["status"], receipt["message_count"], receipt["stored_count"]) == ("done", len(theirs), len(theirs))
    assert places_of(word_of(asked), ours(world)) == []
    assert places_of(address, ours(world)) == []
    rows = world.by_key("message_details")
    assert {k: rows[k] for k in rows.keys() - theirs} == {k: before[k] for k in before.keys() - theirs}
    assert all(
        rows[k]["created_at"] == before[k]["created_at"] and rows[k]["status"] == before[k]["status"] for k in theirs
    )

    record = read_all_again(world)

    assert record.fetched_count == len(rows) - len(theirs)
    assert places_of(word_of(asked), ours(world)) == []
    assert places_of(address, ours(world)) == []
    ledger = world.by_key("message_ledger")
    assert {k for k, row in ledger.items() if row["state"] == "erased"} == theirs


def test_first_run_over_everything_restores_nothing_either(world: World, erase: Erase) -> None:
    asked, theirs = of_somebody(world)
    erase("--user", address_of(asked), "--without-metrics", "--vacuum", "--yes")

    world.run(days_lookback="3650", overlap_days="365")

    assert world.by_key("message_details").keys() == {key(m) for m in world.account.messages()} - theirs
    assert places_of(word_of(asked), ours(world)) == []


def test_receipt_says_what_was_erased_and_not_whom(world: World, erase: Erase) -> None:
    asked, theirs = of_somebody(world)

    printed = erase("--user", address_of(asked), "--yes")

    [stored] = world.read("erasures")
    assert {name: printed[name] for name in ("erasure_id", "status", "message_count")} == {
        "erasure_id": stored["erasure_id"], "status": "done", "message_count": len(theirs),
    }  # fmt: skip
    assert stored["user_hash"] == hash_user(stored["erasure_id"], address_of(asked))
    assert address_of(asked) not in str(stored)
    assert stored["started_at"] <= stored["finished_at"]
    assert stored["is_vacuumed"] is False
    assert stored["versions_after"] != stored["versions_before"]
    assert stored["requested_by"]


def test_without_yes_it_only_says_what_would_go(world: World, erase: Erase) -> None:
    asked, theirs = of_somebody(world)
    versions = world.versions()

    found = erase("--user", address_of(asked))

    assert (found["is_dry_run"], found["message_count"], found["stored_count"]) == (True, len(theirs), len(theirs))
    assert world.versions() == versions
    assert world.read("erasures") == []


def test_space_is_erased_with_its_description_and_nothing_else(world: World, erase: Erase) -> None:
    asked, _ = of_somebody(world)

    receipt = erase("--space", asked.space_id, "--yes")

    rows = world.read("message_details")
    assert receipt["space_count"] == 1
    assert {row["space_id"] for row in rows if row["content_policy"] == "erased"} == {asked.space_id}
    assert {row["space_id"] for row in rows if row["content_policy"] != "erased"} == (
        {row["space_id"] for row in rows} - {asked.space_id}
    )
    described = {row["space_id"]: row["description"] for row in world.read("space_details")}
    assert described[asked.space_id] == "[not kept]"
    assert all(row["user_email"] for row in rows)  # who asked goes only where a person is named


def test_age_is_a_day_or_a_number_of_days(world: World, erase: Erase) -> None:
    day = (UNTIL - 20 * DAY).date()
    old = {k for k, row in world.by_key("message_details").items() if row["created_date"] < day}

    receipt = erase("--older-than", day.isoformat(), "--yes")

    rows = world.by_key("message_details")
    assert 0 < receipt["message_count"] == len(old) < len(rows)
    assert {k for k, row in rows.items() if row["content_policy"] == "erased"} == old


def test_erasing_twice_finds_nothing_more(world: World, erase: Erase) -> None:
    asked, _ = of_somebody(world)
    erase("--user", address_of(asked), "--yes")

    assert erase("--user", address_of(asked), "--yes")["message_count"] == 0


class ErasedMeanwhile(Tables):
    """Tables from which somebody else erases just before the first answers are stored."""

    def __init__(self, engine: Engine, erases: Callable[[], object]) -> None:
        super().__init__(engine)
        self._erases: Callable[[], object] | None = erases

    def write(self, what: str, whole: str, only_new: str | None, relations: Mapping[str, pa.Table]) -> int:
        if what == "message_details" and self._erases is not None:
            erases, self._erases = self._erases, None
            erases()
        return super().write(what, whole, only_new, relations)


@pytest.mark.parametrize("extent", list(Extent))
def test_answer_that_was_on_its_way_is_erased_at_the_end_of_the_run(clean_world: World, extent: Extent) -> None:
    world = clean_world
    asker = of_somebody(world)[0].user
    assert asker is not None
    theirs = {key(m) for m in world.account.messages() if m.user is asker}

    def erases() -> None:
        with world.tables() as tables:
            run_erase(tables, Selector(user=asker.email), extent, now=lambda: world.account.now)

    record = world.run(wrap=lambda engine: ErasedMeanwhile(engine, erases))

    assert (record.status, record.fetched_count) == ("succeeded", 60)
    rows, ledger = world.by_key("message_details"), world.by_key("message_ledger")
    assert {k for k, row in ledger.items() if row["state"] == "erased"} == theirs
    if extent.is_row:
        assert rows.keys() == ledger.keys() - theirs
    else:
        assert {k for k, row in rows.items() if row["content_policy"] == "erased"} == theirs
        assert {rows[k]["content"] for k in theirs} == {"[not kept]"}
        assert all((rows[k]["user_email"] is None) is extent.is_asker for k in theirs)


def test_tables_that_an_older_version_made_stop_quoting_texts_in_their_log(world: World, erase: Erase) -> None:
    asked, _ = of_somebody(world)
    world.delta("message_details").alter.set_table_properties(
        {"delta.dataSkippingStatsColumns": "content,created_date"}
    )
    read_all_again(world)
    log = ours(world) / "genie_analytics" / "message_details" / "_delta_log"
    assert places_of("Zebrafish", log)

    erase("--user", address_of(asked), "--vacuum", "--yes")

    assert places_of(word_of(asked), log) == []


def test_older_versions_are_not_removed_while_a_run_is_active(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    asked, _ = of_somebody(world)
    versions = world.versions()
    with world.tables() as tables:
        RunRecord(run_id="active", started_at=UNTIL, engine="local").store(tables)
        with pytest.raises(Exception, match="a run of the job started at 2026-11-20 15:00 UTC and has not ended"):
            run_erase(
                tables, Selector(user=address_of(asked)), Extent.TEXTS, now=lambda: UNTIL + HOUR / 3, is_vacuumed=True
            )
        assert world.versions() == versions

        after = run_erase(
            tables, Selector(user=address_of(asked)), Extent.TEXTS, now=lambda: UNTIL + HOUR, is_vacuumed=True
        )
    assert after.is_vacuumed


def test_retention_erases_what_is_older_at_the_end_of_every_run(world: World) -> None:
    day = (UNTIL - 20 * DAY).date()
    old = {k for k, row in world.by_key("message_details").items() if row["created_date"] < day}

    record = world.run(retention_days="20")
    again = world.run(retention_days="20")

    rows = world.by_key("message_details")
    assert old
    assert {k for k, row in rows.items() if row["content_policy"] == "erased"} == old
    [receipt] = world.read("erasures")
    assert (receipt["run_id"], receipt["before_date"], receipt["message_count"]) == (record.run_id, day, len(old))
    assert (again.status, again.message_call_count) == ("succeeded", 0)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "nothing to erase is named"),
        (["--user", "ana maria"], "holds a blank"),
        (["--space", "a b"], "--space 'a b': no id"),
        (["--older-than", "yesterday"], "neither a number of days nor a day"),
        (["--older-than", "2999-01-01"], "it lies ahead"),
    ],
)
def test_unclear_request_is_refused(
    clean_world: World, arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["erase", "--lakehouse", str(clean_world.lakehouse), *arguments, "--yes"]) == 2
    assert problem in capsys.readouterr().err


def test_nothing_is_made_where_no_run_has_been(clean_world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "--lakehouse", str(clean_world.lakehouse), "--older-than", "30", "--yes"]) == 2
    assert "genie-obs init" in capsys.readouterr().err
    assert not ours(clean_world).exists()
