-- Store what was fetched. A value is never replaced by NULL, a terminal status never by one that is not, an answer never by
-- an older one; an instant that is yet to come was written by a clock that was wrong and makes no answer older. A row that would
-- not change is not written. A deletion marks the row and keeps its content.
-- Texts written under another content policy are replaced as a whole, by nothing too: what a stricter policy does not keep must
-- not stay because it was there. An erased row stays erased.
MERGE INTO message_details AS d
USING fetched_messages AS f
ON d.workspace_id = f.workspace_id
  AND d.message_id = f.message_id
  AND d.created_date = f.created_date
  AND d.created_date IN (:created_dates)
WHEN MATCHED
  AND (d.api_fetch_timestamp IS NULL OR f.api_fetch_timestamp >= d.api_fetch_timestamp OR d.api_fetch_timestamp > :latest_credible_at)
  AND NOT (d.content_policy <=> 'erased')
  AND (
    f.content_policy <> COALESCE(d.content_policy, 'full')
    OR NOT (COALESCE(f.workspace_name, d.workspace_name) <=> d.workspace_name)
    OR NOT (COALESCE(f.space_name, d.space_name) <=> d.space_name)
    OR NOT (COALESCE(f.user_id, d.user_id) <=> d.user_id)
    OR NOT (COALESCE(f.user_email, d.user_email) <=> d.user_email)
    OR NOT (COALESCE(f.content, d.content) <=> d.content)
    OR (
      NOT (COALESCE(f.status, d.status) <=> d.status)
      AND (f.is_terminal OR NOT COALESCE(d.status, '') IN ('COMPLETED', 'FAILED', 'CANCELLED', 'QUERY_RESULT_EXPIRED'))
    )
    OR f.updated_timestamp > COALESCE(d.updated_timestamp, 0)
    OR NOT (COALESCE(f.attachments_json, d.attachments_json) <=> d.attachments_json)
    OR NOT (COALESCE(f.statement_id, d.statement_id) <=> d.statement_id)
    OR NOT (COALESCE(f.query_row_count, d.query_row_count) <=> d.query_row_count)
    OR NOT (COALESCE(f.feedback_rating, d.feedback_rating) <=> d.feedback_rating)
    OR NOT (COALESCE(f.feedback_comment, d.feedback_comment) <=> d.feedback_comment)
    OR NOT (COALESCE(f.error_type, d.error_type) <=> d.error_type)
    OR NOT (COALESCE(f.error_message, d.error_message) <=> d.error_message)
    OR (
      NOT (f.is_deleted <=> d.is_deleted)
      AND (f.ingestion_timestamp >= d.ingestion_timestamp OR d.ingestion_timestamp > :latest_credible_at)
    )
  ) THEN UPDATE SET
  space_id = COALESCE(f.space_id, d.space_id),
  conversation_id = COALESCE(f.conversation_id, d.conversation_id),
  workspace_name = COALESCE(f.workspace_name, d.workspace_name),
  space_name = COALESCE(f.space_name, d.space_name),
  user_id = COALESCE(f.user_id, d.user_id),
  user_email = COALESCE(f.user_email, d.user_email),
  content = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.content ELSE COALESCE(f.content, d.content) END,
  status = CASE
    WHEN d.status IN ('COMPLETED', 'FAILED', 'CANCELLED', 'QUERY_RESULT_EXPIRED') AND NOT f.is_terminal THEN d.status
    ELSE COALESCE(f.status, d.status)
  END,
  updated_timestamp = GREATEST(f.updated_timestamp, d.updated_timestamp),
  query_sql = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.query_sql ELSE COALESCE(f.query_sql, d.query_sql) END,
  query_title = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.query_title ELSE COALESCE(f.query_title, d.query_title) END,
  query_description = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.query_description ELSE COALESCE(f.query_description, d.query_description) END,
  statement_id = COALESCE(f.statement_id, d.statement_id),
  query_row_count = COALESCE(f.query_row_count, d.query_row_count),
  statement_ids = CASE WHEN size(f.statement_ids) > 0 THEN f.statement_ids ELSE d.statement_ids END,
  answer_text = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.answer_text ELSE COALESCE(f.answer_text, d.answer_text) END,
  clarification_text = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.clarification_text ELSE COALESCE(f.clarification_text, d.clarification_text) END,
  suggested_questions = CASE
    WHEN size(f.suggested_questions) > 0 OR f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.suggested_questions
    ELSE d.suggested_questions
  END,
  attachments_count = CASE WHEN f.attachments_json IS NOT NULL THEN COALESCE(f.attachments_count, d.attachments_count) ELSE d.attachments_count END,
  attachments_json = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.attachments_json ELSE COALESCE(f.attachments_json, d.attachments_json) END,
  feedback_rating = COALESCE(f.feedback_rating, d.feedback_rating),
  feedback_comment = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.feedback_comment ELSE COALESCE(f.feedback_comment, d.feedback_comment) END,
  error_type = COALESCE(f.error_type, d.error_type),
  error_message = CASE WHEN f.content_policy <> COALESCE(d.content_policy, 'full') THEN f.error_message ELSE COALESCE(f.error_message, d.error_message) END,
  -- Another statement is the answer now: what was joined describes the old one, so it is looked up anew.
  query_execution_status = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS STRING) ELSE d.query_execution_status END,
  query_duration_ms = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS BIGINT) ELSE d.query_duration_ms END,
  query_start_time = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS TIMESTAMP) ELSE d.query_start_time END,
  query_end_time = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS TIMESTAMP) ELSE d.query_end_time END,
  query_warehouse_id = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS STRING) ELSE d.query_warehouse_id END,
  query_read_rows = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS BIGINT) ELSE d.query_read_rows END,
  query_read_bytes = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS BIGINT) ELSE d.query_read_bytes END,
  query_produced_rows = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS BIGINT) ELSE d.query_produced_rows END,
  query_from_result_cache = CASE WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS BOOLEAN) ELSE d.query_from_result_cache END,
  query_error_message = CASE
    WHEN f.statement_id <> d.statement_id THEN CAST(NULL AS STRING)
    WHEN f.content_policy <> COALESCE(d.content_policy, 'full') AND d.query_error_message IS NOT NULL
      -- It comes from the query history, which is not read again for a statement that is final.
      THEN CASE WHEN f.content_policy = 'full' THEN d.query_error_message ELSE '[not kept]' END
    ELSE d.query_error_message
  END,
  content_policy = COALESCE(f.content_policy, d.content_policy),
  is_deleted = CASE
    WHEN f.ingestion_timestamp >= d.ingestion_timestamp OR d.ingestion_timestamp > :latest_credible_at THEN f.is_deleted
    ELSE d.is_deleted
  END,
  api_fetch_timestamp = CASE WHEN f.is_deleted THEN d.api_fetch_timestamp ELSE f.api_fetch_timestamp END,
  ingestion_timestamp = f.ingestion_timestamp,
  ingestion_batch_id = f.ingestion_batch_id
