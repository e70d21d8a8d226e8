"""Apache Spark with Delta Lake on the JVM, started once; only for runs that name this folder (`make test-spark`)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from tools.spark_connect_server import missing_parts, spark_connect_server

from genie_obs.config import EngineSettings
from genie_obs.lakehouse.engines.cluster import ClusterEngine

# These modules are imported, not collected: without this their asserts would say nothing when they fail.
pytest.register_assert_rewrite("tests.sql.statements", "tests.integration.conftest", "tests.spark.comparison")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a statement's test with many parameters take the first and the last: the rest varies values, not SQL."""
    variants: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.path.name == "test_statements.py" and "[" in item.name:
            variants.setdefault(item.name.partition("[")[0], []).append(item)
    left_out = {id(item) for group in variants.values() for item in group[1:-1]}
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


@pytest.fixture(scope="session")
def spark_server() -> Iterator[str]:
    """Yield the address of the server."""
    if problem := missing_parts():
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"Apache Spark cannot run here: {problem}")
        pytest.skip(problem)
    with spark_connect_server() as address:
        yield address


@pytest.fixture
def spark(spark_server: str) -> Iterator[SparkSession]:
    """Yield a session of its own on the server; the catalog is shared by all."""
    engine = ClusterEngine(EngineSettings(engine=spark_server, catalog="spark_catalog", system_catalog="spark_catalog"))
    yield engine.spark
    engine.close()
