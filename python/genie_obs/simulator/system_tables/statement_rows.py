"""Rows of `system.query.history`."""

from typing import Any

from genie_obs.simulator.account.message import Query
from genie_obs.simulator.account.statements import API_CLIENT, UI_CLIENT, Statement
from genie_obs.simulator.ids import entropy, seeded_uuid
from genie_obs.simulator.instants import from_us


def statement_row(statement: Statement, account_id: str) -> dict[str, Any]:
    """Return the table row of a statement."""
    row = _identity(statement, account_id)
    row.update(_timing(statement))
    row.update(_volume(statement))
    row["query_source"] = {
        "job_info": None,
        "legacy_dashboard_id": None,
        "dashboard_id": None,
        "alert_id": None,
        "notebook_id": None,
        "sql_query_id": None,
        "genie_space_id": statement.space_id,
        "pipeline_info": None,
    }
    row["query_parameters"] = {"named_parameters": [], "pos_parameters": [], "truncated": False}
    row["query_tags"] = []
    return row


def _identity(statement: Statement, account_id: str) -> dict[str, Any]:
    user = statement.user
    email, user_id = (user.email, str(user.user_id)) if user is not None else ("System-User", None)
    text = statement.text
    return {
        "account_id": account_id,
        "workspace_id": statement.workspace_id,
        "statement_id": statement.statement_id,
        "session_id": seeded_uuid("session", statement.statement_id),
        "executed_by": email,
        "executed_by_user_id": user_id,
        "executed_as": email,
        "executed_as_user_id": user_id,
        "execution_status": statement.status,
        "compute": {"type": "WAREHOUSE", "cluster_id": None, "warehouse_id": statement.warehouse_id},
        "statement_text": text,
        "statement_type": "DESCRIBE" if text.startswith("DESCRIBE") else "SELECT",
        "error_message": statement.error,
        "client_application": statement.client,
        "client_driver": None if statement.client in {UI_CLIENT, API_CLIENT} else "Databricks SQL Driver",
    }


def _timing(statement: Statement) -> dict[str, Any]:
    salt = entropy(statement.statement_id)
    total = -17 if statement.is_negative_duration else statement.duration_ms
    busy = max(0, statement.duration_ms)
    compiling = 0 if statement.cached else min(busy, 40 + salt % 300)
    waiting = busy // 3 if salt % 17 == 0 else 0  # the warehouse had to start
    return {
        "total_duration_ms": total,
        "waiting_for_compute_duration_ms": waiting,
        "waiting_at_capacity_duration_ms": busy // 8 if salt % 23 == 0 else 0,
        "execution_duration_ms": max(0, busy - compiling - waiting),
        "compilation_duration_ms": compiling,
        "total_task_duration_ms": 0 if statement.cached else busy * (2 + salt % 9),
        "result_fetch_duration_ms": salt % 60,
        "start_time": from_us(statement.start_us),
        "end_time": from_us(statement.start_us + busy * 1000),
        "update_time": from_us(statement.update_us),
    }


def _volume(statement: Statement) -> dict[str, Any]:
    salt = entropy(statement.statement_id)
    scanned = not statement.cached and statement.status == "FINISHED"
    rows = (salt % 900 + 20) * 1_000 if scanned else 0
    files = salt % 60 + 1 if scanned else 0
    produced = (statement.source.row_count or 0) if isinstance(statement.source, Query) else salt % 40
    return {
        "read_partitions": files // 4,
        "pruned_files": files * 3,
        "read_files": files,
        "read_rows": rows,
        "produced_rows": produced if statement.status == "FINISHED" else 0,
        "read_bytes": rows * 48,
        "read_io_cache_percent": salt % 101 if scanned else 0,
        "from_result_cache": statement.cached,
        "spilled_local_bytes": rows * 9 if salt % 41 == 0 else 0,
        "written_bytes": 0,
        "written_rows": 0,
        "written_files": 0,
        "shuffle_read_bytes": rows * 6,
        "pruned_files_bytes": files * 3 * 4_000_000,
        "read_files_bytes": files * 4_000_000,
        "cache_origin_statement_id": seeded_uuid("origin", statement.source.sql)
        if statement.cached and isinstance(statement.source, Query)
        else None,
    }
