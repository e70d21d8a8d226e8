-- grain: one row per row of the ledger that a selector names, the messages of a conversation together
-- Ids are separated by commas; '' stands for all of them.
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
WHERE (:workspace_ids = '' OR array_contains(split(:workspace_ids, ','), workspace_id))
  AND (:space_ids = '' OR array_contains(split(:space_ids, ','), space_id))
  AND (:conversation_ids = '' OR array_contains(split(:conversation_ids, ','), conversation_id))
  AND (:message_ids = '' OR array_contains(split(:message_ids, ','), message_id))
ORDER BY workspace_id, space_id, conversation_id, message_id
