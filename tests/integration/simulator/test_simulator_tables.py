"""The system tables the simulator writes, read back as Delta."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from genie_obs.simulator import (
    AccountSpec,
    SimulatedAccount,
    SimulatorServer,
    generate_account,
    grow,
    write_system_tables,
)

UNTIL = datetime(2026, 11, 20, 15, tzinfo=UTC)
FOLDERS = {
    "access.audit": "system/access/audit",
    "access.workspaces_latest": "system/access/workspaces_latest",
    "query.history": "system/query/history",
}

# Column by column as live workspaces describe the tables: a second source, so that the schema has something to be compared with.
AUDIT = """
account_id string, workspace_id string, version string, event_time timestamp, event_date date,
source_ip_address string, user_agent string, session_id string, user_identity struct<email:string,
subject_name:string>, service_name string, action_name string, request_id string, request_params map<string,string>,
response struct<status_code:integer,error_message:string,result:string>, audit_level string, event_id string,
identity_metadata struct<run_by:string,run_as:string,acting_resource:string,run_by_display_name:string,
run_as_display_name:string>
"""
WORKSPACES = "account_id string, workspace_id string, workspace_name string, workspace_url string, create_time timestamp, status string"
HISTORY = """
account_id string, workspace_id string, statement_id string, session_id string, executed_by string,
executed_by_user_id string, executed_as string, executed_as_user_id string, execution_status string,
compute struct<type:string,cluster_id:string,warehouse_id:string>, statement_text string, statement_type string,
error_message string, client_application string, client_driver string, total_duration_ms long,
waiting_for_compute_duration_ms long, waiting_at_capacity_duration_ms long, execution_duration_ms long,
compilation_duration_ms long, total_task_duration_ms long, result_fetch_duration_ms long, start_time timestamp,
end_time timestamp, update_time timestamp, read_partitions long, pruned_files long, read_files long, read_rows long,
produced_rows long, read_bytes long, read_io_cache_percent byte, from_result_cache boolean, spilled_local_bytes long,
written_bytes long, written_rows long, written_files long, shuffle_read_bytes long, pruned_files_bytes long,
read_files_bytes long, cache_origin_statement_id string, query_source struct<job_info:struct<job_id:string,
job_run_id:string,job_task_run_id:string>,legacy_dashboard_id:string,dashboard_id:string, alert_id:string,
notebook_id:string,sql_query_id:string,genie_space_id:string,pipeline_info:struct<pipeline_id:string,
update_id:string>>, query_parameters struct<named_parameters:map<string,string>,pos_parameters:array<string>,
truncated:boolean>, query_tags map<string,string>
"""


def describe(kind: Any) -> str:
    """Return a Delta type as SQL writes it."""
    if isinstance(kind, str):
        return kind
    if kind["type"] == "struct":
        return "struct<" + ",".join(f"{field['name']}:{describe(field['type'])}" for field in kind["fields"]) + ">"
    if kind["type"] == "map":
        return f"map<{describe(kind['keyType'])},{describe(kind['valueType'])}>"
    return f"array<{describe(kind['elementType'])}>"


def columns_of(folder: Path) -> str:
    fields = json.loads(DeltaTable(folder).schema().to_json())["fields"]
    return ",".join(f"{field['name']} {describe(field['type'])}" for field in fields)


def read(lakehouse: Path, table: str) -> pa.Table:
    return DeltaTable(lakehouse / FOLDERS[table]).to_pyarrow_table()


@pytest.fixture(scope="module")
def base() -> SimulatedAccount:
    return generate_account(AccountSpec(until=UNTIL, message_count=400, days=20))


@pytest.fixture
def account() -> SimulatedAccount:
    return generate_account(
        AccountSpec(until=UNTIL, message_count=60, days=6, workspace_count=2, space_count=4, quirks=False)
    )


@pytest.mark.parametrize(
    ("table", "expected"),
    [("access.audit", AUDIT), ("access.workspaces_latest", WORKSPACES), ("query.history", HISTORY)],
)
def test_columns_and_types_are_those_of_databricks(
    base: SimulatedAccount, tmp_path: Path, table: str, expected: str
) -> None:
    write_system_tables(base, tmp_path)
    assert columns_of(tmp_path / FOLDERS[table]) == expected.replace("\n", "").replace(", ", ",").strip()


def test_audit_is_partitioned_by_day(base: SimulatedAccount, tmp_path: Path) -> None:
    write_system_tables(base, tmp_path)
    assert DeltaTable(tmp_path / FOLDERS["access.audit"]).metadata().partition_columns == ["event_date"]


def test_second_write_appends_nothing_when_nothing_happened(base: SimulatedAccount, tmp_path: Path) -> None:
    first = write_system_tables(base, tmp_path)
    second = write_system_tables(base, tmp_path)
    assert first["access.audit"] == read(tmp_path, "access.audit").num_rows
    assert (second["access.audit"], second["query.history"]) == (0, 0)


def test_late_rows_come_with_a_later_write(account: SimulatedAccount, tmp_path: Path) -> None:
    workspace_id = next(iter(account.workspaces))
    write_system_tables(account, tmp_path)
    before = read(tmp_path, "access.audit").num_rows
    account.ask(workspace_id=workspace_id, audit_delay=timedelta(hours=2), statement_delay=timedelta(hours=1))
    assert write_system_tables(account, tmp_path)["access.audit"] == 0
    account.advance(timedelta(hours=1))
    assert write_system_tables(account, tmp_path)["query.history"] >= 1
    account.advance(timedelta(hours=1))
    assert write_system_tables(account, tmp_path)["access.audit"] == 2
    assert read(tmp_path, "access.audit").num_rows == before + 2


def test_rows_in_several_writes_are_those_of_one(account: SimulatedAccount, tmp_path: Path) -> None:
    write_system_tables(account, tmp_path / "steps")
    for hours in (5, 6, 40, 41):
        grow(account, until=UNTIL + timedelta(hours=hours))
        write_system_tables(account, tmp_path / "steps")
    write_system_tables(account, tmp_path / "once")
    for table in ("access.audit", "query.history"):
        key = "event_id" if table == "access.audit" else "statement_id"
        steps, once = (read(tmp_path / name, table).sort_by(key) for name in ("steps", "once"))
        assert steps.equals(once)


def test_statement_published_again_stays_one_row(account: SimulatedAccount, tmp_path: Path) -> None:
    message = next(row for row in account.messages() if row.statement_ids)
    write_system_tables(account, tmp_path)
    rows = read(tmp_path, "query.history").num_rows
    account.advance(timedelta(minutes=5))
    account.republish_statement(message.workspace_id, message.statement_ids[-1])
    assert write_system_tables(account, tmp_path)["query.history"] == 1
    table = read(tmp_path, "query.history")
    [row] = [row for row in table.to_pylist() if row["statement_id"] == message.statement_ids[-1]]
    assert table.num_rows == rows
    assert row["update_time"] == UNTIL + timedelta(minutes=5)


def test_urls_appear_while_the_account_is_served(account: SimulatedAccount, tmp_path: Path) -> None:
    write_system_tables(account, tmp_path)
    assert all(
        url.endswith(".example") for url in read(tmp_path, "access.workspaces_latest")["workspace_url"].to_pylist()
    )
    with SimulatorServer(account) as server:
        write_system_tables(account, tmp_path)
        assert set(read(tmp_path, "access.workspaces_latest")["workspace_url"].to_pylist()) == set(server.urls.values())


def test_another_account_replaces_what_the_folder_held(
    account: SimulatedAccount, base: SimulatedAccount, tmp_path: Path
) -> None:
    write_system_tables(base, tmp_path)
    counts = write_system_tables(account, tmp_path)
    assert read(tmp_path, "access.audit").num_rows == counts["access.audit"]
    assert set(read(tmp_path, "access.audit")["account_id"].to_pylist()) == {account.account_id}


def test_odd_rows_are_in_the_audit_log(base: SimulatedAccount, tmp_path: Path) -> None:
    write_system_tables(base, tmp_path)
    rows = read(tmp_path, "access.audit").to_pylist()
    ids = [row["event_id"] for row in rows]
    params = [dict(row["request_params"] or ()) for row in rows]
    assert len(ids) > len(set(ids))
    assert {"genie", "genieChat", "unityCatalog", "dashboards", "aibiGenie"} <= {row["service_name"] for row in rows}
    assert "0" in {row["workspace_id"] for row in rows}
    assert {200, 403, 404} <= {row["response"]["status_code"] for row in rows if row["response"]}
    assert any(row.get("space_id") == "new" for row in params)
    assert any("spaceId" in row for row in params)
    assert "System-User" in {row["user_identity"]["email"] for row in rows}


def test_query_history_has_strangers_and_gaps(base: SimulatedAccount, tmp_path: Path) -> None:
    write_system_tables(base, tmp_path)
    rows = {row["statement_id"]: row for row in read(tmp_path, "query.history").to_pylist()}
    linked = {statement_id for message in base.messages() for statement_id in message.statement_ids}
    assert linked - set(rows)
    assert any(row["query_source"]["genie_space_id"] and key not in linked for key, row in rows.items())
    assert any(row["query_source"]["genie_space_id"] is None for row in rows.values())
    assert {"FINISHED", "FAILED", "CANCELED"} == {row["execution_status"] for row in rows.values()}
    assert any(row["total_duration_ms"] < 0 for row in rows.values())
    assert any(row["from_result_cache"] for row in rows.values())
