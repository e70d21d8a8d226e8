-- grain:        one row per workspace_id and message_id
-- key:          workspace_id, message_id, created_date
-- cluster by:   created_date, workspace_id
-- partition by: created_date
-- statistics:   workspace_id, message_id, space_id, conversation_id, created_at, created_date, statement_id, query_start_time
-- sources:      access.audit
-- retention:    retention_days
-- erased with:  message
-- texts:        content, query_sql, query_title, query_description, answer_text, clarification_text, suggested_questions,
--               attachments_json as [], feedback_comment, error_message, query_error_message
-- words:        status, feedback_rating, error_type
-- people:       user_id, user_email
-- identifiers:  workspace_id, message_id, space_id, conversation_id, workspace_name, space_name, statement_id, statement_ids,
--               query_execution_status, query_warehouse_id, content_policy, ingestion_batch_id
-- once:         created_timestamp, created_at
-- newest:       ingestion_timestamp, ingestion_batch_id
-- quiet:        api_fetch_timestamp, ingestion_timestamp, ingestion_batch_id
-- joined on statement_id: query_execution_status, query_duration_ms, query_start_time, query_end_time, query_warehouse_id,
--               query_read_rows, query_read_bytes, query_produced_rows, query_from_result_cache, query_error_message
-- update if:    NOT (old.content_policy <=> 'erased') AND (old.api_fetch_timestamp IS NULL
--               OR new.api_fetch_timestamp >= old.api_fetch_timestamp OR old.api_fetch_timestamp > :latest_credible_at)
-- insert if:    NOT new.is_deleted
-- rule status:  CASE WHEN old.status IN (:terminal_statuses) AND NOT new.is_terminal
--               THEN old.status ELSE COALESCE(new.status, old.status) END
-- rule updated_timestamp: GREATEST(new.updated_timestamp, old.updated_timestamp)
-- rule attachments_count: CASE WHEN new.attachments_json IS NULL THEN old.attachments_count
--               ELSE COALESCE(new.attachments_count, old.attachments_count) END
-- rule is_deleted: CASE WHEN new.ingestion_timestamp >= old.ingestion_timestamp OR old.ingestion_timestamp > :latest_credible_at
--               THEN new.is_deleted ELSE old.is_deleted END
-- rule api_fetch_timestamp: CASE WHEN new.is_deleted THEN old.api_fetch_timestamp ELSE new.api_fetch_timestamp END
CREATE TABLE IF NOT EXISTS message_details (
  workspace_id STRING COMMENT 'Workspace of the message; message ids are unique only inside one workspace',
  message_id STRING COMMENT 'Id of the message: one message is one turn, a question with its answer',
  space_id STRING COMMENT 'Genie space that was asked',
  conversation_id STRING COMMENT 'Conversation the message belongs to',
  workspace_name STRING COMMENT 'From system.access.workspaces_latest at the time of ingestion',
  space_name STRING COMMENT 'Title of the space when it was last read; NULL while the space cannot be read',
  user_id STRING COMMENT 'Numeric id of the asker in that workspace (SCIM id); NULL when the service gives none',
  user_email STRING COMMENT 'E-mail of the asker (application id for a service principal): the writer in the audit log, else SCIM; never a reader',
  content STRING COMMENT 'The question, verbatim',
  status STRING COMMENT 'Message status, verbatim; COMPLETED, FAILED, CANCELLED and QUERY_RESULT_EXPIRED are terminal',
  created_timestamp BIGINT COMMENT 'When the question was asked, epoch milliseconds; from the audit log where the API gives none',
  updated_timestamp BIGINT COMMENT 'Last change known to the API, epoch milliseconds',
  created_at TIMESTAMP COMMENT 'created_timestamp as an instant (UTC)',
  created_date DATE COMMENT 'UTC day of created_at when the row was first stored; never changes',
  query_sql STRING COMMENT 'SQL of the last query attachment, which is the answer; NULL for text-only answers',
  query_title STRING COMMENT 'Title of that query',
  query_description STRING COMMENT 'What that query does, in the words of Genie',
  statement_id STRING COMMENT 'Statement of that query; joins system.query.history on workspace_id and statement_id',
  query_row_count BIGINT COMMENT 'Rows of the result as reported by Genie',
  statement_ids ARRAY<STRING> COMMENT 'Statements of every query attachment, in order; the last one is the answer',
  answer_text STRING COMMENT 'Text answer; text between the first and the last query is superseded and left out',
  clarification_text STRING COMMENT 'What Genie asked back (text attachments with purpose FOLLOW_UP_QUESTION)',
  suggested_questions ARRAY<STRING> COMMENT 'Questions Genie suggested next',
  attachments_count INT COMMENT 'Number of attachments of any kind',
  attachments_json STRING COMMENT 'The whole attachments array as the API gave it, never cut, unknown kinds included',
  feedback_rating STRING COMMENT 'POSITIVE, NEGATIVE or NONE, verbatim',
  feedback_comment STRING COMMENT 'Comment given with the rating',
  error_type STRING COMMENT 'Error type of a failed message, verbatim',
  error_message STRING COMMENT 'Error text of a failed message',
  query_execution_status STRING COMMENT 'FINISHED, FAILED or CANCELED from system.query.history; NULL until the statement is there',
  query_duration_ms BIGINT COMMENT 'Total duration of the statement without fetching the result, milliseconds',
  query_start_time TIMESTAMP COMMENT 'Start of the statement (UTC)',
  query_end_time TIMESTAMP COMMENT 'End of the statement (UTC)',
  query_warehouse_id STRING COMMENT 'SQL warehouse that ran the statement',
  query_read_rows BIGINT COMMENT 'Rows read by the statement',
  query_read_bytes BIGINT COMMENT 'Bytes read by the statement',
  query_produced_rows BIGINT COMMENT 'Rows produced by the statement',
  query_from_result_cache BOOLEAN COMMENT 'Whether the result came from the result cache',
  query_error_message STRING COMMENT 'Error of the statement',
  content_policy STRING COMMENT 'Policy the texts of this row were written under: full, redacted, hashed or metrics_only; erased where somebody removed them by hand, which no run undoes; NULL in rows older than this column: full',
  is_deleted BOOLEAN COMMENT 'The message no longer exists in Genie: it was deleted after it was stored; content is kept',
  api_fetch_timestamp TIMESTAMP COMMENT 'When the stored answer of the API was fetched (UTC)',
  ingestion_timestamp TIMESTAMP COMMENT 'When this row was last written by a fetch (UTC)',
  ingestion_batch_id STRING COMMENT 'run_id of the run that last wrote this row by a fetch'
)
USING DELTA
COMMENT 'Every Genie message: question, answer, SQL, rating, error and the statement it ran. One row per workspace_id and message_id.'
