-- grain:        one row per erasure
-- key:          erasure_id
-- cluster by:   started_at
-- statistics:   erasure_id, started_at
-- identifiers:  erasure_id, status, requested_by, run_id, version, engine, user_hash, space_id, workspace_ids, versions_before,
--               versions_after
-- newest:       all
CREATE TABLE IF NOT EXISTS erasures (
  erasure_id STRING COMMENT 'Id of the erasure',
  started_at TIMESTAMP COMMENT 'When it began (UTC)',
  finished_at TIMESTAMP COMMENT 'When it ended (UTC); NULL while it runs or when it was killed: run it again',
  status STRING COMMENT 'running, done or failed',
  requested_by STRING COMMENT 'Who ran it: user of the engine, else of the operating system',
  run_id STRING COMMENT 'Run of the job whose retention this was; NULL for genie-obs erase',
  version STRING COMMENT 'Version of genie-obs',
  engine STRING COMMENT 'Table engine: local, databricks or connect',
  user_hash STRING COMMENT 'SHA-256, hexadecimal, of erasure_id, a colon and the erased person (e-mail in small letters, or id), so that the receipt does not name whom it forgot; NULL when no person was named',
  space_id STRING COMMENT 'Space that was erased; NULL when none was named',
  before_date DATE COMMENT 'Messages asked before this day (UTC) were erased; NULL when no age was named',
  workspace_ids ARRAY<STRING> COMMENT 'Workspaces the erasure was limited to; NULL means all',
  is_row_erased BOOLEAN COMMENT 'Whether rows went as a whole; else texts went, and times, states and counts stayed',
  message_count BIGINT COMMENT 'Messages closed in the ledger, not to be read again',
  stored_count BIGINT COMMENT 'Of these: rows of message_details that lost their texts or went',
  space_count BIGINT COMMENT 'Spaces that lost description and configuration',
  unknown_asker_count BIGINT COMMENT 'Messages not read yet whose asker nobody knows: they may turn out to be of the person; erase again once they are read',
  versions_before ARRAY<STRING> COMMENT 'Table versions before, as message_details=12',
  versions_after ARRAY<STRING> COMMENT 'Table versions after: older ones still hold the texts until they are vacuumed',
  is_vacuumed BOOLEAN COMMENT 'Whether files of older versions were removed at once'
)
USING DELTA
COMMENT 'Receipts: what was erased, when, by whom and how much. One row per erasure, none of what was erased.'
