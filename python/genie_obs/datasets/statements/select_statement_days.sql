-- grain: one row per created_date with statements that are still looked for; sizes the slices of enrichment
-- A statement is looked for until it is final or 7 days after its message was last stored.
SELECT
  created_date,
  COUNT(*) AS message_count
FROM message_details
WHERE created_date >= :from_date
  AND statement_id IS NOT NULL
  AND NOT COALESCE(query_execution_status, '') IN ('FINISHED', 'FAILED', 'CANCELED')
  AND ingestion_timestamp >= :stored_since
GROUP BY created_date
ORDER BY created_date
