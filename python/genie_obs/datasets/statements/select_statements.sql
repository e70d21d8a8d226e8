-- grain: one row per message of the relation wanted_statements whose statement system.query.history has, the newest version of it
-- Joined on workspace_id and statement_id, the only exact link. Of the history only the days asked for are read.
WITH versions AS (
  SELECT
    w.workspace_id,
    w.message_id,
    w.space_id,
    w.created_date,
    w.content_policy,
    w.statement_id,
    w.query_execution_status AS known_execution_status,
    h.execution_status,
    h.total_duration_ms,
    h.start_time,
    h.end_time,
    h.compute.warehouse_id AS warehouse_id,
    h.read_rows,
    h.read_bytes,
    h.produced_rows,
    h.from_result_cache,
    h.error_message,
    ROW_NUMBER() OVER (PARTITION BY w.workspace_id, w.message_id ORDER BY h.update_time DESC, h.end_time DESC) AS version
  FROM wanted_statements AS w
  INNER JOIN system.query.history AS h
    ON h.workspace_id = w.workspace_id
    AND h.statement_id = w.statement_id
  WHERE is_on_days(h.start_time, :days)
)
SELECT
  workspace_id,
  message_id,
  space_id,
  created_date,
  content_policy,
  statement_id,
  execution_status AS query_execution_status,
  total_duration_ms AS query_duration_ms,
  start_time AS query_start_time,
  end_time AS query_end_time,
  warehouse_id AS query_warehouse_id,
  read_rows AS query_read_rows,
  read_bytes AS query_read_bytes,
  produced_rows AS query_produced_rows,
  from_result_cache AS query_from_result_cache,
  error_message AS query_error_message
FROM versions
WHERE version = 1
  AND NOT (execution_status <=> known_execution_status)
