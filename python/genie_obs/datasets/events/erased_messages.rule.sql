-- erased_messages(l): the messages that are erased, one row each. Events that arrive later bring nothing back of them.
SELECT
  l.workspace_id,
  l.message_id,
  MAX(CASE WHEN l.reason_code = 'erased_texts' THEN 0 ELSE 1 END) = 1 AS is_actor_erased
FROM message_ledger AS l
WHERE l.state = 'erased'
GROUP BY l.workspace_id, l.message_id
