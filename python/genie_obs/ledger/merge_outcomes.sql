-- Record what came of each request. A message found only in a listing enters the ledger here, with api:list as its witness.
-- Of two runs at once, the later request wins; an instant that is yet to come was written by a clock that was wrong.
-- An answer that was on its way while its message was erased changes nothing.
MERGE INTO message_ledger AS l
USING message_outcomes AS o
ON l.workspace_id = o.workspace_id
  AND l.message_id = o.message_id
  AND l.witnessed_date = o.witnessed_date
  AND l.witnessed_date IN (:witnessed_dates)
WHEN MATCHED
  AND l.state <> 'erased'
  AND (l.last_attempt_at IS NULL OR o.last_attempt_at >= l.last_attempt_at OR l.last_attempt_at > :latest_credible_at) THEN UPDATE SET
  -- A write that another run recorded since this message was found due: the answer may be older than it, and a message given up
  -- gets all its attempts again.
  state = CASE
    WHEN o.state IN ('fetched', 'deleted', 'not_found', 'abandoned')
      AND l.last_write_event_time > COALESCE(o.last_write_event_time, TIMESTAMP '1970-01-01 00:00:00+00:00')
      THEN CASE WHEN COALESCE(l.created_date, o.created_date) IS NULL THEN 'pending' ELSE 'settling' END
    ELSE o.state
  END,
  state_reason = o.state_reason,
  http_status = o.http_status,
  attempts = CASE
    WHEN o.state IN ('fetched', 'deleted', 'not_found', 'abandoned')
      AND l.last_write_event_time > COALESCE(o.last_write_event_time, TIMESTAMP '1970-01-01 00:00:00+00:00')
      THEN 0
    ELSE o.attempts
  END,
  next_attempt_at = o.next_attempt_at,
  last_attempt_at = o.last_attempt_at,
  created_date = COALESCE(l.created_date, o.created_date),
  updated_at = o.updated_at
WHEN NOT MATCHED THEN INSERT (
  workspace_id, message_id, space_id, conversation_id, witnessed_date, first_event_time, last_write_event_time, witnesses,
  user_email, state, state_reason, http_status, attempts, next_attempt_at, last_attempt_at, created_date, updated_at
) VALUES (
  o.workspace_id, o.message_id, o.space_id, o.conversation_id, o.witnessed_date, o.first_event_time, o.last_write_event_time, o.witnesses,
  CAST(NULL AS STRING), o.state, o.state_reason, o.http_status, o.attempts, o.next_attempt_at, o.last_attempt_at, o.created_date, o.updated_at
)
