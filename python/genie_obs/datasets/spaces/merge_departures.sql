-- Keep with a space that it was trashed, deleted or restored, and change the reason of one that cannot be read.
MERGE INTO space_details AS s
USING departures AS d
ON s.workspace_id = d.workspace_id
  AND s.space_id = d.space_id
WHEN MATCHED AND (s.went_at IS NULL OR d.went_at > s.went_at) THEN UPDATE SET
  went_state = d.went_state,
  went_at = d.went_at,
  went_by = d.went_by,
  reason_code = CASE WHEN s.state = 'forbidden' THEN d.reason_code ELSE s.reason_code END,
  state_reason = CASE WHEN s.state = 'forbidden' THEN d.state_reason ELSE s.state_reason END
