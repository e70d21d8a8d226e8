-- grain: one row: when the earliest of the other runs began that were at work at some time since an instant; NULL where none was
SELECT
  MIN(started_at) AS started_at
FROM ingestion_runs
WHERE run_id <> :run_id
  AND (finished_at IS NULL OR finished_at >= :since)
