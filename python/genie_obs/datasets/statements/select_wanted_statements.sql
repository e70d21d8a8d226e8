-- grain: one row per stored message whose statement is still looked for
SELECT
  workspace_id,
  message_id,
  space_id,
  statement_id,
  created_date,
  content_policy,
  query_execution_status
FROM message_details AS d
WHERE created_date IN (:created_dates)
  AND is_looked_for(d)
