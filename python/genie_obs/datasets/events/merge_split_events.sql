-- Complete rows of one action that were stored before the other row of it was there. Days with both are read from the table itself.
MERGE INTO genie_events AS old
USING (
  WITH stored AS (
    SELECT
      *
    FROM genie_events
    WHERE event_date IN (:event_dates)
  )
  SELECT
    joined.*,
    m.message_id IS NOT NULL AS is_erased,
    COALESCE(m.is_actor_erased, FALSE) AS is_actor_erased
  FROM joined_events(stored) AS joined
  LEFT JOIN erased_messages(l) AS m
    ON m.workspace_id = joined.workspace_id
    AND m.message_id = joined.message_id
) AS new
ON old.event_id = new.event_id
  AND old.event_date = new.event_date
  AND old.event_date IN (:event_dates)
WHEN MATCHED AND NOT (
  new.kind = old.kind
  AND new.is_accepted = old.is_accepted
  AND new.space_id <=> old.space_id
  AND new.conversation_id <=> old.conversation_id
  AND new.message_id <=> old.message_id
  AND new.comment_id <=> old.comment_id
  AND new.rating <=> old.rating
  AND new.conversation_mode <=> old.conversation_mode
) THEN UPDATE SET
  kind = new.kind,
  is_accepted = new.is_accepted,
  actor = CASE WHEN new.is_actor_erased THEN CAST(NULL AS STRING) ELSE old.actor END,
  error_message = CASE WHEN new.is_erased AND old.error_message IS NOT NULL THEN '[not kept]' ELSE old.error_message END,
  space_id = new.space_id,
  conversation_id = new.conversation_id,
  message_id = new.message_id,
  comment_id = new.comment_id,
  rating = new.rating,
  conversation_mode = new.conversation_mode
