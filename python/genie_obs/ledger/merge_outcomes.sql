-- Record the outcome of each request. A message found only in a listing enters the ledger here; only such rows have a witness, api:list.
-- If two runs work at once, the later request wins. A stored instant in the future was written by a wrong clock.
-- An answer changes nothing if its message was erased meanwhile, or if it is for a second row that was removed (twins.py).
-- An answer from before somebody asked for the message again changes nothing either: that request is still to be met.
-- A write that another run recorded since this message was found due reopens it: the answer may be older than that write.
MERGE INTO message_ledger AS l
USING (SELECT *, CAST(NULL AS STRING) AS user_email FROM message_outcomes) AS o
ON l.workspace_id = o.workspace_id
  AND l.message_id = o.message_id
  AND l.witnessed_date = o.witnessed_date
  AND l.witnessed_date IN (:witnessed_dates)
WHEN MATCHED
  AND l.state <> 'erased'
  AND (l.last_attempt_at IS NULL OR o.last_attempt_at >= l.last_attempt_at OR l.last_attempt_at > :latest_credible_at)
  AND NOT (l.reason_code <=> 'reread' AND o.last_attempt_at < l.updated_at AND l.updated_at <= :latest_credible_at) THEN UPDATE SET
  state = CASE
    WHEN is_reopened(o, l) THEN CASE WHEN COALESCE(l.created_date, o.created_date) IS NULL THEN 'pending' ELSE 'settling' END
    ELSE o.state
  END,
  reason_code = CASE WHEN is_reopened(o, l) THEN 'changed' ELSE o.reason_code END,
  state_reason = CASE WHEN is_reopened(o, l) THEN 'changed after it was last read' ELSE o.state_reason END,
  http_status = o.http_status,
  attempts = CASE WHEN is_reopened(o, l) THEN 0 ELSE o.attempts END,
  next_attempt_at = o.next_attempt_at,
  last_attempt_at = o.last_attempt_at,
  created_date = COALESCE(l.created_date, o.created_date),
  updated_at = o.updated_at
WHEN NOT MATCHED AND o.witnesses IS NOT NULL THEN INSERT (
  workspace_id, message_id, space_id, conversation_id, witnessed_date, first_event_time, last_write_event_time,
  witnesses, user_email, state, reason_code, state_reason, http_status, attempts, next_attempt_at, last_attempt_at,
  created_date, updated_at
) VALUES (
  o.workspace_id, o.message_id, o.space_id, o.conversation_id, o.witnessed_date, o.first_event_time,
  o.last_write_event_time, o.witnesses, o.user_email, o.state, o.reason_code, o.state_reason, o.http_status,
  o.attempts, o.next_attempt_at, o.last_attempt_at, o.created_date, o.updated_at
)
