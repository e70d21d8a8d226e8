"""A run that reaches its deadline ends by itself, and the next ones do the rest. A workspace that fails is tried twice."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.integration.conftest import CLEAN, MakeWorld, World

from genie_obs.simulator.server.faults import FaultRule

BACKFILL: dict[str, Any] = {**CLEAN, "message_count": 240, "latency_seconds": 0.2}
# The clock of these tests is fifty times as fast: the deadline comes after 4 seconds.
FLAGS: dict[str, Any] = {"deadline_seconds": "200", "max_concurrency": "2"}
COUNTS = (
    "due_count", "fetched_count", "unread_count", "forbidden_count", "predicted_call_count", "spaces_read_count",
)  # fmt: skip


@pytest.mark.long
def test_backfill_of_several_runs_stores_everything_and_asks_for_nothing_twice(make_world: MakeWorld) -> None:
    at_once = make_world(**BACKFILL | {"latency_seconds": 0.0})
    needed = at_once.run().message_call_count
    world = make_world(**BACKFILL)

    runs = [world.run(**FLAGS)]
    while runs[-1].unread_count and len(runs) < 30:
        runs.append(world.run(**FLAGS))

    assert len(runs) > 2
    assert {run.status for run in runs} == {"succeeded"}
    assert [run.is_deadline_reached for run in runs] == [True] * (len(runs) - 1) + [False]
    assert all(run.unread_count == run.due_count - run.fetched_count for run in runs)
    assert [run.due_count for run in runs[1:]] == [run.unread_count for run in runs[:-1]]
    assert {row["state"] for row in world.read("message_ledger")} == {"fetched"}
    assert len(world.by_key("message_details")) == BACKFILL["message_count"]
    assert sum(run.message_call_count for run in runs) == needed
    assert max(run.total_seconds or 0 for run in runs) < 200 + 300


def test_messages_that_were_not_asked_keep_state_and_attempts(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(**BACKFILL)

    run = world.run(**FLAGS)

    left = [row for row in world.read("message_ledger") if row["state"] != "fetched"]
    assert len(left) == run.unread_count > 0
    assert {(row["state"], row["attempts"]) for row in left} == {("pending", 0)}
    assert f"stopped at its deadline: {run.unread_count} messages are left for the next run" in caplog.text
    [stored] = world.read("ingestion_runs")
    assert (stored["status"], stored["is_deadline_reached"]) == ("succeeded", True)


def test_workspace_that_fails_for_a_moment_is_read_by_the_second_try(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    undisturbed = make_world(**CLEAN).run()
    caplog.set_level(logging.INFO)
    world = make_world(**CLEAN)
    down = min(world.account.workspaces)
    heals = _HealsWhenGivenUp(world, down)
    logging.getLogger("genie_obs").addHandler(heals)
    try:
        run = world.run()
    finally:
        logging.getLogger("genie_obs").removeHandler(heals)

    assert (run.status, run.workspace_errors) == ("succeeded", ())
    assert f"workspace {down} could be read; it needed two tries" in caplog.text
    assert {name: getattr(run, name) for name in COUNTS} == {name: getattr(undisturbed, name) for name in COUNTS}
    assert run.api_call_count <= undisturbed.api_call_count + 30


def test_workspace_that_stays_down_has_one_line_and_costs_two_handfuls(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(**CLEAN)
    down = min(world.account.workspaces)
    world.server.set_faults([FaultRule(workspace_id=down, status=503)])

    run = world.run()

    assert (run.status, len(run.workspace_errors)) == ("partial", 1)
    assert caplog.text.count("skipping workspace") == 1
    assert run.unread_count == sum(row["workspace_id"] == down for row in world.read("message_ledger"))
    assert len(world.read("message_details")) == CLEAN["message_count"] - run.unread_count


def test_second_try_of_what_lasts_is_not_made(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    world = make_world(**CLEAN)
    world.secret = "wrong"

    run = world.run()

    assert run.status == "partial"
    assert "tried once more" not in caplog.text


class _HealsWhenGivenUp(logging.Handler):
    """Lets a workspace answer again as soon as the run says that it tries once more."""

    def __init__(self, world: World, workspace_id: str) -> None:
        super().__init__()
        self._world = world
        world.server.set_faults([FaultRule(workspace_id=workspace_id, operation="*", status=503, skip=5)])

    def emit(self, record: logging.LogRecord) -> None:
        if "tried once more" in record.getMessage():
            self._world.server.set_faults([])
