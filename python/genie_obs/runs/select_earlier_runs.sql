-- grain: one row per run that has not said how it ended, and per run since a day
SELECT
  run_id,
  status,
  started_date,
  started_at,
  COALESCE(alive_at, started_at) AS alive_at,
  finished_at,
  workspace_ids,
  space_ids,
  oldest_stored_date,
  enrich_seconds IS NOT NULL AS is_history_read
FROM ingestion_runs
WHERE status = 'running'
  OR started_date >= :since
