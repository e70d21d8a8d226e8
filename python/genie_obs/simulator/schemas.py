"""Columns and types of the three system tables, as live workspaces show them."""

import pyarrow as pa

_STRING = pa.string()
_INT = pa.int64()
_TIME = pa.timestamp("us", tz="UTC")
_MAP = pa.map_(_STRING, _STRING)


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])


def _columns(kind: pa.DataType, *names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, kind) for name in names]


AUDIT = pa.schema(
    [
        ("account_id", _STRING),
        ("workspace_id", _STRING),  # observed: string; older pages say bigint
        ("version", _STRING),
        ("event_time", _TIME),
        ("event_date", pa.date32()),
        ("source_ip_address", _STRING),
        ("user_agent", _STRING),
        ("session_id", _STRING),
        ("user_identity", _struct(email=_STRING, subject_name=_STRING)),
        ("service_name", _STRING),
        ("action_name", _STRING),
        ("request_id", _STRING),
        ("request_params", _MAP),
        ("response", _struct(status_code=pa.int32(), error_message=_STRING, result=_STRING)),
        ("audit_level", _STRING),
        ("event_id", _STRING),
        (
            "identity_metadata",
            _struct(
                run_by=_STRING,
                run_as=_STRING,
                acting_resource=_STRING,
                run_by_display_name=_STRING,
                run_as_display_name=_STRING,
            ),
        ),
    ]
)
WORKSPACES = pa.schema(
    [
        ("account_id", _STRING),
        ("workspace_id", _STRING),
        ("workspace_name", _STRING),
        ("workspace_url", _STRING),
        ("create_time", _TIME),
        ("status", _STRING),
    ]
)
QUERY_HISTORY = pa.schema(
    [
        *_columns(_STRING, "account_id", "workspace_id", "statement_id", "session_id"),
        *_columns(_STRING, "executed_by", "executed_by_user_id", "executed_as", "executed_as_user_id"),
        ("execution_status", _STRING),
        ("compute", _struct(type=_STRING, cluster_id=_STRING, warehouse_id=_STRING)),
        *_columns(_STRING, "statement_text", "statement_type", "error_message"),
        *_columns(_STRING, "client_application", "client_driver"),
        *_columns(_INT, "total_duration_ms", "waiting_for_compute_duration_ms", "waiting_at_capacity_duration_ms"),
        *_columns(_INT, "execution_duration_ms", "compilation_duration_ms", "total_task_duration_ms"),
        ("result_fetch_duration_ms", _INT),
        *_columns(_TIME, "start_time", "end_time", "update_time"),
        *_columns(_INT, "read_partitions", "pruned_files", "read_files", "read_rows", "produced_rows", "read_bytes"),
        ("read_io_cache_percent", pa.int8()),
        ("from_result_cache", pa.bool_()),
        *_columns(_INT, "spilled_local_bytes", "written_bytes", "written_rows", "written_files"),
        *_columns(_INT, "shuffle_read_bytes", "pruned_files_bytes", "read_files_bytes"),
        ("cache_origin_statement_id", _STRING),
        (
            "query_source",
            _struct(
                job_info=_struct(job_id=_STRING, job_run_id=_STRING, job_task_run_id=_STRING),
                legacy_dashboard_id=_STRING,
                dashboard_id=_STRING,
                alert_id=_STRING,
                notebook_id=_STRING,
                sql_query_id=_STRING,
                genie_space_id=_STRING,
                pipeline_info=_struct(pipeline_id=_STRING, update_id=_STRING),
            ),
        ),
        ("query_parameters", _struct(named_parameters=_MAP, pos_parameters=pa.list_(_STRING), truncated=pa.bool_())),
        ("query_tags", _MAP),
    ]
)
