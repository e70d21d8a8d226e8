-- grain: one row per message erased lately whose texts, or row, a run stored all the same: its answer was on its way meanwhile
-- In a table that an older version made a row has no code yet: then all goes that may have been asked to go.
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
