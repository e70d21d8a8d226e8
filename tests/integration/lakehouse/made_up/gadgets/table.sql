-- grain:        one row per message with a gadget
-- key:          workspace_id, message_id
-- cluster by:   workspace_id, message_id
-- statistics:   workspace_id, message_id
-- sources:      query.history
-- retention:    retention_days
-- erased with:  message
-- texts:        note, labels, detail_json as {}
-- people:       maker
-- identifiers:  workspace_id, message_id, content_policy
-- newest:       seen_count
-- once:         first_seen_at
CREATE TABLE IF NOT EXISTS gadgets (
  workspace_id STRING COMMENT 'Workspace of the message',
  message_id STRING COMMENT 'Id of the message',
  maker STRING COMMENT 'Who made the gadget',
  note STRING COMMENT 'What the gadget is for',
  labels ARRAY<STRING> COMMENT 'Words about the gadget',
  detail_json STRING COMMENT 'The gadget as JSON',
  content_policy STRING COMMENT 'Policy the texts were written under; erased where somebody removed them',
  seen_count BIGINT COMMENT 'How often it was seen when it was last seen',
  first_seen_at TIMESTAMP COMMENT 'When it was first seen (UTC)'
)
USING DELTA
COMMENT 'Gadgets: a made-up table. One row per message with a gadget.'
