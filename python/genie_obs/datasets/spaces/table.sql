-- grain:        one row per workspace_id and space_id
-- key:          workspace_id, space_id
-- cluster by:   workspace_id, space_id
-- statistics:   workspace_id, space_id, fetched_at, updated_at
-- sources:      access.audit
-- erased with:  space, person
-- texts:        description, parent_path, serialized_space as {}
-- people:       went_by
-- identifiers:  workspace_id, space_id, title, warehouse_id, content_policy, etag, state, reason_code, state_reason, went_state
-- newest:       state, reason_code, state_reason, http_status, fetched_at, updated_at
-- update if:    new.fetched_at >= old.fetched_at
CREATE TABLE IF NOT EXISTS space_details (
  workspace_id STRING COMMENT 'Workspace of the space',
  space_id STRING COMMENT 'Id of the Genie space',
  title STRING COMMENT 'Title of the space; the last one known when it can no longer be read',
  description STRING COMMENT 'Description of the space',
  warehouse_id STRING COMMENT 'SQL warehouse the space runs its statements on',
  parent_path STRING COMMENT 'Workspace folder of the space',
  serialized_space STRING COMMENT 'Whole configuration as JSON text; NULL without CAN EDIT on the space',
  content_policy STRING COMMENT 'erased when description and configuration were removed by genie-obs erase: they are not read again; else NULL',
  space_created_at TIMESTAMP COMMENT 'When the space was created (UTC); NULL when the API does not say',
  space_updated_at TIMESTAMP COMMENT 'When the space was last changed (UTC); NULL when the API does not say',
  etag STRING COMMENT 'Version tag of the space as given by the API',
  state STRING COMMENT 'readable or forbidden (403, or 404: not shared with the service principal, or gone)',
  state_reason STRING COMMENT 'Why it cannot be read, and what to do',
  http_status INT COMMENT 'HTTP status of the last answer about the space',
  fetched_at TIMESTAMP COMMENT 'When the space was last asked for (UTC)',
  updated_at TIMESTAMP COMMENT 'Last change of this row (UTC)',
  reason_code STRING COMMENT 'Why it cannot be read: no_permission, space_trashed or space_deleted; NULL when it can',
  went_state STRING COMMENT 'trashed, deleted or restored: the last such event of the audit log; NULL without one',
  went_at TIMESTAMP COMMENT 'When that happened (UTC)',
  went_by STRING COMMENT 'Who trashed or deleted it; NULL where unknown, restored or erased'
)
USING DELTA
COMMENT 'Genie spaces: title, description, warehouse and configuration as last read. One row per workspace_id and space_id.'
