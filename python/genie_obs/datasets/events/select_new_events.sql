-- grain: one row per Genie event of the audit log in the days read, as genie_events stores it
-- What was erased does not come back with an event that arrives later.
WITH found AS audit_events(a),
events AS (
  SELECT
    *
  FROM found
  WHERE copy_number = 1
),
erased_messages AS (
  SELECT
    workspace_id,
    message_id,
    MAX(CASE WHEN reason_code = 'erased_texts' THEN 0 ELSE 1 END) = 1 AS is_actor_erased
  FROM message_ledger
  WHERE state = 'erased'
  GROUP BY workspace_id, message_id
)
SELECT
  j.event_date,
  j.event_time,
  j.event_id,
  j.request_id,
  j.workspace_id,
  j.service,
  j.action,
  j.kind,
  j.is_read,
  j.is_accepted,
  j.status_code,
  CASE WHEN m.message_id IS NOT NULL AND j.error_message IS NOT NULL THEN '[not kept]' ELSE j.error_message END AS error_message,
  CASE WHEN m.is_actor_erased THEN CAST(NULL AS STRING) ELSE j.actor END AS actor,
  j.actor_kind,
  j.is_own,
  j.client,
  j.user_agent,
  j.space_id,
  j.conversation_id,
  j.message_id,
  j.comment_id,
  j.rating,
  j.conversation_mode,
  j.has_result,
  :ingested_at AS ingestion_timestamp
FROM joined_events(events) AS j
LEFT JOIN erased_messages AS m
  ON m.workspace_id = j.workspace_id
  AND m.message_id = j.message_id
