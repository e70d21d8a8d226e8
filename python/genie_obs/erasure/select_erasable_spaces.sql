-- grain: one row per space of an id, in the workspaces in scope, whose texts are not erased yet
SELECT
  workspace_id,
  space_id
FROM space_details
WHERE space_id = :space_id
  AND NOT content_policy <=> 'erased'
  AND is_in_scope(workspace_id, :workspace_ids)
