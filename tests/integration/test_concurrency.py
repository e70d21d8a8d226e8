"""Two runs at once, and runs that die half-way: the tables end as after one undisturbed run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pytest
from tests.integration.conftest import HOUR, UNTIL, AccountClock, MakeWorld, World

from genie_obs.errors import EngineError
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.tables import Tables
from genie_obs.pipeline.run import run_ingest
from genie_obs.progress import LogProgress
from genie_obs.runs.record import RunRecord
from genie_obs.secret import Credentials, Secret
from genie_obs.session.job import RunContext
from genie_obs.simulator import AccountSpec, SimulatorServer, generate_account

SPEC: dict[str, Any] = {
    "quirks": False, "message_count": 120, "workspace_count": 2, "space_count": 4, "days": 40, "user_count": 20, "until": UNTIL,
}  # fmt: skip
SMALL_BATCHES = {"batch_size": "25"}
# What may differ between one run and two: who wrote a row, and when.
PER_RUN = {"ingestion_batch_id", "ingestion_timestamp", "updated_at", "last_attempt_at", "fetched_at"}


class DyingTables(Tables):
    """Tables that fail for good at the n-th writing of one kind, as a lost connection or a killed process does."""

    def __init__(self, engine: Engine, what: str, survives: int) -> None:
        super().__init__(engine)
        self._what = what  # a statement, or a table
        self._left = survives

    def write(self, what: str, whole: str, only_new: str | None, relations: Mapping[str, pa.Table]) -> int:
        if what == self._what:
            if not self._left:
                raise EngineError("the connection to the engine was lost")
            self._left -= 1
        return super().write(what, whole, only_new, relations)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return the world after one undisturbed run: what every other way to run must come to. Read only."""
    account = generate_account(AccountSpec(**SPEC))
    server = SimulatorServer(account)
    server.start()
    world = World(account, server, tmp_path_factory.mktemp("undisturbed") / "lakehouse")
    assert world.run().status == "succeeded"
    yield world
    server.stop()


def content(world: World, table: str) -> list[dict[str, Any]]:
    rows = [{name: value for name, value in row.items() if name not in PER_RUN} for row in world.read(table)]
    return sorted(rows, key=lambda row: (row["workspace_id"], str(row.get("message_id")), str(row["space_id"])))


def assert_same_tables(
    one: World, other: World, tables: tuple[str, ...] = ("message_details", "message_ledger", "space_details")
) -> None:
    for table in tables:
        assert content(one, table) == content(other, table), table


def assert_every_event_is_stored_once(world: World) -> None:
    ids = [row["event_id"] for row in world.read("genie_events")]
    assert len(ids) == len(set(ids)) > 0


def assert_ledger_claims_nothing_that_is_not_stored(world: World) -> None:
    details, ledger = world.by_key("message_details"), world.by_key("message_ledger")
    claimed = {key for key, row in ledger.items() if row["state"] in {"fetched", "settling"}}
    assert claimed <= set(details)
    assert set(details) <= set(ledger)


