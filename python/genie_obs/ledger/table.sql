-- grain:        one row per workspace_id and message_id ever witnessed
-- key:          workspace_id, message_id, witnessed_date
-- cluster by:   state, witnessed_date, workspace_id
-- partition by: state, witnessed_date
-- statistics:   workspace_id, message_id, space_id, conversation_id, witnessed_date, first_event_time, state, next_attempt_at, created_date, updated_at
-- sources:      access.audit
-- erased with:  state
-- people:       user_email
-- identifiers:  workspace_id, message_id, space_id, conversation_id, witnesses, state, reason_code, state_reason
CREATE TABLE IF NOT EXISTS message_ledger (
  workspace_id STRING COMMENT 'Workspace of the message',
  message_id STRING COMMENT 'Id of the message',
  space_id STRING COMMENT 'Genie space; NULL while no event named it',
  conversation_id STRING COMMENT 'Conversation; NULL while no event named it',
  witnessed_date DATE COMMENT 'UTC day of the earliest event known when the message was first witnessed; never changes',
  first_event_time TIMESTAMP COMMENT 'Earliest event that mentions the message (UTC)',
  last_write_event_time TIMESTAMP COMMENT 'Latest accepted event that changed the message (UTC); reads do not count',
  witnesses ARRAY<STRING> COMMENT 'Audit action names that mention the message; api:list for one found only in the listing of its conversation',
  user_email STRING COMMENT 'E-mail of the asker from the event that created the message; NULL when that event was not seen',
  state STRING COMMENT 'pending, fetched, settling, retry, forbidden, deleted, not_found, abandoned or erased; exactly one at any time',
  reason_code STRING COMMENT 'Cause of the state, for machines: one of a closed list, see Reason codes; NULL where the state says it all',
  state_reason STRING COMMENT 'Why the message is in this state and what to do about it, for people',
  http_status INT COMMENT 'HTTP status of the last answer about this message; NULL when there was none',
  attempts INT COMMENT 'Requests for the message since it was last answered, the answered one included; 0 before the first',
  next_attempt_at TIMESTAMP COMMENT 'Not asked for again before this instant (UTC); NULL means at the next run, or never for final states',
  last_attempt_at TIMESTAMP COMMENT 'Start of the last request for this message (UTC)',
  created_date DATE COMMENT 'created_date of the row in message_details; NULL while nothing is stored',
  updated_at TIMESTAMP COMMENT 'Last change of this row (UTC)'
)
USING DELTA
COMMENT 'Proof of completeness: every Genie message ever witnessed, in exactly one state. Rows = distinct messages witnessed.'
