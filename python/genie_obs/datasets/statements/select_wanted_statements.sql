-- grain: one row per stored message whose statement is still looked for
-- It is looked for until it is final or 7 days after its message was last stored.
SELECT
  workspace_id,
  message_id,
  space_id,
  statement_id,
  created_date,
  content_policy,
  query_execution_status
FROM message_details
WHERE created_date IN (:created_dates)
  AND statement_id IS NOT NULL
  AND NOT COALESCE(query_execution_status, '') IN ('FINISHED', 'FAILED', 'CANCELED')
  AND ingestion_timestamp >= :stored_since
