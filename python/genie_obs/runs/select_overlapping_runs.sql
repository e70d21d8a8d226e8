-- grain: one row: the start of the earliest other run that was at work at some time since an instant; NULL if there was none
SELECT
  MIN(started_at) AS started_at
FROM ingestion_runs
WHERE run_id <> :run_id
  AND (finished_at IS NULL OR finished_at >= :since)
