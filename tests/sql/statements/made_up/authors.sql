-- grain:       one row per author
-- key:         author_id
-- cluster by:  author_id
-- statistics:  author_id
-- erased with: person
-- texts:       about, labels
-- people:      email, boss
-- identifiers: author_id, content_policy
-- newest:      all
CREATE TABLE IF NOT EXISTS authors (
  author_id STRING COMMENT 'Author',
  email STRING COMMENT 'Who it is',
  boss STRING COMMENT 'Who is asked for leave',
  about STRING COMMENT 'A text',
  labels ARRAY<STRING> COMMENT 'A list of texts',
  content_policy STRING COMMENT 'Policy of the texts'
)
USING DELTA
COMMENT 'A made-up table about people.'
