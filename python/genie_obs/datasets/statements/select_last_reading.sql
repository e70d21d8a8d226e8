-- grain: one row: the start of the newest run that read the query history to its end, NULL if none did; and of the first run
SELECT
  MAX(CASE WHEN enrich_seconds IS NOT NULL THEN started_at END) AS last_read_at,
  MIN(started_at) AS first_run_at
FROM ingestion_runs
WHERE run_id <> :run_id
