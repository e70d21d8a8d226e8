-- The statement must still be that of the answer: a message regenerated in between waits for its new statement.
MERGE INTO message_details AS d
USING joined_statements AS s
ON d.workspace_id = s.workspace_id
  AND d.message_id = s.message_id
  AND d.created_date = s.created_date
  AND d.created_date IN (:created_dates)
WHEN MATCHED AND d.statement_id = s.statement_id THEN UPDATE SET
  query_execution_status = COALESCE(s.query_execution_status, d.query_execution_status),
  query_duration_ms = COALESCE(s.query_duration_ms, d.query_duration_ms),
  query_start_time = COALESCE(s.query_start_time, d.query_start_time),
  query_end_time = COALESCE(s.query_end_time, d.query_end_time),
  query_warehouse_id = COALESCE(s.query_warehouse_id, d.query_warehouse_id),
  query_read_rows = COALESCE(s.query_read_rows, d.query_read_rows),
  query_read_bytes = COALESCE(s.query_read_bytes, d.query_read_bytes),
  query_produced_rows = COALESCE(s.query_produced_rows, d.query_produced_rows),
  query_from_result_cache = COALESCE(s.query_from_result_cache, d.query_from_result_cache),
  query_error_message = CASE
    WHEN d.content_policy <=> 'erased' THEN d.query_error_message
    ELSE COALESCE(s.query_error_message, d.query_error_message)
  END
