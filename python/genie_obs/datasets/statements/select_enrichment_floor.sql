-- grain: one row: the earliest created_date that runs since an instant may have stored rows for; NULL if they stored none
-- A run that did not end well may have stored anything; the run that asks knows its own rows.
SELECT
  MIN(CASE WHEN status IN ('running', 'failed', 'killed') THEN DATE '1970-01-01' ELSE oldest_stored_date END) AS oldest_stored_date
FROM ingestion_runs
WHERE started_date >= :started_since
  AND run_id <> :run_id
