-- query:   pipeline_stale
-- title:   Genie observability: no run has finished
-- answers: For how many hours has no run of the extraction job finished, and was none at work?
-- grain:   one row; none when there was no run in 30 days, which counts as stale too
-- reads:   ingestion_runs
-- params:  none
--
-- A run at work gives a sign of life every few minutes; one that was silent for 30 minutes is dead. While a run is at work, only the
-- hours before its start count: a backfill may take long. A run that ended at its deadline has succeeded.
WITH runs AS (
  SELECT
    started_at,
    status,
    error,
    COALESCE(alive_at, started_at) AS alive_at,
    CASE WHEN status IN ('succeeded', 'partial') THEN finished_at END AS good_end_at,
    CASE
      WHEN status = 'running' AND COALESCE(alive_at, started_at) >= current_timestamp() - INTERVAL 30 MINUTES
        THEN started_at
    END AS at_work_since
  FROM ingestion_runs
  WHERE started_date >= date_sub(current_date(), 30)
)
SELECT
  ROUND(
    GREATEST(
      unix_timestamp(COALESCE(MIN(at_work_since), current_timestamp()))
      - unix_timestamp(COALESCE(MAX(good_end_at), MIN(started_at))),
      0
    ) / 3600,
    1
  ) AS hours_since_last_run,
  MAX(good_end_at) AS last_finished_at,
  MAX(alive_at) AS last_alive_at,
  MIN(at_work_since) AS at_work_since,
  MAX_BY(status, started_at) AS last_run_status,
  MAX_BY(error, started_at) AS last_run_error
FROM runs
HAVING COUNT(*) > 0;
