-- grain: one row per run that has not said how it ended
SELECT
  run_id,
  started_date,
  started_at,
  COALESCE(alive_at, started_at) AS alive_at,
  workspace_ids,
  space_ids
FROM ingestion_runs
WHERE status = 'running'
