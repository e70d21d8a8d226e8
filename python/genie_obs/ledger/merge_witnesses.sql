-- Record witnessed messages: new ones become pending, known ones get what is new about them.
-- A message that is reopened is asked for again: at once, and with all its attempts. One that still settles is asked for at once too.
-- The dates prune the ledger; a known message comes with the witnessed_date it already has.
-- INSERT names its columns: a newer version, or a person, may have added others to the ledger, and INSERT * would then be refused.
MERGE INTO message_ledger AS l
USING (
  SELECT
    *,
    'pending' AS state,
    CAST(NULL AS STRING) AS reason_code,
    CAST(NULL AS STRING) AS state_reason,
    CAST(NULL AS INT) AS http_status,
    0 AS attempts,
    CAST(NULL AS TIMESTAMP) AS next_attempt_at,
    CAST(NULL AS TIMESTAMP) AS last_attempt_at,
    CAST(NULL AS DATE) AS created_date,
    :updated_at AS updated_at
  FROM witnessed_messages
) AS w
ON l.workspace_id = w.workspace_id
  AND l.message_id = w.message_id
  AND l.witnessed_date = w.witnessed_date
  AND l.witnessed_date IN (:witnessed_dates)
WHEN MATCHED AND is_news(l, w) THEN UPDATE SET
  space_id = COALESCE(l.space_id, w.space_id),
  conversation_id = COALESCE(l.conversation_id, w.conversation_id),
  first_event_time = LEAST(l.first_event_time, w.first_event_time),
  last_write_event_time = GREATEST(l.last_write_event_time, w.last_write_event_time),
  witnesses = array_sort(array_union(l.witnesses, w.witnesses)),
  user_email = COALESCE(l.user_email, w.user_email),
  state = CASE WHEN is_reopened(l, w) THEN CASE WHEN l.created_date IS NULL THEN 'pending' ELSE 'settling' END ELSE l.state END,
  reason_code = CASE WHEN is_reopened(l, w) THEN 'changed' ELSE l.reason_code END,
  state_reason = CASE WHEN is_reopened(l, w) THEN 'changed after it was last read' ELSE l.state_reason END,
  attempts = CASE WHEN is_reopened(l, w) THEN 0 ELSE l.attempts END,
  next_attempt_at = CASE WHEN (is_final(l) OR l.state = 'settling') AND is_written_since(l, w) THEN CAST(NULL AS TIMESTAMP) ELSE l.next_attempt_at END,
  updated_at = w.updated_at
WHEN NOT MATCHED THEN INSERT (
  workspace_id, message_id, space_id, conversation_id, witnessed_date, first_event_time, last_write_event_time,
  witnesses, user_email, state, reason_code, state_reason, http_status, attempts, next_attempt_at, last_attempt_at,
  created_date, updated_at
) VALUES (
  w.workspace_id, w.message_id, w.space_id, w.conversation_id, w.witnessed_date, w.first_event_time,
  w.last_write_event_time, w.witnesses, w.user_email, w.state, w.reason_code, w.state_reason, w.http_status,
  w.attempts, w.next_attempt_at, w.last_attempt_at, w.created_date, w.updated_at
)
