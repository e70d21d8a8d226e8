"""One engine for all statements; each test starts with empty tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sql.statements.lake import Lake


@pytest.fixture(scope="session")
def _session_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    lake = Lake(tmp_path_factory.mktemp("statements"))
    yield lake
    lake.close()


@pytest.fixture
def lake(_session_lake: Lake) -> Lake:
    _session_lake.clear()
    return _session_lake
