-- joined_events(e): events as they are once the two rows of one action know of each other. Some actions are logged as two rows with one
-- workspace_id and request_id: what was sent, and what was answered. For example, row 1 names the space, and row 2 the message in its
-- result. Then both rows get all ids, the row with the result keeps the kind, and the other is `other`, so that nothing counts twice.
-- Rows that name different messages are different actions. Joining joined rows changes nothing.
SELECT
  t.event_date, t.event_time, t.event_id, t.request_id, t.workspace_id, t.service, t.action,
  CASE WHEN t.is_part THEN CASE WHEN t.place = 1 THEN COALESCE(t.any_kind, t.kind) ELSE 'other' END ELSE t.kind END AS kind,
  t.is_read,
  t.is_accepted AND (t.are_accepted OR NOT t.is_part) AS is_accepted,
  t.status_code, t.error_message, t.actor, t.actor_kind, t.is_own, t.client, t.user_agent,
  CASE WHEN t.is_part THEN COALESCE(t.space_id, t.any_space_id) ELSE t.space_id END AS space_id,
  CASE WHEN t.is_part THEN COALESCE(t.conversation_id, t.any_conversation_id) ELSE t.conversation_id END AS conversation_id,
  CASE WHEN t.is_part THEN COALESCE(t.message_id, t.any_message_id) ELSE t.message_id END AS message_id,
  CASE WHEN t.is_part THEN COALESCE(t.comment_id, t.any_comment_id) ELSE t.comment_id END AS comment_id,
  CASE WHEN t.is_part THEN CASE WHEN t.place = 1 THEN t.any_rating END ELSE t.rating END AS rating,
  CASE WHEN t.is_part THEN CASE WHEN t.place = 1 THEN t.any_mode END ELSE t.conversation_mode END AS conversation_mode,
  t.has_result
FROM (
  SELECT
    s.*,
    s.part_count > 1 AND COALESCE(s.any_message_id = s.last_message_id, TRUE) AS is_part
  FROM (
    SELECT
      e.*,
      COUNT(*) OVER (PARTITION BY request_of(e)) AS part_count,
      ROW_NUMBER() OVER (PARTITION BY request_of(e) ORDER BY e.has_result DESC, e.status_code IS NULL, e.event_time DESC, e.event_id) AS place,
      MIN(CASE WHEN e.is_accepted THEN 1 ELSE 0 END) OVER (PARTITION BY request_of(e)) = 1 AS are_accepted,
      MAX(NULLIF(e.kind, 'other')) OVER (PARTITION BY request_of(e)) AS any_kind,
      MIN(e.space_id) OVER (PARTITION BY request_of(e)) AS any_space_id,
      MIN(e.conversation_id) OVER (PARTITION BY request_of(e)) AS any_conversation_id,
      MIN(e.message_id) OVER (PARTITION BY request_of(e)) AS any_message_id,
      MAX(e.message_id) OVER (PARTITION BY request_of(e)) AS last_message_id,
      MIN(e.comment_id) OVER (PARTITION BY request_of(e)) AS any_comment_id,
      MAX(e.rating) OVER (PARTITION BY request_of(e)) AS any_rating,
      MAX(e.conversation_mode) OVER (PARTITION BY request_of(e)) AS any_mode
    FROM e
  ) AS s
) AS t
