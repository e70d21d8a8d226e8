-- grain: one row per space known so far
SELECT
  workspace_id,
  space_id,
  title,
  state,
  reason_code,
  state_reason,
  http_status,
  etag,
  space_updated_at,
  fetched_at,
  went_state,
  went_at,
  went_by
FROM space_details
WHERE is_in_scope(workspace_id, :workspace_ids)