def run_at_once(world: World, *flags: dict[str, str]) -> list[RunRecord]:
    """Run the job once for each set of flags, all at the same time, each run with an engine of its own, as separate processes have."""
    world.publish()
    records: list[RunRecord] = []
    failures: list[BaseException] = []
    start = threading.Barrier(len(flags))

    def run(tables: Tables, given: dict[str, str]) -> None:
        clock = AccountClock(world.account)
        credentials = Credentials(client_id=world.account.client_id, client_secret=Secret(world.account.client_secret))
        try:
            start.wait(timeout=60)
            with LogProgress(clock) as progress:
                context = RunContext(
                    tables=tables,
                    settings=world.settings(**given),
                    credentials=credentials,
                    clock=clock,
                    progress=progress,
                )
                records.append(run_ingest(context))
        except BaseException as error:  # noqa: BLE001  # a thread's failure belongs to the test
            failures.append(error)

    with ExitStack() as stack:
        opened = [stack.enter_context(world.tables()) for _ in flags]
        threads = [threading.Thread(target=run, args=pair) for pair in zip(opened, flags, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    return records


def create_tables(world: World) -> None:
    with world.tables() as tables:
        tables.create()


def test_two_runs_at_once_end_in_the_same_tables_as_one(make_world: MakeWorld, undisturbed: World) -> None:
    shared = make_world(**SPEC)
    create_tables(shared)

    records = run_at_once(shared, SMALL_BATCHES, SMALL_BATCHES)

    assert [record.status for record in records] == ["succeeded", "succeeded"]
    assert_same_tables(undisturbed, shared)
    assert_every_event_is_stored_once(shared)
    assert sorted(row["status"] for row in shared.read("ingestion_runs")) == ["succeeded", "succeeded"]


def test_after_two_runs_at_once_nothing_is_left_to_do(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)
    create_tables(world)
    run_at_once(world, SMALL_BATCHES, SMALL_BATCHES)
    versions = world.versions()

    record = world.run()

    assert record.due_count == 0
    assert world.message_calls() == 0
    assert world.versions() == versions


def test_two_runs_at_once_share_the_work(make_world: MakeWorld) -> None:
    world = make_world(**SPEC | {"message_count": 300, "workspace_count": 1}, latency_seconds=0.01)
    create_tables(world)
    flags = SMALL_BATCHES | {"max_concurrency": "4"}
    world.server.stats.reset()

    records = run_at_once(world, flags, flags)

    alone = len(world.read("message_ledger"))
    assert {row["state"] for row in world.read("message_ledger")} == {"fetched"}
    fetched = [record.fetched_count for record in records]
    elsewhere = [record.read_elsewhere_count for record in records]
    assert [sum(pair) for pair in zip(fetched, elsewhere, strict=True)] == [record.due_count for record in records]
    # Some is read twice while neither run knows of the other; two runs that did not share would read everything twice.
    assert sum(fetched) < 1.75 * alone, f"{fetched} of {alone}"


def test_run_that_was_killed_is_recorded_by_the_next_run_that_finds_it_silent(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)
    create_tables(world)
    died_at = world.account.now
    with world.tables() as tables:
        RunRecord(run_id="killed", started_at=died_at, engine="local").store(tables, is_new=True)

    world.run()
    assert {row["run_id"]: row["status"] for row in world.read("ingestion_runs")}["killed"] == "running"
    world.account.advance(HOUR)
    world.run()

    row = next(row for row in world.read("ingestion_runs") if row["run_id"] == "killed")
    assert (row["status"], row["finished_at"], row["alive_at"]) == ("killed", None, died_at)
    assert row["error"].startswith("no sign of life after")


def test_two_runs_of_different_workspaces_at_once_do_not_disturb_each_other(
    make_world: MakeWorld, undisturbed: World
) -> None:
    shared = make_world(**SPEC)
    create_tables(shared)

    run_at_once(shared, *({"workspace_ids": name} for name in shared.account.workspaces))

    assert_same_tables(undisturbed, shared)


@pytest.mark.parametrize(
    ("what", "survives", "batch_size"),
    [
        ("ledger/merge_witnesses", 0, 25),
        ("message_details", 0, 25),
        ("message_details", 2, 25),
        ("ledger/merge_outcomes", 0, 25),
        ("ledger/merge_outcomes", 2, 5),  # the ledger is told of several batches at once
        ("space_details", 0, 25),
        ("datasets/statements/merge_statements", 0, 25),
    ],
)
def test_run_that_dies_leaves_a_consistent_state_and_the_next_completes_it(
    make_world: MakeWorld, undisturbed: World, what: str, survives: int, batch_size: int
) -> None:
    world = make_world(**SPEC)

    with pytest.raises(EngineError, match="connection to the engine was lost"):
        world.run(wrap=lambda engine: DyingTables(engine, what, survives), batch_size=str(batch_size))

    [died] = world.read("ingestion_runs")
    assert (died["status"], died["error"]) == ("failed", "the connection to the engine was lost")
    assert died["finished_at"] is not None
    details = world.by_key("message_details")
    ledger = world.by_key("message_ledger")
    assert {key for key, row in ledger.items() if row["state"] == "fetched"} <= set(details)
    final = {key for key, row in ledger.items() if row["state"] == "fetched"}
    if what == "message_details":
        assert len(final) == survives * batch_size  # the ledger is told before the run ends
    if what == "ledger/merge_outcomes":
        assert bool(final) == bool(survives)
        assert len(final) < len(details)

    record = world.run()

    assert record.status == "succeeded"
    assert record.due_count == len(undisturbed.by_key("message_ledger")) - len(final)
    assert world.message_calls() <= record.due_count
    assert_ledger_claims_nothing_that_is_not_stored(world)
    assert_same_tables(undisturbed, world, ("message_details", "message_ledger"))
    stored_before = {key: row["ingestion_batch_id"] for key, row in details.items()}
    after = world.by_key("message_details")
    assert {key: after[key]["ingestion_batch_id"] for key in stored_before} == stored_before


def test_spaces_that_a_dead_run_did_not_store_are_stored_by_the_next(make_world: MakeWorld, undisturbed: World) -> None:
    world = make_world(**SPEC)
    with pytest.raises(EngineError):
        world.run(wrap=lambda engine: DyingTables(engine, "space_details", 0))

    world.run()

    assert_same_tables(undisturbed, world)


def test_run_that_dies_again_and_again_gets_further_each_time(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)
    stored = [0]

    for _ in range(3):
        with pytest.raises(EngineError):
            world.run(wrap=lambda engine: DyingTables(engine, "message_details", 1), batch_size="25")
        stored.append(len(world.read("message_details")))
        assert_ledger_claims_nothing_that_is_not_stored(world)
        world.account.advance(HOUR)

    assert stored == [0, 25, 50, 75]
    assert world.run().status == "succeeded"
    assert {row["state"] for row in world.read("message_ledger")} == {"fetched"}


def test_run_that_died_before_discovery_was_committed_does_not_move_the_watermark(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)

    with pytest.raises(EngineError):
        world.run(wrap=lambda engine: DyingTables(engine, "ledger/merge_witnesses", 0))

    assert [row["watermark_after"] for row in world.read("ingestion_runs")] == [None]
    assert world.run().watermark_before is None


def test_first_two_runs_of_a_lakehouse_may_start_together(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)

    run_at_once(world, {}, {})

    assert_ledger_claims_nothing_that_is_not_stored(world)
    assert_every_event_is_stored_once(world)
