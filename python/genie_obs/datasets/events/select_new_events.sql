-- grain: one row per Genie event of the audit log in the days read, as genie_events stores it
-- What was erased does not come back with an event that arrives later.
WITH found AS audit_events(a),
events AS (
  SELECT
    *
  FROM found
  WHERE copy_number = 1
)
SELECT
  e.event_date,
  e.event_time,
  e.event_id,
  e.request_id,
  e.workspace_id,
  e.service,
  e.action,
  e.kind,
  e.is_read,
  e.is_accepted,
  e.status_code,
  CASE WHEN m.message_id IS NOT NULL AND e.error_message IS NOT NULL THEN '[not kept]' ELSE e.error_message END AS error_message,
  CASE WHEN m.is_actor_erased THEN CAST(NULL AS STRING) ELSE e.actor END AS actor,
  e.actor_kind,
  e.is_own,
  e.client,
  e.user_agent,
  e.space_id,
  e.conversation_id,
  e.message_id,
  e.comment_id,
  e.rating,
  e.conversation_mode,
  e.has_result,
  :ingested_at AS ingestion_timestamp
FROM events AS e
LEFT JOIN erased_messages(l) AS m
  ON m.workspace_id = e.workspace_id
  AND m.message_id = e.message_id
