-- Record who was seen: new messages become pending, known ones learn what is new about them.
-- A write event later than every one known so far reopens a message that was final. Events are compared with events only: the
-- clock of the job that read the message may have been wrong. Nothing new changes nothing.
-- What was erased stays as it is: an event must bring back neither the message nor who asked it.
-- The dates prune the ledger; a known message comes with the witnessed_date it already has.
MERGE INTO message_ledger AS l
USING witnessed_messages AS w
ON l.workspace_id = w.workspace_id
  AND l.message_id = w.message_id
  AND l.witnessed_date = w.witnessed_date
  AND l.witnessed_date IN (:witnessed_dates)
WHEN MATCHED AND l.state <> 'erased' AND (
  w.first_event_time < l.first_event_time
  OR w.last_write_event_time > l.last_write_event_time
  OR (w.last_write_event_time IS NOT NULL AND l.last_write_event_time IS NULL)
  OR size(array_except(w.witnesses, l.witnesses)) > 0
  OR (w.space_id IS NOT NULL AND l.space_id IS NULL)
  OR (w.conversation_id IS NOT NULL AND l.conversation_id IS NULL)
  OR (w.user_email IS NOT NULL AND l.user_email IS NULL)
) THEN UPDATE SET
  space_id = COALESCE(l.space_id, w.space_id),
  conversation_id = COALESCE(l.conversation_id, w.conversation_id),
  first_event_time = LEAST(l.first_event_time, w.first_event_time),
  last_write_event_time = GREATEST(l.last_write_event_time, w.last_write_event_time),
  witnesses = array_sort(array_union(l.witnesses, w.witnesses)),
  user_email = COALESCE(l.user_email, w.user_email),
  state = CASE
    WHEN l.state IN ('fetched', 'deleted', 'not_found', 'abandoned')
      AND w.last_write_event_time > COALESCE(l.last_write_event_time, TIMESTAMP '1970-01-01 00:00:00+00:00')
      THEN CASE WHEN l.created_date IS NULL THEN 'pending' ELSE 'settling' END
    ELSE l.state
  END,
  state_reason = CASE
    WHEN l.state IN ('fetched', 'deleted', 'not_found', 'abandoned')
      AND w.last_write_event_time > COALESCE(l.last_write_event_time, TIMESTAMP '1970-01-01 00:00:00+00:00')
      THEN 'changed after it was last read'
    ELSE l.state_reason
  END,
  attempts = CASE
    WHEN l.state IN ('fetched', 'deleted', 'not_found', 'abandoned')
      AND w.last_write_event_time > COALESCE(l.last_write_event_time, TIMESTAMP '1970-01-01 00:00:00+00:00')
      THEN 0
    ELSE l.attempts
  END,
  next_attempt_at = CASE
    WHEN l.state IN ('fetched', 'deleted', 'not_found', 'abandoned', 'settling')
      AND w.last_write_event_time > COALESCE(l.last_write_event_time, TIMESTAMP '1970-01-01 00:00:00+00:00')
      THEN CAST(NULL AS TIMESTAMP)
    ELSE l.next_attempt_at
  END,
  updated_at = :updated_at
WHEN NOT MATCHED THEN INSERT (
  workspace_id, message_id, space_id, conversation_id, witnessed_date, first_event_time, last_write_event_time, witnesses,
  user_email, state, state_reason, http_status, attempts, next_attempt_at, last_attempt_at, created_date, updated_at
) VALUES (
  w.workspace_id, w.message_id, w.space_id, w.conversation_id, w.witnessed_date, w.first_event_time, w.last_write_event_time, w.witnesses,
  w.user_email, 'pending', CAST(NULL AS STRING), CAST(NULL AS INT), 0, CAST(NULL AS TIMESTAMP), CAST(NULL AS TIMESTAMP), CAST(NULL AS DATE),
  :updated_at
)
