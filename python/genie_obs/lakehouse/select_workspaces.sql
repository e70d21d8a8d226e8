-- grain: one row per workspace of the account
SELECT
  workspace_id,
  workspace_name,
  workspace_url,
  status
FROM system.access.workspaces_latest
WHERE is_in_scope(workspace_id, :workspace_ids)
