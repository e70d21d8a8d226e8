-- Record that runs without a recorded end are alive, or that they were killed.
-- A run that was wrongly taken for dead corrects this with its next sign.
MERGE INTO ingestion_runs AS r
USING run_signs AS s
ON r.run_id = s.run_id
  AND r.started_date = s.started_date
  AND r.started_date IN (:started_dates)
WHEN MATCHED AND r.finished_at IS NULL THEN UPDATE SET
  status = s.status,
  alive_at = s.alive_at,
  error = s.error
