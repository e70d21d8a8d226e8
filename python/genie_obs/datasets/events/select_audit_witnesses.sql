-- grain: one row per workspace_id and message_id mentioned by a Genie event of the audit log in the days read, stored or not
WITH found AS audit_events(a),
joined AS joined_events(found)
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
FROM mentioned_messages(joined) AS mentioned
