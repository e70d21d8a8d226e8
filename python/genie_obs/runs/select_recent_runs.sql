-- grain: one row per run, the newest first
SELECT
  run_id,
  started_at,
  alive_at,
  finished_at,
  status,
  watermark_after,
  late_event_count,
  new_message_count,
  due_count,
  fetched_count,
  unread_count,
  is_deadline_reached,
  statements_missing_count,
  api_call_count,
  message_call_count,
  fetch_seconds,
  total_seconds,
  drift_kinds,
  sources,
  workspace_errors,
  error
FROM ingestion_runs
ORDER BY started_at DESC
LIMIT 10
