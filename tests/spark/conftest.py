"""Apache Spark with Delta Lake on the JVM, started once; only for runs that name this folder (`make test-spark`)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession
from tests.spark.every_push import TEST_OF
from tools.spark_connect_server import missing_parts, spark_connect_server

from genie_obs.config import EngineSettings
from genie_obs.lakehouse.engines.cluster import ClusterEngine

# These modules are imported, not collected: without this their asserts would say nothing when they fail.
pytest.register_assert_rewrite("tests.sql.statements", "tests.integration.conftest", "tests.spark.comparison")


@pytest.hookimpl(tryfirst=True)  # before `-m` is looked at
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of statements that are too long for every push: each test costs the JVM seconds."""
    for item in items:
        if item.path.name == "test_statements.py" and item.name.partition("[")[0] not in TEST_OF.values():
            item.add_marker(pytest.mark.long)


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
