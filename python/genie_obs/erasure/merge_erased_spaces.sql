-- Remove what a space says about itself, its title excepted; later readings of the space do not bring it back.
MERGE INTO space_details AS s
USING erased_spaces AS e
ON s.workspace_id = e.workspace_id
  AND s.space_id = e.space_id
WHEN MATCHED THEN UPDATE SET
  description = CASE WHEN s.description IS NULL THEN s.description ELSE '[not kept]' END,
  serialized_space = CASE WHEN s.serialized_space IS NULL THEN s.serialized_space ELSE '{}' END,
  content_policy = 'erased',
  updated_at = :updated_at
