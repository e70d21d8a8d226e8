-- query:   pipeline_stale
-- title:   Genie observability: no run has finished
-- answers: For how many hours has no run of the extraction job finished?
-- grain:   one row; none when there was no run in 30 days, which counts as stale too
-- reads:   ingestion_runs
-- params:  none
SELECT
  ROUND(
    (
      unix_timestamp(current_timestamp())
      - unix_timestamp(COALESCE(MAX(CASE WHEN status IN ('succeeded', 'partial') THEN finished_at END), MIN(started_at)))
    ) / 3600,
    1
  ) AS hours_since_last_run,
  MAX(CASE WHEN status IN ('succeeded', 'partial') THEN finished_at END) AS last_finished_at,
  MAX_BY(status, started_at) AS last_run_status,
  MAX_BY(error, started_at) AS last_run_error
FROM ingestion_runs
WHERE started_date >= date_sub(current_date(), 30)
HAVING COUNT(*) > 0;
