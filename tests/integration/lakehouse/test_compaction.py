"""Small files of the local engine are joined: no row changes, nothing is quoted, and no run fails for it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from deltalake import DeltaTable
from tests.integration.conftest import UNTIL, MakeWorld, World

from genie_obs.lakehouse.engines import local
from genie_obs.lakehouse.engines.local import LocalEngine
from genie_obs.lakehouse.schema import tables

SPEC: dict[str, Any] = {
    "quirks": False,
    "message_count": 60,
    "workspace_count": 1,
    "space_count": 3,
    "days": 4,
    "until": UNTIL,
}
OURS = ("message_details", "message_ledger")
MANY_FILES: dict[str, Any] = {"batch_size": "5"}


def extra_files(world: World, table: str) -> int:
    delta = DeltaTable(str(world.lakehouse / "main" / "genie_analytics" / table))
    return len(delta.file_uris()) - len(delta.partitions())


def rows(world: World, table: str) -> dict[tuple[str, str], Any]:
    return {
        key: {name: value for name, value in row.items() if name != "ingestion_batch_id"}
        for key, row in world.by_key(table).items()
    }


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few files be many."""
    monkeypatch.setattr(local, "EXTRA_FILES_AT_MOST", 3)


@pytest.mark.usefixtures("often")
def test_files_are_joined_and_no_row_changes(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    joined, untouched = make_world(**SPEC), make_world(**SPEC)
    joined.run(**MANY_FILES)
    monkeypatch.setattr(LocalEngine, "compact", lambda _self, _table: None)
    untouched.run(**MANY_FILES)

    for table in OURS:
        assert extra_files(untouched, table) > 3
        assert extra_files(joined, table) <= 0
        assert rows(joined, table) == rows(untouched, table)


@pytest.mark.usefixtures("often")
def test_log_of_joined_files_quotes_no_text(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)
    for message in world.account.messages():
        message.content = "Zebrafish"
    world.run(**MANY_FILES)

    folder = world.lakehouse / "main" / "genie_analytics" / "message_details"
    assert extra_files(world, "message_details") <= 0
    assert all(row["content"] == "Zebrafish" for row in world.read("message_details"))
    assert not any(b"Zebrafish" in path.read_bytes() for path in (folder / "_delta_log").iterdir() if path.is_file())


def test_few_files_are_left_as_they_are(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)
    world.run(**MANY_FILES)
    assert extra_files(world, "message_details") > 3


@pytest.mark.usefixtures("often")
def test_joining_while_a_run_writes_changes_nothing(make_world: MakeWorld) -> None:
    disturbed, undisturbed = make_world(**SPEC), make_world(**SPEC)
    undisturbed.run(**MANY_FILES)
    is_over = threading.Event()
    commits: list[Any] = []

    def join_all_the_time() -> None:
        while not is_over.is_set():
            for table in tables():
                folder = disturbed.lakehouse / "main" / "genie_analytics" / table.name
                if not (folder / "_delta_log").is_dir():
                    continue
                try:
                    delta = DeltaTable(str(folder))
                    delta.optimize.compact()
                    commits.extend(entry for entry in delta.history(1) if entry.get("operation") == "OPTIMIZE")
                except Exception:  # noqa: BLE001, S110  # another writer was first: so it may be
                    pass

    joining = threading.Thread(target=join_all_the_time)
    joining.start()
    try:
        record = disturbed.run(**MANY_FILES)
    finally:
        is_over.set()
        joining.join()

    assert record.status == "succeeded"
    assert commits, "nothing was joined while the run wrote"
    for table in OURS:
        assert rows(disturbed, table) == rows(undisturbed, table)


@pytest.mark.usefixtures("often")
def test_files_that_cannot_be_joined_do_not_fail_the_run(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_self: LocalEngine, _table: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(LocalEngine, "compact", fail)

    record = make_world(**SPEC).run()

    assert record.status == "succeeded"
    assert "joining the small files of message_details failed: OSError" in caplog.text
