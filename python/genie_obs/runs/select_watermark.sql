-- grain: one row: how far earlier runs of the same or a wider scope have read the audit log, and since when
-- Runs that stored events say how many came late. Those of older versions stored none.
-- watermark_after is written when discovery is committed, so runs that failed later still count.
SELECT
  MAX(watermark_after) AS watermark,
  MIN(window_start) AS covered_since,
  MIN(CASE WHEN late_event_count IS NOT NULL THEN window_start END) AS events_since,
  MAX(CASE WHEN late_event_count IS NOT NULL THEN started_at END) AS recorded_at
FROM ingestion_runs
WHERE watermark_after IS NOT NULL
  AND (
    workspace_ids IS NULL
    OR (:workspace_ids <> '' AND size(array_except(split(:workspace_ids, ','), workspace_ids)) = 0)
  )
