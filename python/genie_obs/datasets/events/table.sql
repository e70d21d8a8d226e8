-- grain:        one row per event_id of the audit log's events of Genie (aibiGenie, genieChat)
-- key:          event_id, event_date
-- cluster by:   event_date, workspace_id
-- partition by: event_date
-- statistics:   event_date, event_time, event_id, request_id, workspace_id, action, kind, space_id, conversation_id, message_id
-- sources:      access.audit
-- retention:    retention_days
-- erased with:  message, person
-- rows stay:    they say which events were read; without them, the next run would read and store the events again
-- texts:        error_message
-- people:       actor
-- identifiers:  event_id, request_id, workspace_id, service, action, kind, actor_kind, client, user_agent, space_id, conversation_id,
--               message_id, comment_id, rating, conversation_mode
-- once:         event_time, request_id, workspace_id, service, action, kind, is_read, is_accepted, status_code, error_message, actor,
--               actor_kind, is_own, client, user_agent, space_id, conversation_id, message_id, comment_id, rating, conversation_mode,
--               has_result, ingestion_timestamp
CREATE TABLE IF NOT EXISTS genie_events (
  event_date DATE COMMENT 'UTC day of the event',
  event_time TIMESTAMP COMMENT 'When it happened (UTC)',
  event_id STRING COMMENT 'Id of the event in the audit log; where the log gives none, one made of time, workspace, action and request',
  request_id STRING COMMENT 'Id of the request; two rows of one action share it with workspace_id',
  workspace_id STRING COMMENT 'Workspace of the event',
  service STRING COMMENT 'aibiGenie (spaces) or genieChat (Genie One)',
  action STRING COMMENT 'Name of the action, verbatim',
  kind STRING COMMENT 'What the action is: one of a closed list; other for actions that are not known, and for the second row of an action that was logged as two',
  is_read BOOLEAN COMMENT 'The action only reads; a client that polls makes many of them',
  is_accepted BOOLEAN COMMENT 'The service did what was asked: status 2xx, or none',
  status_code INT COMMENT 'HTTP status of the answer',
  error_message STRING COMMENT 'What the service said when it refused',
  actor STRING COMMENT 'Who did it: e-mail, or application id of a service principal; NULL where unknown or erased',
  actor_kind STRING COMMENT 'person, service_principal, system (Databricks itself) or unknown',
  is_own BOOLEAN COMMENT 'A read by genie-obs or its service principal; a question that this principal asked elsewhere is not own',
  client STRING COMMENT 'genie page, genie one, public API, genie-obs, Databricks background or other',
  user_agent STRING COMMENT 'Program that sent the request, as it named itself',
  space_id STRING COMMENT 'Genie space, as sent or as answered',
  conversation_id STRING COMMENT 'Conversation, as sent or as answered',
  message_id STRING COMMENT 'Message, as sent or as answered',
  comment_id STRING COMMENT 'Comment, as sent or as answered',
  rating STRING COMMENT 'POSITIVE, NEGATIVE or NONE (withdrawn) for kind rate; NULL where the value is not known',
  conversation_mode STRING COMMENT 'chat or agent, where the event says it',
  has_result BOOLEAN COMMENT 'The row holds the result of the action; of an action that was logged as two rows only one does',
  ingestion_timestamp TIMESTAMP COMMENT 'Start of the run that stored the row (UTC)'
)
USING DELTA
COMMENT 'Every Genie event of the audit log: who did what, where, through which client, and whether it was refused. One row per event_id.'
