-- Messages that may not be read take the reason of their space, which went or came back. After a restore they are due at once.
MERGE INTO message_ledger AS l
USING departures AS d
ON l.workspace_id = d.workspace_id
  AND l.space_id = d.space_id
WHEN MATCHED AND l.state = 'forbidden' THEN UPDATE SET
  reason_code = d.reason_code,
  state_reason = d.state_reason,
  next_attempt_at = CASE WHEN d.went_state = 'restored' THEN NULL ELSE l.next_attempt_at END
