"""Signs of life: written on time, also while for hours nothing is stored."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

from tests.unit.fake_tables import FakeTables
from tests.unit.fakes import FakeClock

from genie_obs.datasets.messages.merger import BatchMerger
from genie_obs.datasets.messages.reader import ReadReport, read_workspaces
from genie_obs.runs.deadline import Deadline
from genie_obs.runs.heartbeat import Heartbeat
from genie_obs.runs.open_runs import is_dead

HOURS = 3


class BeatingTables(FakeTables):
    """Notes when a sign of life was stored."""

    def __init__(self) -> None:
        super().__init__({})
        self.signs: list[dict[str, Any]] = []

    def execute(self, statement: str, *, expect_new: bool = False, **values: Any) -> int:
        assert statement == "runs/merge_run_signs"
        self.signs += values["run_signs"].to_pylist()
        return 0


class IdleMerger:
    """A merger with nothing to merge: signs are its only work."""

    def __init__(self) -> None:
        self._is_finished = asyncio.Event()

    async def run(self) -> None:
        await self._is_finished.wait()

    async def finish(self) -> None:
        self._is_finished.set()

    async def call(self, function: Any) -> None:
        function()


def beat_while_reading(clock: FakeClock, tables: FakeTables, *, hours: int) -> Heartbeat:
    started = clock.now()
    heartbeat = Heartbeat(tables.as_tables(), clock, run_id="r", started_at=started, started_date=started.date())

    async def ask_for_spaces() -> ReadReport:
        await clock.sleep(hours * 3_600)  # 600 spaces at one call in five seconds take longer than half an hour
        return ReadReport(workspace_id="1")

    async def run() -> None:
        merger = cast("BatchMerger", IdleMerger())
        await read_workspaces([ask_for_spaces], merger, heartbeat=heartbeat, clock=clock, deadline=Deadline(clock))

    asyncio.run(run())
    return heartbeat


def test_run_that_only_waits_is_never_taken_for_dead() -> None:
    clock, tables = FakeClock(), BeatingTables()
    started = clock.now()

    beat_while_reading(clock, tables, hours=HOURS)

    heard = [started, *(sign["alive_at"] for sign in tables.signs)]
    for last, next_one in zip(heard, [*heard[1:], clock.now()], strict=True):
        assert not is_dead({"status": "running", "alive_at": last, "started_at": started}, next_one)
    assert len(tables.signs) == HOURS * 30 - 1  # the last one would be due in the moment that all is read
    assert {(sign["run_id"], sign["status"], sign["error"]) for sign in tables.signs} == {("r", "running", None)}


def test_sign_is_written_only_when_the_last_one_is_old() -> None:
    clock, tables = FakeClock(), BeatingTables()
    heartbeat = Heartbeat(
        tables.as_tables(), clock, run_id="r", started_at=clock.now(), started_date=clock.now().date()
    )
    for seconds in (119, 1, 119, 1):
        clock.advance(seconds)
        heartbeat.beat()
    assert [sign["alive_at"] for sign in tables.signs] == [
        clock.now() - timedelta(minutes=2),
        clock.now(),
    ]


def test_sign_that_cannot_be_stored_stops_nothing() -> None:
    class Failing(BeatingTables):
        def execute(self, statement: str, *, expect_new: bool = False, **values: Any) -> int:
            raise OSError("no space left on device")

    clock = FakeClock()
    assert beat_while_reading(clock, Failing(), hours=1)
