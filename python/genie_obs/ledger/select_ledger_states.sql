-- grain: one row per workspace_id and state of the ledger
SELECT
  workspace_id,
  state,
  COUNT(*) AS message_count,
  SUM(CASE WHEN created_date IS NOT NULL THEN 1 ELSE 0 END) AS stored_count,
  SUM(CASE WHEN array_contains(witnesses, 'api:list') THEN 1 ELSE 0 END) AS listed_only_count,
  COUNT_IF(
    created_date IS NULL AND state = 'forbidden' AND COALESCE(reason_code, '') IN ('space_trashed', 'space_deleted')
  ) AS went_count,
  MIN(first_event_time) AS oldest_event_time
FROM message_ledger
WHERE is_in_scope(workspace_id, :workspace_ids)
GROUP BY workspace_id, state
ORDER BY workspace_id, state
