-- grain: one row: how many messages in scope have no known asker yet and may turn out to be somebody's when they are read
SELECT
  COUNT(*) AS message_count
FROM message_ledger AS l
WHERE is_open(l)
  AND created_date IS NULL
  AND user_email IS NULL
  AND is_in_scope(workspace_id, :workspace_ids)
  AND (:space_id = '' OR COALESCE(space_id, :space_id) = :space_id)
  AND witnessed_date < :before_date
