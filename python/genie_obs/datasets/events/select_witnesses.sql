-- grain: one row per workspace_id and message_id mentioned by a stored Genie event of the days read
WITH stored AS (
  SELECT
    workspace_id,
    message_id,
    space_id,
    conversation_id,
    event_time,
    service,
    action,
    is_read,
    is_accepted,
    actor,
    is_own
  FROM genie_events
  WHERE event_date BETWEEN :from_date AND :until_date
    AND is_in_scope(workspace_id, :workspace_ids)
)
SELECT
  workspace_id,
  message_id,
  space_id,
  conversation_id,
  first_event_time,
  last_write_event_time,
  witnesses,
  user_email,
  is_creation_seen
FROM mentioned_messages(stored) AS mentioned
