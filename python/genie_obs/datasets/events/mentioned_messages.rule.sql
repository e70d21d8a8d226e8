-- mentioned_messages(e): one row per workspace_id and message_id that events mention, as witnesses for the ledger.
-- Every action counts, UI and API names alike, known today or not. Our own reads are not activity. A question our service principal asked
-- elsewhere is a message like any other. A refused event proves that the message exists only if it names it in full. A message id is no
-- JSON value. (The local engine takes collect_list several times as fast as collect_set.)
SELECT
  e.workspace_id,
  e.message_id,
  MIN(e.space_id) AS space_id,
  MIN(e.conversation_id) AS conversation_id,
  MIN(e.event_time) AS first_event_time,
  MAX(CASE WHEN e.is_accepted AND NOT e.is_read THEN e.event_time END) AS last_write_event_time,
  array_sort(array_distinct(collect_list(e.action))) AS witnesses,
  MIN(CASE WHEN e.is_accepted AND is_creation(e) THEN e.actor END) AS user_email,
  MAX(CASE WHEN e.is_accepted AND is_creation(e) THEN 1 ELSE 0 END) = 1 AS is_creation_seen
FROM e
WHERE LEFT(e.message_id, 1) NOT IN ('{', '[')
  AND e.service = 'aibiGenie'
  AND NOT e.is_own
  AND (e.is_accepted OR (e.space_id IS NOT NULL AND e.conversation_id IS NOT NULL))
GROUP BY e.workspace_id, e.message_id
