-- grain: one row per space that cannot be read although messages of it were witnessed
SELECT
  s.workspace_id,
  s.space_id,
  MAX(s.title) AS title,
  MAX(COALESCE(s.reason_code, 'no_permission')) AS reason_code,
  MAX(s.state_reason) AS state_reason,
  MAX(s.went_at) AS went_at,
  MAX(s.went_by) AS went_by,
  MIN(l.first_event_time) AS oldest_at,
  COUNT(*) AS message_count
FROM space_details AS s
INNER JOIN message_ledger AS l
  ON l.workspace_id = s.workspace_id
  AND l.space_id = s.space_id
WHERE s.state = 'forbidden'
  AND l.state = 'forbidden'
  AND is_in_scope(s.workspace_id, :workspace_ids)
GROUP BY s.workspace_id, s.space_id
ORDER BY message_count DESC, s.workspace_id, s.space_id
