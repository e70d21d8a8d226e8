-- query:   transcript
-- title:   Conversations, question by question
-- grain:   one row per message
-- reads:   message_details
-- params:  :conversation_ids (STRING; ids separated by commas), :workspace_id (STRING; '' when it is not known)
WITH wanted AS (
  SELECT DISTINCT explode(split(:conversation_ids, ',')) AS conversation_id
)
SELECT
  m.workspace_id,
  m.workspace_name,
  m.space_name,
  m.conversation_id,
  m.message_id,
  m.user_email,
  m.created_at,
  m.status,
  m.content,
  m.answer_text,
  m.clarification_text,
  m.query_title,
  m.query_description,
  m.query_sql,
  m.query_row_count,
  m.query_execution_status,
  m.query_duration_ms,
  CASE WHEN m.query_start_time >= m.created_at THEN unix_millis(m.query_start_time) - unix_millis(m.created_at) END AS thinking_ms,
  m.query_error_message,
  m.feedback_rating,
  m.feedback_comment,
  m.error_type,
  m.error_message,
  m.is_deleted
FROM message_details AS m
INNER JOIN wanted AS w ON w.conversation_id = m.conversation_id
WHERE :workspace_id = '' OR m.workspace_id = :workspace_id
ORDER BY m.created_at, m.message_id
