-- grain: one row: how far earlier runs of the same or a wider scope have read the audit log, and since when
-- watermark_after is written when discovery is committed, so runs that failed later still count.
SELECT
  MAX(watermark_after) AS watermark,
  MIN(window_start) AS covered_since
FROM ingestion_runs
WHERE watermark_after IS NOT NULL
  AND (
    workspace_ids IS NULL
    OR (:workspace_ids <> '' AND size(array_except(split(:workspace_ids, ','), workspace_ids)) = 0)
  )
