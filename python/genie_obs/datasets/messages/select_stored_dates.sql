-- grain: one row per message of the relation wanted_messages that message_details holds
-- The bounds of message_id let engines skip files by their statistics.
SELECT
  d.workspace_id,
  d.message_id,
  d.created_date
FROM message_details AS d
INNER JOIN wanted_messages AS w
  ON d.workspace_id = w.workspace_id
  AND d.message_id = w.message_id
WHERE d.message_id >= :first_message_id
  AND d.message_id <= :last_message_id
