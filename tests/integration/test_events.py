"""The audit log as the job reads it: late rows, actions logged as two rows, one scan a run, and an upgrade."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from rich.console import Console
from tests.integration.conftest import DAY, HOUR, World

from genie_obs.command.ingest import print_run
from genie_obs.command.plan import run_plan
from genie_obs.command.status import print_status
from genie_obs.errors import ConfigError, EngineError
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.tables import Input, Tables
from genie_obs.reports.status import StatusReport, make_status
from genie_obs.runs.record import RunRecord
from genie_obs.simulator.account.message import SimulatedMessage

Row = dict[str, Any]
AUDIT = "access/audit"
CREATION = "createConversationMessage"


def audit(world: World) -> pa.Table:
    return DeltaTable(str(world.lakehouse / "system" / AUDIT)).to_pyarrow_table()


def replace_audit(world: World, rows: list[Row]) -> None:
    folder, schema = str(world.lakehouse / "system" / AUDIT), audit(world).schema
    write_deltalake(folder, pa.Table.from_pylist(rows, schema), mode="overwrite")


def mentions(row: Row, message: SimulatedMessage) -> bool:
    return message.message_id in json.dumps([row["request_params"], row["response"]])


def lonely_message(world: World, *, days_ago: tuple[int, int]) -> SimulatedMessage:
    """Return a message of one of some days that is alone in its conversation, so that no listing of others names it."""
    sizes = Counter(message.conversation_id for message in world.account.messages())
    now = world.account.now
    return next(
        message
        for message in world.account.messages()
        if sizes[message.conversation_id] == 1 and days_ago[0] * DAY < now - asked_at(message) < days_ago[1] * DAY
    )


def asked_at(message: SimulatedMessage) -> datetime:
    return datetime.fromtimestamp(message.created_us / 1_000_000, tz=UTC)


def hide(world: World, message: SimulatedMessage) -> list[Row]:
    """Take the events of a message out of the log and return the log as it was."""
    rows: list[Row] = audit(world).to_pylist()
    replace_audit(world, [row for row in rows if not mentions(row, message)])
    return rows


class Watching(Tables):
    """Remembers the text of every statement, and fails where it is told to."""

    def __init__(self, engine: Engine, texts: list[str], dies_at: str | None = None) -> None:
        super().__init__(engine)
        self._texts, self._dies_at = texts, dies_at

    def _sql(self, text: str, *args: Any, **kwargs: Any) -> Any:
        self._texts.append(text)
        return super()._sql(text, *args, **kwargs)

    def select(self, statement: str, **values: Input) -> pa.Table:
        if statement == self._dies_at:
            raise EngineError("the engine went away")
        return super().select(statement, **values)


def watch(texts: list[str], dies_at: str | None = None) -> Callable[[Engine], Tables]:
    return lambda engine: Watching(engine, texts, dies_at)


def scans(texts: list[str]) -> list[str]:
    """Return what each statement that reads the audit log does."""
    return [text.lstrip("-").split()[0] for text in texts if "access.audit" in text]


@pytest.mark.parametrize("dies", [pytest.param(False, marks=pytest.mark.long), True])
def test_message_whose_events_come_days_late_is_found_also_by_the_run_after_one_that_died(
    clean_world: World, dies: bool
) -> None:
    message = lonely_message(clean_world, days_ago=(4, 25))
    rows = hide(clean_world, message)
    clean_world.run(publish=False)
    key = (message.workspace_id, message.message_id)
    assert key not in clean_world.by_key("message_ledger")

    clean_world.account.advance(HOUR)
    replace_audit(clean_world, rows)
    late = len(
        {row["event_id"] for row in rows if mentions(row, message) and row["event_date"] < asked_until(clean_world)}
    )
    if dies:
        with pytest.raises(EngineError):
            clean_world.run(publish=False, wrap=watch([], "datasets/events/select_witnesses"))
        clean_world.account.advance(HOUR)
    expected = run_plan(clean_world.settings(), {}, None, now=clean_world.account.now)
    record = clean_world.run(publish=False)

    assert clean_world.by_key("message_ledger")[key]["state"] == "fetched"
    assert (expected.new_message_count, expected.message_calls) == (record.new_message_count, record.message_call_count)
    assert (record.new_message_count, record.late_event_count) == (1, 0 if dies else late)
    assert late > 0
    if not dies:
        assert f"{late} events arrived after their day was read" in printed(clean_world, record)


def printed(world: World, record: RunRecord) -> str:
    """Return what `ingest` and `status` print, and check that both say the same of late events."""
    ran, asked = (Console(file=io.StringIO(), width=200) for _ in range(2))
    print_run(ran, record)
    print_status(asked, status(world))
    texts = [cast("io.StringIO", console.file).getvalue() for console in (ran, asked)]
    said = [re.findall(r"\d+ events arrived after their day was read", text) for text in texts]
    assert said[0] == said[1]
    return texts[0]


def status(world: World) -> StatusReport:
    with world.tables() as tables:
        return make_status(tables, world.settings(), [], world.account.now)


def asked_until(world: World) -> Any:
    """Return the first day of the window of the next run."""
    newest = max(row["watermark_after"] for row in world.read("ingestion_runs"))
    return (newest - 2 * DAY).date()


def test_late_events_cost_the_next_run_nothing(clean_world: World) -> None:
    rows = hide(clean_world, lonely_message(clean_world, days_ago=(4, 25)))
    clean_world.run(publish=False)
    replace_audit(clean_world, rows)
    clean_world.run(publish=False)
    before, texts = clean_world.versions(), list[str]()

    record = clean_world.run(publish=False, wrap=watch(texts))

    assert (record.late_event_count, clean_world.versions()) == (0, before)
    assert len(scans(texts)) == 1  # the count by day


def test_audit_log_is_scanned_once_beside_the_count_by_day(read_world: World) -> None:
    read_world.account.rate(next(iter(read_world.account.messages())), "POSITIVE", "good")
    read_world.account.advance(HOUR)
    texts, idle = list[str](), list[str]()

    read_world.run(wrap=watch(texts))
    read_world.run(wrap=watch(idle))

    assert [text.startswith("MERGE INTO") for text in texts if "access.audit" in text] == [False, True]
    assert [text.startswith("MERGE INTO") for text in idle if "access.audit" in text] == [False]


def test_every_event_of_genie_is_stored_once(world: World) -> None:
    world.run()
    world.account.advance(HOUR)
    world.run()

    seen = {
        row["event_id"]
        for row in audit(world).to_pylist()
        if row["service_name"] in {"aibiGenie", "genieChat"} and row["workspace_id"] is not None
    }
    stored = world.read("genie_events")
    first = min(row["window_start"] for row in world.read("ingestion_runs")).date()
    assert len(stored) == len({row["event_id"] for row in stored})
    assert {row["event_id"] for row in stored} <= seen
    assert {r["event_id"] for r in audit(world).to_pylist() if r["event_id"] in seen and r["event_date"] >= first} == {
        row["event_id"] for row in stored
    }


def halves(row: Row) -> list[Row]:
    """Return an event as the two rows of what was sent and what was answered."""
    response = {**row["response"], "result": None, "status_code": None, "error_message": None}
    later = row["event_time"] + timedelta(milliseconds=40)
    return [
        {**row, "response": response},
        {**row, "event_id": row["event_id"] + "-answer", "event_time": later, "request_params": []},
    ]


@pytest.mark.parametrize("is_answer_late", [pytest.param(False, marks=pytest.mark.long), True])
def test_actions_logged_as_two_rows_leave_no_message_without_its_place(
    clean_world: World, is_answer_late: bool
) -> None:
    rows = [half for row in audit(clean_world).to_pylist() for half in halves(row)]
    since = clean_world.account.now - 25 * DAY
    asked = [row for row in rows if row["event_time"] < since or not row["event_id"].endswith("-answer")]
    if is_answer_late:
        replace_audit(clean_world, asked)
        clean_world.run(publish=False)
        clean_world.account.advance(HOUR)
    replace_audit(clean_world, rows)
    clean_world.run(publish=False)

    ledger = clean_world.by_key("message_ledger")
    assert {row["state"] for row in ledger.values()} == {"fetched"}
    assert ledger.keys() == {(m.workspace_id, m.message_id) for m in clean_world.account.messages()}
    events = clean_world.read("genie_events")
    asks = [row for row in events if row["kind"] == "ask" and row["is_accepted"] and row["service"] == "aibiGenie"]
    assert len(asks) == len({(row["workspace_id"], row["message_id"]) for row in asks}) == len(ledger)


def test_upgrade_reads_the_overlap_and_asks_for_nothing_again(read_world: World) -> None:
    shutil.rmtree(read_world.lakehouse / "main" / "genie_analytics" / "genie_events")
    runs = read_world.delta("ingestion_runs").to_pyarrow_table()
    older = runs.drop_columns(["late_event_count"])
    shutil.rmtree(read_world.lakehouse / "main" / "genie_analytics" / "ingestion_runs")
    write_deltalake(
        str(read_world.lakehouse / "main" / "genie_analytics" / "ingestion_runs"), older, partition_by=["started_date"]
    )
    read_world.account.advance(HOUR)
    with pytest.raises(ConfigError, match="genie_events"):
        run_plan(read_world.settings(), {}, None, now=read_world.account.now)

    record = read_world.run()

    assert (record.message_call_count, record.new_message_count, record.late_event_count) == (0, 0, 0)
    days = {row["event_date"] for row in read_world.read("genie_events")}
    assert record.window_start is not None
    assert min(days) == record.window_start.date()
