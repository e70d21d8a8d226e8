"""The whole job on Apache Spark and on the local engine, against one simulated account: first run, again, and after changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from tests.integration.conftest import World
from tests.spark.comparison import assert_same_rows
from tests.spark.every_push import TEST_OF
from tests.spark.spark_lake import CATALOG, register_system_tables
from tests.sql.statements.test_every_statement import STATEMENTS

from genie_obs.config import parse_settings
from genie_obs.doctor.run import run_doctor
from genie_obs.lakehouse.engines.engine import Engine, open_engine
from genie_obs.lakehouse.schema import tables
from genie_obs.lakehouse.sources import SOURCES, Source, SourceColumn
from genie_obs.lakehouse.tables import Input, Tables
from genie_obs.runs.record import RunRecord
from genie_obs.simulator import AccountSpec, SimulatorServer, generate_account, grow

UNTIL = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SCHEMA = "whole_job"
# What is different in every run, whatever the engine.
OWN = {"ingestion_batch_id", "run_id", "engine"}
MERGED = ("genie_events", "message_details", "message_ledger", "space_details")


class WatchedTables(Tables):
    """Tables that note which statements are sent."""

    def __init__(self, engine: Engine, statements: set[str]) -> None:
        super().__init__(engine)
        self._statements = statements

    def select(self, statement: str, **values: Input) -> pa.Table:
        self._statements.add(statement)
        return super().select(statement, **values)

    def write(self, what: str, whole: str, only_new: str | None, relations: Mapping[str, pa.Table]) -> int:
        self._statements.add(what)
        return super().write(what, whole, only_new, relations)


@dataclass
class Worlds:
    """One account and one server; each engine has tables of its own, both read the same system tables."""

    local: World
    spark: World
    session: SparkSession
    records: dict[str, tuple[RunRecord, RunRecord]] = field(default_factory=dict)
    calls: dict[str, tuple[int, int]] = field(default_factory=dict)
    statements: set[str] = field(default_factory=set)  # that the first run sent to Spark

    def run(self, name: str) -> None:
        """Run the job on both engines at the same instant of the account."""
        self.local.publish()
        ours = self.spark.run(publish=False, wrap=lambda engine: WatchedTables(engine, self.statements))
        our_calls = self.spark.message_calls()
        theirs = self.local.run(publish=False)
        self.records[name] = (ours, theirs)
        self.calls[name] = (our_calls, self.local.message_calls())

    def on_spark(self, table: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.session.table(f"{CATALOG}.{SCHEMA}.{table}").toArrow().to_pylist()
        return rows

    def versions(self) -> dict[str, int]:
        return {name: self._version(name) for name in MERGED}

    def _version(self, name: str) -> int:
        [row] = self.session.sql(f"DESCRIBE HISTORY {CATALOG}.{SCHEMA}.{name} LIMIT 1").collect()
        return int(row["version"])

    def assert_same_tables(self) -> None:
        for name in MERGED:
            assert_same_rows(without(self.on_spark(name), OWN), without(self.local.read(name), OWN))

    def assert_same_record(self, name: str) -> None:
        """Check that everything counted is equal: only ids and durations may differ."""
        counts = [
            {key: value for key, value in vars(record).items() if key.endswith("_count") and "call" not in key}
            for record in self.records[name]
        ]
        assert counts[0] == counts[1]
        assert [record.status for record in self.records[name]] == ["succeeded", "succeeded"]


def without(rows: list[dict[str, Any]], columns: set[str]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in columns} for row in rows]


@pytest.fixture(scope="module")
def worlds(spark_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    account = generate_account(AccountSpec(seed=11, message_count=300, days=40, user_count=20, until=UNTIL))
    lakehouse = tmp_path_factory.mktemp("whole_job")
    flags = {"engine": spark_server, "catalog": CATALOG, "schema": SCHEMA, "system_catalog": CATALOG}
    with SimulatorServer(account, audit_reads=False) as server, spark_session(spark_server) as session:
        local = World(account, server, lakehouse)
        local.publish()
        register_system_tables(session, lakehouse / "system")
        worlds = Worlds(local, World(account, server, lakehouse, flags=flags), session)
        worlds.run("first")
        yield worlds


@contextmanager
def spark_session(server: str) -> Iterator[SparkSession]:
    engine = open_engine(parse_settings({"engine": server}, {}).engine)
    yield engine.spark
    engine.close()


def test_first_run_stores_the_same_rows_on_both_engines(worlds: Worlds) -> None:
    worlds.assert_same_tables()
    worlds.assert_same_record("first")
    assert len(worlds.on_spark("message_details")) > 200


def test_every_statement_runs_on_spark_on_every_push(worlds: Worlds) -> None:
    written_from_declarations = {table.name for table in tables()} - {"message_ledger", "genie_events"}

    assert {*STATEMENTS, *written_from_declarations} - worlds.statements - TEST_OF.keys() == set()


def test_later_runs_change_nothing_twice_and_take_changes_up_alike(worlds: Worlds) -> None:
    before = worlds.versions()
    worlds.run("second")
    assert worlds.versions() == before
    assert worlds.calls["second"] == (0, 0)
    worlds.assert_same_tables()

    change_something(worlds)
    worlds.run("third")

    worlds.assert_same_tables()
    worlds.assert_same_record("third")
    assert worlds.records["third"][0].fetched_count > 0


def change_something(worlds: Worlds) -> None:
    """Let a week pass with ratings, deletions, new answers and new questions."""
    account = worlds.local.account
    messages = [message for message in account.messages() if message.status == "COMPLETED" and not message.deleted]
    at = account.now + timedelta(days=1)
    account.advance(timedelta(days=2))
    account.rate(messages[0], "NEGATIVE", "numbers look wrong", at=at)
    account.delete_message(messages[1], at=at)
    account.regenerate(next(message for message in messages[2:] if message.queries), at=at)
    account.ask(workspace_id=messages[3].workspace_id, conversation_id=messages[3].conversation_id, at=at)
    account.ask(workspace_id=messages[3].workspace_id, outcome="running")
    grow(account, until=UNTIL + timedelta(days=7))


def test_doctor_says_that_the_job_works_here(worlds: Worlds) -> None:
    account = worlds.local.account
    environ = {
        "DATABRICKS_SP_CLIENT_ID": account.client_id,
        "DATABRICKS_SP_CLIENT_SECRET": account.client_secret,
    }
    before = worlds.versions()

    report = run_doctor(worlds.spark.settings(), environ=environ, secrets=None, clock=AtAccount(account.now))

    # The hidden space costs the code 3; nothing about the tables may fail.
    assert [check for check in report.checks if check.status == "fail" and not check.is_partial] == []
    assert report.exit_code == 3
    assert worlds.versions() == before


def test_doctor_proves_a_schema_that_is_not_there_and_leaves_nothing(worlds: Worlds) -> None:
    flags = worlds.spark.settings(schema="not_there_yet")

    report = run_doctor(flags, environ={}, secrets=None, clock=AtAccount(worlds.local.account.now))

    [target] = [check for check in report.checks if check.name == "target schema"]
    assert target.status == "ok", target
    assert not worlds.session.catalog.databaseExists(f"{CATALOG}.not_there_yet")


class AtAccount:
    """A clock that stands where the account's does."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Let time pass a hundred times as fast."""
        await asyncio.sleep(max(0.0, seconds) / 100)


def test_missing_system_table_and_column_are_named(worlds: Worlds, tmp_path: Path) -> None:
    engine = open_engine(worlds.spark.settings().engine)
    on = Tables(engine)

    for source in SOURCES:
        found = on.adopt_source(source)
        assert (found.state, found.problem, found.drift) == ("read", None, ())
    nothing = on.adopt_source(Source("access.nothing", (SourceColumn("event_id"),)))
    assert (nothing.state, nothing.problem) == ("missing", "system.access.nothing does not exist or is not visible")
    lacking = on.adopt_source(Source("access.audit", (SourceColumn("invented", is_required=True),)))
    assert lacking.state == "lacks_columns"
    assert (lacking.problem or "").startswith("system.access.audit: invented is missing")

    engine.close()