WHEN NOT MATCHED AND NOT f.is_deleted THEN INSERT (
  workspace_id, message_id, space_id, conversation_id, workspace_name, space_name, user_id, user_email, content, status,
  created_timestamp, updated_timestamp, created_at, created_date, query_sql, query_title, query_description, statement_id,
  query_row_count, statement_ids, answer_text, clarification_text, suggested_questions, attachments_count, attachments_json,
  feedback_rating, feedback_comment, error_type, error_message, query_execution_status, query_duration_ms, query_start_time,
  query_end_time, query_warehouse_id, query_read_rows, query_read_bytes, query_produced_rows, query_from_result_cache,
  query_error_message, content_policy, is_deleted, api_fetch_timestamp, ingestion_timestamp, ingestion_batch_id
) VALUES (
  f.workspace_id, f.message_id, f.space_id, f.conversation_id, f.workspace_name, f.space_name, f.user_id, f.user_email, f.content, f.status,
  f.created_timestamp, f.updated_timestamp, f.created_at, f.created_date, f.query_sql, f.query_title, f.query_description, f.statement_id,
  f.query_row_count, f.statement_ids, f.answer_text, f.clarification_text, f.suggested_questions, f.attachments_count, f.attachments_json,
  f.feedback_rating, f.feedback_comment, f.error_type, f.error_message, f.query_execution_status, f.query_duration_ms, f.query_start_time,
  f.query_end_time, f.query_warehouse_id, f.query_read_rows, f.query_read_bytes, f.query_produced_rows, f.query_from_result_cache,
  f.query_error_message, f.content_policy, f.is_deleted, f.api_fetch_timestamp, f.ingestion_timestamp, f.ingestion_batch_id
)
