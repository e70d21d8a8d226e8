-- grain: one row per conversation of the relation busy_conversations of which more is known than its due_count of due messages:
-- how many messages the ledger knows, and which of them are final
-- Looks back only as far as the oldest due message: sizes only help to choose calls, so they need not be exact.
SELECT
  l.workspace_id,
  l.conversation_id,
  COUNT(*) AS message_count,
  collect_set(CASE WHEN is_final(l) OR l.state = 'erased' THEN l.message_id END) AS final_message_ids
FROM message_ledger AS l
INNER JOIN busy_conversations AS c
  ON l.workspace_id = c.workspace_id
  AND l.conversation_id = c.conversation_id
WHERE l.witnessed_date >= :from_date
GROUP BY l.workspace_id, l.conversation_id
HAVING COUNT(*) > MAX(c.due_count)
