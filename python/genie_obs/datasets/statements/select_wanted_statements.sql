-- grain: one row per stored message whose statement is still looked for, in the order of their days
-- Either the message changed lately, or other runs stored it while nobody looked. This run has looked for what it stored itself.
SELECT
  workspace_id,
  message_id,
  space_id,
  statement_id,
  created_date,
  created_at,
  updated_timestamp,
  ingestion_timestamp,
  content_policy,
  query_execution_status
FROM message_details
WHERE created_date >= :from_date
  AND statement_id IS NOT NULL
  AND NOT COALESCE(query_execution_status, '') IN ('FINISHED', 'FAILED', 'CANCELED')
  AND (
    created_at >= :changed_since
    OR updated_timestamp >= :changed_since_ms
    OR (ingestion_timestamp >= :stored_since AND ingestion_batch_id <> :run_id)
  )
ORDER BY created_date
