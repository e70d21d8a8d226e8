"""How much of the query history a run reads: the conditions on it that reach the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame
from tests.integration.conftest import DAY, HOUR, MINUTE, MakeWorld, World

from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.tables import Tables
from genie_obs.simulator.instants import NEVER_US

_BOUND = re.compile(r"start_time (?P<sign>>=|<) TIMESTAMP '(?P<at>[^']+)'")


class Scans:
    """Notes the UTC days of each scan of the query history, as the engine gets them."""

    def __init__(self) -> None:
        self.days: list[set[date]] = []
        self.statement_count = 0

    def wrap(self, engine: Engine) -> Tables:
        scans = self

        class Watched(Tables):
            def _sql(
                self, text: str, frames: Mapping[str, DataFrame], bound: Mapping[str, Any] | None = None
            ) -> DataFrame:
                scans.statement_count += 1
                if "query.history" in text:
                    scans.days.append(_days_of(text))
                return super()._sql(text, frames, bound)

        return Watched(engine)


def _days_of(text: str) -> set[date]:
    instants = [datetime.fromisoformat(match["at"]).astimezone(UTC) for match in _BOUND.finditer(text)]
    signs = [match["sign"] for match in _BOUND.finditer(text)]
    assert instants, "the query history is read whole"
    assert signs == [">=", "<"] * (len(signs) // 2)
    days = set[date]()
    for since, until in zip(instants[::2], instants[1::2], strict=True):
        assert since < until
        days |= {since.date() + n * DAY for n in range(-((since - until) // DAY))}
    return days


def hide_one_in_ten(world: World) -> None:
    """Let one statement in ten never appear in the query history."""
    for number, statement in enumerate(world.account.statements.by_id.values()):
        if number % 10 == 0:
            statement.visible_us = NEVER_US
    world.lakehouse = world.lakehouse.parent / "with gaps"  # what is published once stays
    world.publish()


def watched_run(world: World) -> Scans:
    scans = Scans()
    assert world.run(wrap=scans.wrap).status == "succeeded"
    return scans


def test_hourly_run_after_a_long_backfill_reads_four_days_of_the_history_in_one_scan(make_world: MakeWorld) -> None:
    world = make_world(quirks=False, days=60, message_count=400)
    hide_one_in_ten(world)
    backfill = watched_run(world)
    rows = world.read("message_details")
    missing = [row for row in rows if row["statement_id"] and row["query_execution_status"] is None]
    assert len(missing) > 10
    assert len({row["created_date"] for row in rows}) > 40
    assert len(set[date]().union(*backfill.days)) > 50

    for _ in range(4):
        world.account.advance(HOUR)
        hourly = watched_run(world)
        assert len(hourly.days) == 1
        [days] = hourly.days
        assert len(days) <= 4
        assert min(days) >= world.account.now.date() - 7 * DAY


@pytest.mark.long
def test_late_statement_of_each_day_of_the_last_seven_is_joined_by_hourly_runs(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = []
    for age in range(6, 0, -1):
        at = world.account.now - age * DAY
        asked.append(world.account.ask(workspace_id=workspace_id, at=at, statement_delay=age * DAY + 2 * HOUR))
    world.account.advance(MINUTE)
    world.run()
    by_key = world.by_key("message_details")
    assert {by_key[workspace_id, message.message_id]["query_execution_status"] for message in asked} == {None}

    world.account.advance(2 * HOUR)
    for _ in range(3):
        world.account.advance(HOUR)
        assert len(watched_run(world).days[0]) <= 4

    by_key = world.by_key("message_details")
    assert {by_key[workspace_id, message.message_id]["query_execution_status"] for message in asked} == {"FINISHED"}


def test_statement_that_never_comes_is_given_up_seven_days_after_its_message(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = world.account.ask(workspace_id=workspace_id, at=world.account.now - 6 * DAY, statement_delay=100 * DAY)
    world.account.advance(MINUTE)
    assert world.run().statements_missing_count == 1
    assert world.by_key("message_details")[workspace_id, asked.message_id]["query_execution_status"] is None

    world.account.advance(DAY)
    scans = Scans()

    assert world.run(wrap=scans.wrap).statements_missing_count == 0
    assert scans.days == []


def test_new_statement_of_an_old_message_is_joined(clean_world: World) -> None:
    world = clean_world
    world.run()
    message = next(
        message
        for message in world.account.messages()
        if message.statement_ids and message.created_at < world.account.now - 20 * DAY
    )
    world.account.regenerate(message)
    world.account.advance(HOUR)
    scans = watched_run(world)

    row = world.by_key("message_details")[message.workspace_id, message.message_id]
    assert (row["statement_id"], row["query_execution_status"]) == (message.statement_ids[-1], "FINISHED")
    assert [len(days) <= 4 for days in scans.days] == [True]


@pytest.mark.long
def test_what_was_stored_while_the_history_could_not_be_read_is_joined_once_it_can(clean_world: World) -> None:
    world = clean_world
    world.run(skip_sources="query.history")
    for _ in range(9):
        world.account.advance(DAY)
        world.account.ask(workspace_id=next(iter(world.account.workspaces)))
        world.account.advance(MINUTE)
        world.run(skip_sources="query.history")
    rows = [row for row in world.read("message_details") if row["statement_id"]]
    assert not any(row["query_execution_status"] for row in rows)

    first = watched_run(world)
    world.account.advance(HOUR)
    second = watched_run(world)

    rows = [row for row in world.read("message_details") if row["statement_id"]]
    assert all(row["query_execution_status"] for row in rows)
    assert (len(first.days), second.days) == (1, [])


def test_statement_that_came_during_an_outage_is_joined_after_it(clean_world: World) -> None:
    world = clean_world
    workspace_id = next(iter(world.account.workspaces))
    asked = world.account.ask(workspace_id=workspace_id, statement_delay=2 * DAY)
    world.account.advance(MINUTE)
    world.run()

    world.account.advance(timedelta(days=12))
    scans = watched_run(world)

    row = world.by_key("message_details")[workspace_id, asked.message_id]
    assert row["query_execution_status"] == "FINISHED"
    assert len(scans.days) == 1
