"""Columns and types of the three system tables, as live workspaces describe them."""

import pyarrow as pa

_STRING = pa.string()
_TIME = pa.timestamp("us", tz="UTC")
_MAP = pa.map_(_STRING, _STRING)


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])


AUDIT = pa.schema(
    [
        ("account_id", _STRING),
        ("workspace_id", _STRING),  # observed: string, where older pages say bigint
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
        *(
            (name, _STRING)
            for name in (
                "account_id",
                "workspace_id",
                "statement_id",
                "session_id",
                "executed_by",
                "executed_by_user_id",
            )
        ),
        *((name, _STRING) for name in ("executed_as", "executed_as_user_id", "execution_status")),
        ("compute", _struct(type=_STRING, cluster_id=_STRING, warehouse_id=_STRING)),
        *(
            (name, _STRING)
            for name in ("statement_text", "statement_type", "error_message", "client_application", "client_driver")
        ),
        ("total_duration_ms", pa.int64()),
        ("waiting_for_compute_duration_ms", pa.int64()),
        ("waiting_at_capacity_duration_ms", pa.int64()),
        ("execution_duration_ms", pa.int64()),
        ("compilation_duration_ms", pa.int64()),
        ("total_task_duration_ms", pa.int64()),
        ("result_fetch_duration_ms", pa.int64()),
        ("start_time", _TIME),
        ("end_time", _TIME),
        ("update_time", _TIME),
        *(
            (name, pa.int64())
            for name in ("read_partitions", "pruned_files", "read_files", "read_rows", "produced_rows", "read_bytes")
        ),
        ("read_io_cache_percent", pa.int8()),
        ("from_result_cache", pa.bool_()),
        *(
            (name, pa.int64())
            for name in ("spilled_local_bytes", "written_bytes", "written_rows", "written_files", "shuffle_read_bytes")
        ),
        *((name, pa.int64()) for name in ("pruned_files_bytes", "read_files_bytes")),
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
