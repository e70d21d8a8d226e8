-- grain: one row per message of the relation wanted_messages that the ledger knows, in a range of witnessed_date
-- The bounds of message_id let engines skip files by their statistics.
SELECT
  l.workspace_id,
  l.message_id,
  l.witnessed_date
FROM message_ledger AS l
INNER JOIN wanted_messages AS w
  ON l.workspace_id = w.workspace_id
  AND l.message_id = w.message_id
WHERE l.witnessed_date >= :from_date
  AND l.witnessed_date < :until_date
  AND l.message_id >= :first_message_id
  AND l.message_id <= :last_message_id
