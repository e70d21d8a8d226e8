"""Databricks changes under the job: other columns, other types, new values. Never a crash, never silence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake
from tests.integration.conftest import MakeWorld, World
from tests.integration.system_tables import as_json, change, retyped, without

from genie_obs.command.cli import cli
from genie_obs.errors import ConfigError
from genie_obs.lakehouse.sources import SOURCES, SourceColumn
from genie_obs.simulator import SimulatedMessage, message_body


def serve(message: SimulatedMessage, **fields: Any) -> None:
    """Let the service send a message with other fields from now on."""
    message.body = json.dumps({**message_body(message), **fields}).encode()


def stored_messages(world: World) -> list[tuple[str | None, ...]]:
    columns = ("message_id", "content", "status", "query_sql", "query_execution_status")
    return sorted(tuple(row[column] for column in columns) for row in world.read("message_details"))


OPTIONAL = [(source.name, column) for source in SOURCES for column in source.columns if not column.is_required]
REQUIRED = [
    (source.name, column) for source in SOURCES if source.is_required for column in source.columns if column.is_required
]
OPTIONAL_SOURCES = [
    (source.name, column)
    for source in SOURCES
    if not source.is_required
    for column in source.columns
    if column.is_required
]


def test_all_optional_columns_missing_at_once_costs_no_message_and_is_told(clean_world: World) -> None:
    clean_world.run()
    expected = stored_messages(clean_world)
    (clean_world.lakehouse / "main").rename(clean_world.lakehouse / "before")
    for table, column in OPTIONAL:
        change(clean_world, table, without(column.path))

    record = clean_world.run(publish=False)

    assert record.status == "succeeded"
    assert stored_messages(clean_world) == expected
    told = record.drift
    assert len(told) == len(OPTIONAL)
    for table, column in OPTIONAL:
        assert any(line.startswith(f"system.{table}.{column.path}: missing") for line in told)
    [run] = clean_world.read("ingestion_runs")
    assert run["drift"] == list(told)
    assert {row["query_read_rows"] for row in clean_world.read("message_details")} == {None}


@pytest.mark.parametrize(("table", "column"), REQUIRED, ids=lambda value: getattr(value, "path", value))
def test_required_column_missing_is_named_before_anything_is_written(
    clean_world: World, table: str, column: SourceColumn
) -> None:
    change(clean_world, table, without(column.path))

    with pytest.raises(ConfigError, match=rf"system\.{table}: {column.path} is missing; .*Upgrade genie-obs"):
        clean_world.run(publish=False)

    assert not (clean_world.lakehouse / "main").exists()


@pytest.mark.parametrize(("table", "column"), OPTIONAL_SOURCES, ids=lambda value: getattr(value, "path", value))
def test_optional_source_without_a_column_that_it_needs_is_not_read_and_the_run_goes_on(
    clean_world: World, table: str, column: SourceColumn
) -> None:
    change(clean_world, table, without(column.path))

    record = clean_world.run(publish=False)

    assert record.status == "succeeded"
    [source] = [source for source in record.sources if source.name == table]
    assert source.state == "lacks_columns"
    assert column.path in (source.detail or "")
    assert clean_world.read("message_details")


def test_columns_of_other_types_are_converted_and_told(clean_world: World) -> None:
    clean_world.run()
    expected = stored_messages(clean_world)
    (clean_world.lakehouse / "main").rename(clean_world.lakehouse / "before")
    for name in ("access.audit", "access.workspaces_latest", "query.history"):
        change(clean_world, name, retyped("workspace_id", pa.int64()))  # as older pages of the documentation say
    change(clean_world, "access.audit", as_json("response"))
    change(clean_world, "access.audit", as_json("request_params"))
    change(clean_world, "query.history", retyped("read_rows", pa.string()))

    record = clean_world.run(publish=False)

    assert stored_messages(clean_world) == expected
    assert list(record.drift) == [
        "system.access.audit.request_params: expected map<string,string>, got string; converted (1 time)",
        "system.access.audit.response.error_message: expected string, got a field of string; converted (1 time)",
        "system.access.audit.response.result: expected string, got a field of string; converted (1 time)",
        "system.access.audit.response.status_code: expected int, got a field of string; converted (1 time)",
        "system.access.audit.workspace_id: expected string, got bigint; converted (1 time)",
        "system.access.workspaces_latest.workspace_id: expected string, got bigint; converted (1 time)",
        "system.query.history.read_rows: expected bigint, got string; converted (1 time)",
        "system.query.history.workspace_id: expected string, got bigint; converted (1 time)",
    ]


def test_new_values_and_shapes_of_messages_are_stored_and_told(clean_world: World) -> None:
    messages = [message for message in clean_world.account.messages() if not message.deleted][:7]
    paused, failed, chart, shapes, stamps, extra, useless = messages
    serve(paused, status="PAUSED_FOR_REVIEW")
    serve(failed, status="FAILED", error={"error": "no", "type": "QUOTA_OF_TOMORROW_EXCEPTION"})
    serve(chart, attachments=[{"attachment_id": "a", "hologram": {"depth": 3}}])
    serve(shapes, content={"text": "as an object"}, feedback="POSITIVE", user_id=[1], attachments={"query": {}})
    serve(stamps, created_timestamp="2026-11-19T10:00:00Z", last_updated_timestamp={"seconds": 1})
    serve(extra, summary="a field of tomorrow")
    serve(useless, conversation_id=7, space_id=None, status=None, attachments="none", error=[], query_result=3)

    record = clean_world.run()

    assert record.status == "succeeded"
    details = {row["message_id"]: row for row in clean_world.read("message_details")}
    assert details[paused.message_id]["status"] == "PAUSED_FOR_REVIEW"
    assert details[failed.message_id]["error_type"] == "QUOTA_OF_TOMORROW_EXCEPTION"
    assert json.loads(details[chart.message_id]["attachments_json"])[0]["hologram"] == {"depth": 3}
    shaped = details[shapes.message_id]
    assert (shaped["content"], shaped["feedback_rating"]) == ('{"text":"as an object"}', "POSITIVE")
    assert shaped["attachments_json"] == '{"query":{}}'
    assert details[stamps.message_id]["created_at"].isoformat() == "2026-11-19T10:00:00+00:00"
    assert useless.message_id in details
    ledger = {row["message_id"]: row["state"] for row in clean_world.read("message_ledger")}
    assert ledger[paused.message_id] in {"settling", "abandoned"}
    told = [line.rpartition(" (")[0] for line in record.drift]
    assert set(told) >= {
        "status: unknown value PAUSED_FOR_REVIEW",
        "error.type: unknown value QUOTA_OF_TOMORROW_EXCEPTION",
        "attachments[].hologram: unknown kind",
        "content: expected string, got object",
        "feedback: expected object, got string",
        "attachments: expected list, got object",
        "created_timestamp: expected integer, got string",
        "last_updated_timestamp: expected integer, got object",
        "summary: unknown field",
        "query_result: expected object, got number",
    }


def test_new_statuses_of_workspaces_and_statements_are_told_and_not_taken_for_bad(clean_world: World) -> None:
    def renamed(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index("status")
        return rows.set_column(at, "status", pa.array(["HIBERNATING"] * rows.num_rows))

    def running(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index("execution_status")
        return rows.set_column(at, "execution_status", pa.array(["TELEPORTED"] * rows.num_rows))

    change(clean_world, "access.workspaces_latest", renamed)
    change(clean_world, "query.history", running)

    record = clean_world.run(publish=False)

    assert (record.status, record.unread_count) == ("succeeded", 0)
    count = record.statements_joined_count
    assert list(record.drift) == [
        "system.access.workspaces_latest.status: unknown value HIBERNATING (2 times)",
        f"system.query.history.execution_status: unknown value TELEPORTED ({count} times)",
    ]
    assert {row["query_execution_status"] for row in clean_world.read("message_details")} == {"TELEPORTED", None}


def test_status_shows_drift_in_both_forms(make_world: MakeWorld) -> None:
    world = make_world(message_count=40, workspace_count=1, space_count=2, quirks=False)
    message = next(iter(world.account.messages()))
    serve(message, status="PAUSED_FOR_REVIEW")
    world.run()

    def status(*flags: str) -> str:
        result = CliRunner().invoke(
            cli, ["status", "--lakehouse", str(world.lakehouse), *flags], catch_exceptions=False
        )
        return str(result.stdout)

    assert "status: unknown value PAUSED_FOR_REVIEW (1 time), last seen" in status()
    [entry] = json.loads(status("--json").splitlines()[-1])["drift"]
    assert entry["what"] == "status: unknown value PAUSED_FOR_REVIEW (1 time)"


def test_status_over_tables_of_an_older_version_names_the_way_out(clean_world: World) -> None:
    clean_world.run()
    folder = clean_world.lakehouse / "main" / "genie_analytics" / "ingestion_runs"
    _drop_column(folder, "drift")

    with pytest.raises(ConfigError, match=r"older version.*ingestion_runs.*genie-obs init"):
        CliRunner().invoke(cli, ["status", "--lakehouse", str(clean_world.lakehouse)], catch_exceptions=False)

    made = CliRunner().invoke(cli, ["init", "--lakehouse", str(clean_world.lakehouse)], catch_exceptions=False)
    assert made.stdout == "ingestion_runs: added drift\n"


def _drop_column(folder: Path, column: str) -> None:
    rows = DeltaTable(str(folder)).to_pyarrow_table().drop_columns([column])
    shutil.rmtree(folder)
    write_deltalake(str(folder), rows)
