-- grain: one row per conversation deleted as a whole in the days read; such an event names no message
SELECT
  workspace_id,
  conversation_id,
  MAX(event_time) AS deleted_at
FROM genie_events
WHERE service = 'aibiGenie'
  AND action IN ('deleteConversation', 'genieDeleteConversation')
  AND event_date BETWEEN :from_date AND :until_date
  AND is_in_scope(workspace_id, :workspace_ids)
  AND is_accepted
  AND conversation_id IS NOT NULL
GROUP BY workspace_id, conversation_id
