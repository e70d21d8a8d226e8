-- Close messages for good: state erased is never reopened. What identifies the asker is removed if that was asked for.
MERGE INTO message_ledger AS l
USING erased AS e
ON l.workspace_id = e.workspace_id
  AND l.message_id = e.message_id
  AND l.witnessed_date = e.witnessed_date
  AND l.witnessed_date IN (:witnessed_dates)
WHEN MATCHED THEN UPDATE SET
  state = 'erased',
  reason_code = e.reason_code,
  state_reason = e.state_reason,
  user_email = CASE WHEN e.is_asker_erased THEN CAST(NULL AS STRING) ELSE l.user_email END,
  http_status = CAST(NULL AS INT),
  next_attempt_at = CAST(NULL AS TIMESTAMP),
  created_date = CASE WHEN e.is_row_erased THEN CAST(NULL AS DATE) ELSE COALESCE(l.created_date, e.created_date) END,
  updated_at = :updated_at
