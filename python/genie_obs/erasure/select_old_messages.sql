-- grain: one row: how many messages of the ledger are older than a day and not erased
SELECT
  COUNT(*) AS message_count
FROM message_ledger
WHERE state <> 'erased'
  AND COALESCE(created_date, witnessed_date) < :before_date
  AND is_in_scope(workspace_id, :workspace_ids)
