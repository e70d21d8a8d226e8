-- grain: one row per row of the ledger that a selector names, the messages of a conversation together
SELECT
  workspace_id,
  message_id,
  space_id,
  conversation_id,
  witnessed_date,
  first_event_time,
  state,
  created_date
FROM message_ledger
WHERE is_in_scope(workspace_id, :workspace_ids)
  AND is_in_scope(space_id, :space_ids)
  AND is_in_scope(conversation_id, :conversation_ids)
  AND is_in_scope(message_id, :message_ids)
ORDER BY workspace_id, space_id, conversation_id, message_id
