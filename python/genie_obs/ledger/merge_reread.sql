-- Ask for messages again: at once, and with all their attempts. What is stored of them stays until the new answer comes.
-- Nothing else about them changes, so a message that is never asked for loses nothing. What was erased is never read again.
MERGE INTO message_ledger AS l
USING wanted_messages AS w
ON l.workspace_id = w.workspace_id
  AND l.message_id = w.message_id
  AND l.witnessed_date = w.witnessed_date
  AND l.witnessed_date IN (:witnessed_dates)
WHEN MATCHED AND l.state <> 'erased' THEN UPDATE SET
  state = CASE WHEN l.created_date IS NULL THEN 'pending' ELSE 'settling' END,
  reason_code = 'reread',
  state_reason = 'somebody asked with genie-obs reread that it is read again',
  attempts = 0,
  next_attempt_at = CAST(NULL AS TIMESTAMP),
  updated_at = :updated_at
