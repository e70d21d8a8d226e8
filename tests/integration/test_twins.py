"""Two runs that find one message under two days: one row is kept, and nothing is asked twice for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from tests.integration.conftest import UNTIL, MakeWorld, World

from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.tables import Tables

SPEC: dict[str, Any] = {
    "quirks": False, "message_count": 120, "workspace_count": 1, "space_count": 2, "days": 30, "user_count": 8, "until": UNTIL,
}  # fmt: skip


class InterruptedTables(Tables):
    """Tables of a run during which something else happens: right before it records who was seen."""

    def __init__(self, engine: Engine, meanwhile: Callable[[], None]) -> None:
        super().__init__(engine)
        self._meanwhile: Callable[[], None] | None = meanwhile

    def write(self, what: str, whole: str, only_new: str | None, relations: Mapping[str, pa.Table]) -> int:
        if what == "ledger/merge_witnesses" and self._meanwhile is not None:
            happens, self._meanwhile = self._meanwhile, None
            happens()
        return super().write(what, whole, only_new, relations)


def hold_back_events_before(world: World, day: date) -> Callable[[], None]:
    """Let the audit log show only events since a day, and return a function that lets the others arrive."""
    path = str(world.lakehouse / "system" / "access" / "audit")
    rows = DeltaTable(path).to_pyarrow_table()
    write_deltalake(path, rows.filter(pc.greater_equal(rows["event_date"], day)), mode="overwrite")
    return lambda: write_deltalake(path, rows, mode="overwrite")


def messages_seen_on_both_sides(world: World, day: date) -> set[tuple[str, str]]:
    return {
        key
        for key, row in world.by_key("message_ledger").items()
        if row["witnessed_date"] < day and row["last_write_event_time"].date() >= day
    }


def test_message_that_two_runs_record_under_two_days_keeps_one_row(make_world: MakeWorld) -> None:
    world = make_world(**SPEC)
    day = world.account.now.date() - timedelta(days=8)
    rated = [message for message in world.account.messages() if message.created_at.date() < day][:5]
    for message in rated:  # a change long after the question: what the first run sees of it
        world.account.rate(message, "POSITIVE")
    world.publish()
    let_them_arrive = hold_back_events_before(world, day)

    def another_run() -> None:
        let_them_arrive()
        assert world.run(publish=False).status == "succeeded"

    first = world.run(publish=False, wrap=lambda engine: InterruptedTables(engine, another_run))

    ledger = world.by_key("message_ledger")  # fails where a message has two rows
    assert first.status == "succeeded"
    assert len(ledger) == len(world.by_key("message_details")) == SPEC["message_count"]
    assert messages_seen_on_both_sides(world, day) >= {(m.workspace_id, m.message_id) for m in rated}
    again = world.run(publish=False)
    assert (again.new_message_count, again.status) == (0, "succeeded")
    assert world.run(publish=False).due_count == 0
