-- grain:        one row per note about a message
-- key:          workspace_id, message_id, written_date
-- cluster by:   written_date
-- partition by: written_date
-- statistics:   workspace_id, message_id, written_date
-- erased with:  message
-- texts:        note, labels, detail as {}, fault
-- words:        mood
-- people:       author
-- identifiers:  workspace_id, message_id, place, tags, stage, joined_id, joined_name,
--               content_policy
-- newest:       stage, seen_at
-- once:         first_seen_at
-- quiet:        seen_at
-- joined on joined_id: joined_name, fault
-- update if:    new.seen_at >= old.seen_at OR old.seen_at > :latest_at
-- insert if:    NOT new.is_gone
-- rule best:    GREATEST(new.best, old.best)
CREATE TABLE IF NOT EXISTS notes (
  workspace_id STRING COMMENT 'Workspace',
  message_id STRING COMMENT 'Message that the note is about',
  written_date DATE COMMENT 'Day',
  author STRING COMMENT 'Who wrote it',
  note STRING COMMENT 'A text',
  labels ARRAY<STRING> COMMENT 'A list of texts',
  detail STRING COMMENT 'A text that is JSON',
  mood STRING COMMENT 'A word',
  place STRING COMMENT 'An identifier that is kept',
  tags ARRAY<STRING> COMMENT 'A list of identifiers',
  stage STRING COMMENT 'The newest counts',
  seen_at TIMESTAMP COMMENT 'The newest counts; no change by itself',
  first_seen_at TIMESTAMP COMMENT 'Set once',
  joined_id STRING COMMENT 'What is joined',
  joined_name STRING COMMENT 'Joined by a later step',
  fault STRING COMMENT 'A text that is joined by a later step',
  best BIGINT COMMENT 'Has a rule of its own',
  content_policy STRING COMMENT 'Policy of the texts'
)
USING DELTA
COMMENT 'A made-up table with every kind of column.'
