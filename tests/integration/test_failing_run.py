"""A run that fails says why: with its first error, and with what it had done before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from tests.integration.conftest import UNTIL, MakeWorld

from genie_obs.errors import EngineError
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.tables import Tables

SPEC: dict[str, Any] = {
    "quirks": False, "message_count": 60, "workspace_count": 1, "space_count": 2, "days": 10, "user_count": 8, "until": UNTIL,
}  # fmt: skip


class BrokenTables(Tables):
    """Tables that fail from the n-th write of answers on: that one, and if they are lost for good every write after it."""

    def __init__(self, engine: Engine, *, survives: int, is_lost: bool) -> None:
        super().__init__(engine)
        self._left = survives
        self._is_lost = is_lost

    def write(self, what: str, whole: str, only_new: str | None, relations: Mapping[str, pa.Table]) -> int:
        if self._left < 0 and self._is_lost:
            raise EngineError(f"{what} cannot be written either")
        if what == "message_details":
            self._left -= 1
            if self._left < 0:
                raise EngineError("the disk is full")
        return super().write(what, whole, only_new, relations)


def test_first_error_is_raised_when_the_record_cannot_be_stored_either(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)

    with pytest.raises(EngineError, match="the disk is full"):
        world.run(wrap=lambda engine: BrokenTables(engine, survives=0, is_lost=True))

    [run] = world.read("ingestion_runs")
    assert (run["status"], run["finished_at"]) == ("running", None)  # a later run will say that it was killed


def test_record_of_a_failed_run_says_what_it_stored(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)

    with pytest.raises(EngineError, match="the disk is full"):
        world.run(batch_size="10", wrap=lambda engine: BrokenTables(engine, survives=2, is_lost=False))

    [run] = world.read("ingestion_runs")
    assert (run["status"], run["error"]) == ("failed", "the disk is full")
    assert run["fetched_count"] == len(world.read("message_details")) == 20
    assert run["api_call_count"] > 0
    assert [step["name"] for step in run["steps"]] == ["events", "messages"]
    again = world.run()
    assert (again.status, len(world.by_key("message_details"))) == ("succeeded", SPEC["message_count"])
