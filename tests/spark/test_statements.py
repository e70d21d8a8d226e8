"""Every test of a statement once more, on Apache Spark: same rows in, same rows out as on the local engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.spark.spark_lake import SparkLake
from tests.sql.statements import (
    test_discovery_statements,
    test_enrichment,
    test_merge_messages,
    test_merge_outcomes,
    test_merge_witnesses,
    test_select_due,
    test_select_witnesses,
    test_spaces_and_runs,
)

_MODULES = (
    test_discovery_statements,
    test_enrichment,
    test_merge_messages,
    test_merge_outcomes,
    test_merge_witnesses,
    test_select_due,
    test_select_witnesses,
    test_spaces_and_runs,
)

for _module in _MODULES:
    for _name, _value in vars(_module).items():
        if _name.startswith("test_"):
            assert _name not in globals(), f"two tests are called {_name}; here one would hide the other"
            globals()[_name] = _value


@pytest.fixture(scope="module")
def _module_lake(spark_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkLake]:
    lake = SparkLake(tmp_path_factory.mktemp("statements"), spark_server, "statements")
    yield lake
    lake.close()


@pytest.fixture
def lake(_module_lake: SparkLake) -> SparkLake:
    _module_lake.clear()
    return _module_lake
