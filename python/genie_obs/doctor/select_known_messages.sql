-- grain: one row per workspace_id: the message that was read last in Genie in the days read; polling names all three ids
WITH polls AS (
  SELECT
    workspace_id,
    request_params['space_id'] AS space_id,
    request_params['conversation_id'] AS conversation_id,
    request_params['message_id'] AS message_id,
    ROW_NUMBER() OVER (PARTITION BY workspace_id ORDER BY event_time DESC) AS position
  FROM system.access.audit
  WHERE service_name = 'aibiGenie'
    AND event_date >= :from_date
    AND action_name IN ('getConversationMessage', 'genieGetConversationMessage')
    AND COALESCE(response.status_code, 200) BETWEEN 200 AND 299
    AND request_params['space_id'] IS NOT NULL
    AND request_params['conversation_id'] IS NOT NULL
    AND request_params['message_id'] IS NOT NULL
)
SELECT
  workspace_id,
  space_id,
  conversation_id,
  message_id
FROM polls
WHERE position = 1
