"""Every query of the dashboard on Apache Spark and on the local engine, over the same Delta folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.spark.comparison import assert_same_columns, assert_same_rows
from tests.spark.spark_lake import register_folder, register_system_tables, spark_settings
from tools.dashboard.queries import Query, load_queries

from genie_obs.clock import SystemClock
from genie_obs.config import parse_settings
from genie_obs.lakehouse.engines.cluster import ClusterEngine
from genie_obs.lakehouse.engines.engine import Engine, open_engine
from genie_obs.lakehouse.sql import inline_parameters, qualify
from genie_obs.lakehouse.statements import our_tables
from genie_obs.lakehouse.tables import Tables
from genie_obs.pipeline.run import run_ingest
from genie_obs.progress import LogProgress
from genie_obs.secret import Credentials, Secret
from genie_obs.session.job import RunContext
from genie_obs.simulator import AccountSpec, SimulatorServer, generate_account, write_system_tables

QUERIES = load_queries()
_INSTANT = re.compile(r"\bcurrent_timestamp\(\)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class BothEngines:
    """One set of tables, seen by both engines."""

    local: Engine
    spark: Engine
    workspace_id: str
    now: datetime

    def run(self, on: Engine, query: Query, **values: Any) -> pa.Table:
        taken = {name: values[name] for name in query.parameters}
        text = qualify(inline_parameters(query.sql, taken), on.names)
        # Ages are rounded to tenths of an hour: two clocks would make a difference once in a while.
        return on.spark.sql(_INSTANT.sub(f"TIMESTAMP '{self.now:%Y-%m-%d %H:%M:%S}+00:00'", text)).toArrow()


@pytest.fixture(scope="module")
def both(spark_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothEngines]:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    account = generate_account(AccountSpec(seed=7, message_count=1_500, days=60, user_count=25, until=now))
    lakehouse = tmp_path_factory.mktemp("dashboard")
    with SimulatorServer(account):
        write_system_tables(account, lakehouse)
        _ingest(lakehouse, Credentials(client_id=account.client_id, client_secret=Secret(account.client_secret)))
    local = open_engine(parse_settings({"engine": "local", "lakehouse": str(lakehouse)}, {}).engine)
    spark = ClusterEngine(spark_settings(spark_server, "dashboard"))
    register_system_tables(spark.spark, lakehouse / "system")
    for name in our_tables():
        register_folder(spark.spark, "dashboard", name, lakehouse / "main" / "genie_analytics" / name)
    yield BothEngines(local=local, spark=spark, workspace_id=next(iter(account.workspaces)), now=now)
    spark.close()
    local.close()


def _ingest(lakehouse: Path, credentials: Credentials) -> None:
    settings = parse_settings({"engine": "local", "lakehouse": str(lakehouse), "days_lookback": "61"}, {})
    engine = open_engine(settings.engine)
    clock = SystemClock()
    with LogProgress(clock) as progress:
        run_ingest(
            RunContext(
                tables=Tables(engine), settings=settings, credentials=credentials, clock=clock, progress=progress
            )
        )
    engine.close()


@pytest.mark.parametrize("query_id", QUERIES)
def test_query_gives_the_same_rows_on_both_engines(both: BothEngines, query_id: str) -> None:
    query, values = QUERIES[query_id], {"workspace_id_filter": "ALL", "days_lookback": 30}

    on_spark, on_local = (both.run(engine, query, **values) for engine in (both.spark, both.local))

    assert_same_columns(on_spark, on_local)
    assert_same_rows(on_spark.to_pylist(), on_local.to_pylist())


def test_account_has_rows_for_nearly_every_query(both: BothEngines) -> None:
    """Guard of the test above: two empty results are always equal."""
    values = {"workspace_id_filter": "ALL", "days_lookback": 30}

    empty = [name for name, query in QUERIES.items() if not both.run(both.local, query, **values).num_rows]

    assert len(empty) <= 3, empty


@pytest.mark.long
@pytest.mark.parametrize(
    "query_id", ["freshness", "period_comparison", "message_outcomes", "users", "coverage_by_state"]
)
def test_filter_for_one_workspace_gives_the_same_rows_on_both_engines(both: BothEngines, query_id: str) -> None:
    values = {"workspace_id_filter": both.workspace_id, "days_lookback": 7}

    on_spark, on_local = (both.run(engine, QUERIES[query_id], **values) for engine in (both.spark, both.local))

    assert_same_rows(on_spark.to_pylist(), on_local.to_pylist())
