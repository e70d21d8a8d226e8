-- grain: one row per message erased lately whose texts, or row, a run stored all the same: its answer was on its way meanwhile
-- A row that an older version wrote may have no code yet: then its texts and its asker are erased.
SELECT
  l.workspace_id,
  l.message_id,
  l.witnessed_date,
  d.created_date,
  COALESCE(l.reason_code, 'erased_texts_and_asker') AS reason_code
FROM message_ledger AS l
INNER JOIN message_details AS d
  ON d.workspace_id = l.workspace_id
  AND d.message_id = l.message_id
WHERE l.state = 'erased'
  AND l.updated_at >= :since
  AND (l.created_date IS NULL OR NOT d.content_policy <=> 'erased')
