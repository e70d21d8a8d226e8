-- grain: one row per message of the ledger that a selector names and of which something is left to erase
-- Selectors not given are '' and a day far ahead; given ones must all hold. A person is named by e-mail, or by id as in user_id.
-- A message whose asker's e-mail is unknown counts too, if its user_id has that e-mail elsewhere in the workspace.
WITH ids_of_person AS (
  SELECT DISTINCT
    workspace_id,
    user_id
  FROM message_details
  WHERE :user <> ''
    AND user_id IS NOT NULL
    AND (user_id = :user OR lower(user_email) = :user)
)
SELECT
  l.workspace_id,
  l.message_id,
  l.witnessed_date,
  d.created_date,
  d.message_id IS NOT NULL AS is_stored
FROM message_ledger AS l
LEFT JOIN message_details AS d
  ON d.workspace_id = l.workspace_id
  AND d.message_id = l.message_id
LEFT JOIN ids_of_person AS p
  ON p.workspace_id = d.workspace_id
  AND p.user_id = d.user_id
WHERE is_in_scope(l.workspace_id, :workspace_ids)
  AND (:space_id = '' OR COALESCE(d.space_id, l.space_id) = :space_id)
  AND COALESCE(d.created_date, l.created_date, l.witnessed_date) < :before_date
  AND (
    :user = ''
    OR lower(COALESCE(d.user_email, l.user_email)) = :user
    OR lower(l.user_email) = :user
    OR d.user_id = :user
    OR (p.user_id IS NOT NULL AND d.user_email IS NULL)
  )
  AND (
    l.state <> 'erased'
    OR :user <> ''
    OR (d.message_id IS NOT NULL AND (:is_row_erased OR NOT d.content_policy <=> 'erased'))
  )
ORDER BY l.witnessed_date, l.workspace_id, l.message_id
