-- grain: one row per workspace of the account
SELECT
  workspace_id,
  workspace_name,
  workspace_url,
  status
FROM system.access.workspaces_latest
WHERE :workspace_ids = '' OR array_contains(split(:workspace_ids, ','), workspace_id)
