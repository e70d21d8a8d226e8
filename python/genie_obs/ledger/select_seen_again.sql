-- grain: one row per message of the relation witnessed_messages that the ledger knows, in a range of witnessed_date
-- Events are compared with the ledger here, so that only news is merged: a MERGE is expensive even if it changes nothing.
-- The bounds of message_id let engines skip files by their statistics.
SELECT
  l.workspace_id,
  l.message_id,
  l.witnessed_date,
  l.state,
  l.created_date,
  is_news(l, w) AS is_news,
  COALESCE((is_final(l) OR l.state = 'settling') AND is_written_since(l, w), FALSE) AS is_due_again
FROM message_ledger AS l
INNER JOIN witnessed_messages AS w
  ON l.workspace_id = w.workspace_id
  AND l.message_id = w.message_id
WHERE l.witnessed_date >= :from_date
  AND l.witnessed_date < :until_date
  AND l.message_id >= :first_message_id
  AND l.message_id <= :last_message_id
