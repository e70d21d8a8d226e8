from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sql.dashboard.dashboard_lake import DashboardLake


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardLake]:
    made = DashboardLake(tmp_path_factory.mktemp("dashboard"))
    yield made
    made.engine.close()
