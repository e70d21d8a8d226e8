"""A source that a run can do without is missing, forbidden or switched off: the run goes on and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.conftest import DAY, World
from tests.integration.system_tables import change, drop, refusing, without

from genie_obs.command.cli import main
from genie_obs.errors import ConfigError
from genie_obs.lakehouse.sources import AUDIT, QUERY_HISTORY, WORKSPACES, State
from genie_obs.runs.record import RunRecord

HISTORY = QUERY_HISTORY.name
FORBIDDEN = (
    "[INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table 'system.query.history'"
)
GRANT = "grant USE SCHEMA and SELECT on system.query to the principal this runs as."
WHOLE = {AUDIT.name: ("read", None), WORKSPACES.name: ("read", None)}

Run = Callable[[World], RunRecord]


def run_without_table(world: World) -> RunRecord:
    drop(world, HISTORY)
    return world.run(publish=False)


def run_without_column(world: World) -> RunRecord:
    change(world, HISTORY, without("statement_id"))
    return world.run(publish=False)


def run_without_grant(world: World) -> RunRecord:
    return world.run(wrap=refusing(HISTORY, FORBIDDEN))


def run_without_wish(world: World) -> RunRecord:
    return world.run(skip_sources=HISTORY)


def run_that_loses_it_at_once(world: World) -> RunRecord:
    return world.run(wrap=refusing(HISTORY, "the warehouse is gone", shown=True))


def run_that_loses_it_after_a_batch(world: World) -> RunRecord:
    return world.run(wrap=refusing(HISTORY, FORBIDDEN, shown=True, answers=1), batch_size="20")


MISSING = "system.query.history does not exist or is not visible. Write the system tables with 'genie-obs simulate', or copy them"
WITHOUT_COLUMN = "system.query.history: statement_id is missing; nothing can be made of it without. Upgrade genie-obs, which may know"
# Each way, and how its detail begins.
WAYS: dict[State, tuple[Run, str]] = {
    State.MISSING: (run_without_table, MISSING),
    State.LACKS_COLUMNS: (run_without_column, WITHOUT_COLUMN),
    State.FORBIDDEN: (run_without_grant, "system.query.history may not be read: [INSUFFICIENT_PERMISSIONS] "),
    State.SKIPPED: (run_without_wish, "system.query.history is skipped by --skip-sources"),
}


def sources_of(world: World) -> dict[str, tuple[str, str | None]]:
    """Return the sources of the newest run as they are stored: state and detail by name."""
    newest = max(world.read("ingestion_runs"), key=lambda run: run["started_at"])
    return {source["name"]: (source["state"], source["detail"]) for source in newest["sources"]}


def assert_stored_without_statements(world: World, record: RunRecord) -> None:
    rows, messages = world.by_key("message_details"), list(world.account.messages())
    assert (record.status, record.workspace_errors, record.error) == ("succeeded", (), None)
    assert (record.statements_joined_count, record.statements_missing_count) == (None, None)
    assert len(rows) == record.fetched_count == len(messages)
    assert any(row["statement_id"] for row in rows.values())
    assert "statements" not in [step.name for step in record.steps]


@pytest.mark.parametrize("way", WAYS)
def test_run_goes_on_without_the_query_history_and_says_why_and_what_to_do(clean_world: World, way: State) -> None:
    run, begin = WAYS[way]

    record = run(clean_world)

    assert_stored_without_statements(clean_world, record)
    assert {row["query_execution_status"] for row in clean_world.read("message_details")} == {None}
    _, detail = sources_of(clean_world)[HISTORY]
    assert sources_of(clean_world) == {**WHOLE, HISTORY: (way.value, detail)}
    assert detail is not None
    assert detail.startswith(begin)
    assert detail.endswith(GRANT) is (way is State.FORBIDDEN)
    assert {source.name: (source.state, source.detail) for source in record.sources} == sources_of(clean_world)


@pytest.mark.parametrize("way", WAYS)
def test_statements_are_joined_as_soon_as_the_query_history_can_be_read(clean_world: World, way: State) -> None:
    WAYS[way][0](clean_world)
    clean_world.account.publications.clear()  # what is published already would not be written again

    record = clean_world.run()

    assert sources_of(clean_world) == {**WHOLE, HISTORY: ("read", None)}
    joined = [row for row in clean_world.read("message_details") if row["query_execution_status"]]
    assert record.statements_joined_count == len(joined) > 0
    assert record.message_call_count == 0


@pytest.mark.parametrize(
    ("run", "state", "problem"),
    [
        (run_that_loses_it_at_once, "failed", "system.query.history cannot be read: the warehouse is gone."),
        (run_that_loses_it_after_a_batch, "forbidden", "system.query.history may not be read: "),
    ],
)
def test_history_that_fails_while_answers_are_stored_costs_no_answer(
    clean_world: World, run: Run, state: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    record = run(clean_world)

    assert_stored_without_statements(clean_world, record)
    stored_state, detail = sources_of(clean_world)[HISTORY]
    assert stored_state == state
    assert detail is not None
    assert detail.startswith(problem)
    assert detail.endswith(GRANT)
    assert "the run goes on without it" in caplog.text
    assert clean_world.run().statements_joined_count


def test_history_that_fails_when_later_statements_are_looked_for_costs_no_run(clean_world: World) -> None:
    clean_world.run(skip_sources=HISTORY)

    record = clean_world.run(wrap=refusing(HISTORY, "the warehouse is gone", shown=True))

    assert (record.status, record.statements_joined_count, record.statements_missing_count) == ("succeeded", None, None)
    assert sources_of(clean_world)[HISTORY][0] == "failed"
    assert [step.name for step in record.steps] == ["events", "messages", "erasing"]


@pytest.mark.parametrize("name", [AUDIT.name, WORKSPACES.name])
def test_run_without_a_required_source_is_refused_with_the_fix_and_writes_nothing(
    clean_world: World, name: str
) -> None:
    drop(clean_world, name)

    with pytest.raises(ConfigError, match=rf"system\.{name} does not exist or is not visible") as caught:
        clean_world.run(publish=False)

    assert "genie-obs simulate" in caught.value.fix
    assert not (clean_world.lakehouse / "main").exists()


def test_required_source_that_fails_in_the_middle_fails_the_run(clean_world: World) -> None:
    with pytest.raises(Exception, match=r"system\.access\.audit cannot be read: the warehouse is gone"):
        clean_world.run(wrap=refusing(AUDIT.name, "the warehouse is gone", shown=True))

    [run] = clean_world.read("ingestion_runs")
    assert (run["status"], run["watermark_after"]) == ("failed", None)


@pytest.mark.parametrize("wrong", ["access.audit", "query.histroy", "system.query.history"])
def test_source_that_cannot_be_skipped_is_refused_with_those_that_can(clean_world: World, wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        clean_world.run(skip_sources=f"{HISTORY},{wrong}")

    assert [problem.problem for problem in caught.value.problems] == [f"--skip-sources {wrong!r}: no optional source"]
    assert caught.value.fix == "Optional sources are: query.history."
    assert not (clean_world.lakehouse / "main").exists()


def test_command_and_status_tell_what_is_not_read(
    clean_world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABRICKS_SP_CLIENT_ID", clean_world.account.client_id)
    monkeypatch.setenv("DATABRICKS_SP_CLIENT_SECRET", clean_world.account.client_secret)
    place = ["--engine", "local", "--lakehouse", str(clean_world.lakehouse)]
    told = "system.query.history is skipped by --skip-sources"

    assert main(["ingest", *place, "--days-lookback", "3650", "--skip-sources", HISTORY]) == 0
    assert told in " ".join(capsys.readouterr().out.split())
    assert main(["status", *place]) == 0
    assert told in " ".join(capsys.readouterr().out.split())
    assert main(["status", *place, "--json"]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [source["name"] for source in shown["unread_sources"]] == [HISTORY]


def test_history_that_is_not_read_ages_no_statement_out_of_sight(clean_world: World) -> None:
    """Statements are looked for seven days; within these a run that could not look at the history loses nothing."""
    clean_world.run(skip_sources=HISTORY)
    clean_world.account.advance(6 * DAY)

    assert clean_world.run().statements_joined_count
