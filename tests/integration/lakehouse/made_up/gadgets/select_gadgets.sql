-- grain: one row per stored message: what a gadget is made of
SELECT
  workspace_id,
  message_id,
  space_id,
  user_email AS maker,
  content AS note
FROM message_details
WHERE content_policy <> 'erased'
