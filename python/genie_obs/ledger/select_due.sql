-- grain: one row per message that is due, conversations together, the newest first in each workspace
-- Only open states are read: final messages are reopened by discovery when a later event changes them.
WITH due AS (
  SELECT
    workspace_id,
    message_id,
    space_id,
    conversation_id,
    witnessed_date,
    first_event_time,
    last_write_event_time,
    user_email,
    state,
    attempts,
    created_date,
    array_contains(witnesses, 'deleteConversationMessage')
      OR array_contains(witnesses, 'genieDeleteConversationMessage')
      OR array_contains(witnesses, 'deleteConversation') AS is_deletion_seen,
    state = 'retry' AND reason_code <=> 'absent_once' AS is_absence_seen,
    (state = 'retry' AND reason_code <=> 'refused_once') OR (state = 'forbidden' AND reason_code <=> 'withheld') AS is_refusal_seen
  FROM message_ledger AS l
  WHERE is_open(l)
    AND (next_attempt_at IS NULL OR next_attempt_at <= :now)
    AND space_id IS NOT NULL
    AND conversation_id IS NOT NULL
    AND is_in_scope(workspace_id, :workspace_ids)
    AND is_in_scope(space_id, :space_ids)
)
SELECT
  workspace_id,
  message_id,
  space_id,
  conversation_id,
  witnessed_date,
  first_event_time,
  last_write_event_time,
  user_email,
  state,
  attempts,
  created_date,
  is_deletion_seen,
  is_absence_seen,
  is_refusal_seen,
  MAX(witnessed_date) OVER (PARTITION BY workspace_id, conversation_id) AS conversation_date
FROM due
ORDER BY workspace_id, conversation_date DESC, conversation_id, message_id
