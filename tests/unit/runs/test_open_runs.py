"""Runs at work at the same time: which of them matter."""

from __future__ import annotations

from typing import Any

import pytest

from genie_obs.config import Scope
from genie_obs.runs.open_runs import overlaps


@pytest.mark.parametrize(
    ("run", "scope", "is_overlapping"),
    [
        ({}, Scope(), True),
        ({"workspace_ids": ["1"]}, Scope(), True),
        ({}, Scope(workspace_ids=("1",)), True),
        ({"workspace_ids": ["1", "2"]}, Scope(workspace_ids=("2", "3")), True),
        ({"workspace_ids": ["1"]}, Scope(workspace_ids=("2",)), False),
        ({"space_ids": ["a"]}, Scope(space_ids=("b",)), False),
        ({"workspace_ids": ["1"], "space_ids": ["a"]}, Scope(workspace_ids=("1",), space_ids=("b",)), False),
        ({"workspace_ids": ["1"]}, Scope(space_ids=("a",)), True),
    ],
)
def test_runs_overlap_when_one_could_read_a_message_of_the_other(
    run: dict[str, Any], scope: Scope, *, is_overlapping: bool
) -> None:
    assert overlaps({"workspace_ids": None, "space_ids": None, **run}, scope) is is_overlapping
