-- grain: one row per ledger row of the conversations in the relation deleted_conversations
SELECT
  l.workspace_id,
  l.message_id,
  l.space_id,
  l.conversation_id,
  l.witnessed_date,
  l.first_event_time,
  c.deleted_at AS last_write_event_time
FROM message_ledger AS l
INNER JOIN deleted_conversations AS c
  ON l.workspace_id = c.workspace_id
  AND l.conversation_id = c.conversation_id
