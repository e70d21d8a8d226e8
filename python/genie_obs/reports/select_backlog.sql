-- grain: one row: how many messages a run would ask for now; those of forbidden spaces wait and are left out
SELECT
  COUNT(*) AS due_count
FROM message_ledger AS l
WHERE is_open(l)
  AND state <> 'forbidden'
  AND (next_attempt_at IS NULL OR next_attempt_at <= :now)
  AND space_id IS NOT NULL
  AND conversation_id IS NOT NULL
  AND is_in_scope(workspace_id, :workspace_ids)
