-- query:   transcript
-- title:   One conversation, question by question
-- grain:   one row per message
-- reads:   message_details
-- params:  :conversation_id (STRING), :workspace_id (STRING; '' when it is not known)
SELECT
  workspace_id,
  workspace_name,
  space_name,
  conversation_id,
  message_id,
  user_email,
  created_at,
  status,
  content,
  answer_text,
  clarification_text,
  query_title,
  query_description,
  query_sql,
  query_row_count,
  query_execution_status,
  query_duration_ms,
  query_error_message,
  feedback_rating,
  feedback_comment,
  error_type,
  error_message,
  is_deleted
FROM message_details
WHERE conversation_id = :conversation_id
  AND (:workspace_id = '' OR workspace_id = :workspace_id)
ORDER BY created_at, message_id
