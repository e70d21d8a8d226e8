-- grain: one row per conversation deleted as a whole in the days read; such an event names no message
SELECT
  workspace_id,
  request_params['conversation_id'] AS conversation_id,
  MAX(event_time) AS deleted_at
FROM system.access.audit
WHERE service_name = 'aibiGenie'
  AND action_name IN ('deleteConversation', 'genieDeleteConversation')
  AND event_date BETWEEN :from_date AND :until_date
  AND is_in_scope(workspace_id, :workspace_ids)
  AND COALESCE(response.status_code, 200) BETWEEN 200 AND 299
  AND NULLIF(request_params['conversation_id'], '') IS NOT NULL
GROUP BY workspace_id, request_params['conversation_id']
