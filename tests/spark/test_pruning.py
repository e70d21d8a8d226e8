"""What Apache Spark can leave unread: the conditions of a statement that reach the files, from the engine's own plan."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from tests.spark.spark_lake import register_system_tables, spark_settings
from tests.sql.statements.lake import NOON, Lake

from genie_obs.lakehouse.engines.cluster import ClusterEngine
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Input, Tables


@pytest.fixture
def tables(spark_server: str, tmp_path: Path) -> Iterator[Tables]:
    lake = Lake(tmp_path)  # empty system tables
    lake.close()
    engine = ClusterEngine(spark_settings(spark_server, "pruning"))
    register_system_tables(engine.spark, tmp_path / "system")
    on = Tables(engine)
    on.create()
    yield on
    engine.close()


def pushed_filters(tables: Tables, statement: str, **values: Input) -> str:
    """Return the conditions by which the scan of a statement skips files."""
    text, relations, bound = tables._prepare(statement, values)
    plan = tables._sql(text, tables._frames(relations), bound)._explain_string(mode="formatted")  # type: ignore[operator]  # of the Connect client only
    return "\n".join(re.findall(r"(?:PushedFilters|PartitionFilters|DictionaryFilters): .*", plan))


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("datasets/events/select_stored_days", {"from_date": NOON.date(), "until_date": NOON.date()}),
        ("ledger/select_due", {"now": NOON + timedelta(days=1), "space_ids": ("s1", "s2")}),
    ],
)
def test_ids_of_workspaces_reach_the_files(tables: Tables, statement: str, values: dict[str, Input]) -> None:
    limited = pushed_filters(tables, statement, workspace_ids=("12", "2"), **values)
    everything = pushed_filters(tables, statement, workspace_ids=(), **values)

    assert "In(workspace_id, [12,2])" in limited
    assert ("In(space_id, [s1,s2])" in limited) == ("space_ids" in values)
    assert "workspace_id" not in everything


def test_days_of_the_query_history_reach_the_files(tables: Tables) -> None:
    row = pa.Table.from_pylist([{"workspace_id": "1", "statement_id": "s"}], table("message_details").arrow_schema())
    days = [NOON.date() - timedelta(days=age) for age in (0, 1, 4, 5)]

    found = pushed_filters(tables, "datasets/statements/select_statements", wanted_statements=row, days=days)

    assert found.count("GreaterThanOrEqual(start_time,") == found.count("LessThan(start_time,") == 2
    for first in (days[1], days[3]):
        assert f"GreaterThanOrEqual(start_time,{first}" in found
