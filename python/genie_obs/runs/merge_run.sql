-- One row per run: written when it starts, when discovery is committed, now and then as a sign of life, and when it ends.
-- A run that was taken for dead and is not says so itself: its own word counts.
MERGE INTO ingestion_runs AS r
USING run_record AS n
ON r.run_id = n.run_id
  AND r.started_date = n.started_date
  AND r.started_date IN (:started_dates)
WHEN MATCHED THEN UPDATE SET
  started_at = n.started_at,
  finished_at = n.finished_at,
  status = n.status,
  version = n.version,
  engine = n.engine,
  workspace_ids = n.workspace_ids,
  space_ids = n.space_ids,
  window_start = n.window_start,
  watermark_before = n.watermark_before,
  watermark_after = n.watermark_after,
  oldest_stored_date = n.oldest_stored_date,
  audit_event_count = n.audit_event_count,
  witnessed_count = n.witnessed_count,
  new_message_count = n.new_message_count,
  due_count = n.due_count,
  fetched_count = n.fetched_count,
  settling_count = n.settling_count,
  retry_count = n.retry_count,
  forbidden_count = n.forbidden_count,
  deleted_count = n.deleted_count,
  not_found_count = n.not_found_count,
  abandoned_count = n.abandoned_count,
  unread_count = n.unread_count,
  read_elsewhere_count = n.read_elsewhere_count,
  spaces_read_count = n.spaces_read_count,
  statements_joined_count = n.statements_joined_count,
  statements_missing_count = n.statements_missing_count,
  api_call_count = n.api_call_count,
  message_call_count = n.message_call_count,
  predicted_call_count = n.predicted_call_count,
  api_retry_count = n.api_retry_count,
  throttled_count = n.throttled_count,
  discover_seconds = n.discover_seconds,
  fetch_seconds = n.fetch_seconds,
  merge_seconds = n.merge_seconds,
  enrich_seconds = n.enrich_seconds,
  total_seconds = n.total_seconds,
  drift = n.drift,
  workspace_errors = n.workspace_errors,
  error = n.error,
  alive_at = n.alive_at
WHEN NOT MATCHED THEN INSERT (
  run_id, started_date, started_at, finished_at, status, version, engine, workspace_ids, space_ids, window_start,
  watermark_before, watermark_after, oldest_stored_date, audit_event_count, witnessed_count, new_message_count, due_count,
  fetched_count, settling_count, retry_count, forbidden_count, deleted_count, not_found_count, abandoned_count,
  unread_count, read_elsewhere_count, spaces_read_count, statements_joined_count, statements_missing_count, api_call_count,
  message_call_count,
  predicted_call_count, api_retry_count, throttled_count, discover_seconds, fetch_seconds, merge_seconds, enrich_seconds,
  total_seconds, drift, workspace_errors, error, alive_at
) VALUES (
  n.run_id, n.started_date, n.started_at, n.finished_at, n.status, n.version, n.engine, n.workspace_ids, n.space_ids,
  n.window_start, n.watermark_before, n.watermark_after, n.oldest_stored_date, n.audit_event_count, n.witnessed_count,
  n.new_message_count, n.due_count, n.fetched_count, n.settling_count, n.retry_count, n.forbidden_count, n.deleted_count,
  n.not_found_count, n.abandoned_count, n.unread_count, n.read_elsewhere_count, n.spaces_read_count, n.statements_joined_count,
  n.statements_missing_count, n.api_call_count, n.message_call_count, n.predicted_call_count, n.api_retry_count,
  n.throttled_count, n.discover_seconds, n.fetch_seconds, n.merge_seconds, n.enrich_seconds, n.total_seconds,
  n.drift, n.workspace_errors, n.error, n.alive_at
)
