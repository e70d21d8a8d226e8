-- grain: one row per ledger row of a message that has several, of the rows changed since an instant; the earliest of a message first
WITH counted AS (
  SELECT
    workspace_id,
    message_id,
    space_id,
    conversation_id,
    witnessed_date,
    first_event_time,
    last_write_event_time,
    witnesses,
    user_email,
    COUNT(*) OVER (PARTITION BY workspace_id, message_id) AS row_count
  FROM message_ledger
  WHERE updated_at >= :since
)
SELECT
  workspace_id,
  message_id,
  space_id,
  conversation_id,
  witnessed_date,
  first_event_time,
  last_write_event_time,
  witnesses,
  user_email
FROM counted
WHERE row_count > 1
ORDER BY workspace_id, message_id, witnessed_date
