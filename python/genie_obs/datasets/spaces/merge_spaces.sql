-- A space that can no longer be read keeps the title and configuration it had. Texts that were erased stay away.
MERGE INTO space_details AS s
USING fetched_spaces AS f
ON s.workspace_id = f.workspace_id
  AND s.space_id = f.space_id
WHEN MATCHED AND f.fetched_at >= s.fetched_at THEN UPDATE SET
  title = COALESCE(f.title, s.title),
  description = CASE WHEN s.content_policy <=> 'erased' THEN s.description ELSE COALESCE(f.description, s.description) END,
  warehouse_id = COALESCE(f.warehouse_id, s.warehouse_id),
  parent_path = COALESCE(f.parent_path, s.parent_path),
  serialized_space = CASE
    WHEN s.content_policy <=> 'erased' THEN s.serialized_space
    ELSE COALESCE(f.serialized_space, s.serialized_space)
  END,
  space_created_at = COALESCE(f.space_created_at, s.space_created_at),
  space_updated_at = COALESCE(f.space_updated_at, s.space_updated_at),
  etag = COALESCE(f.etag, s.etag),
  state = f.state,
  state_reason = f.state_reason,
  http_status = f.http_status,
  fetched_at = f.fetched_at,
  updated_at = f.updated_at
WHEN NOT MATCHED THEN INSERT (
  workspace_id, space_id, title, description, warehouse_id, parent_path, serialized_space, space_created_at, space_updated_at,
  etag, state, state_reason, http_status, fetched_at, updated_at
) VALUES (
  f.workspace_id, f.space_id, f.title, f.description, f.warehouse_id, f.parent_path, f.serialized_space, f.space_created_at, f.space_updated_at,
  f.etag, f.state, f.state_reason, f.http_status, f.fetched_at, f.updated_at
)
