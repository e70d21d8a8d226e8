-- Remove texts, or whole rows. Where there was text stays a word for it, so that a count of answers stays a count.
MERGE INTO message_details AS d
USING erased_messages AS e
ON d.workspace_id = e.workspace_id
  AND d.message_id = e.message_id
  AND d.created_date = e.created_date
  AND d.created_date IN (:created_dates)
WHEN MATCHED AND e.is_row_erased THEN DELETE
WHEN MATCHED THEN UPDATE SET
  user_id = CASE WHEN e.is_asker_erased THEN CAST(NULL AS STRING) ELSE d.user_id END,
  user_email = CASE WHEN e.is_asker_erased THEN CAST(NULL AS STRING) ELSE d.user_email END,
  content = CASE WHEN d.content IS NULL THEN d.content ELSE '[not kept]' END,
  -- Enumerations are kept verbatim whatever the service sends, so words could stand there too.
  status = CASE WHEN d.status RLIKE '^[A-Z][A-Z0-9_]{0,63}$' THEN d.status WHEN d.status IS NULL THEN d.status ELSE '[not kept]' END,
  query_sql = CASE WHEN d.query_sql IS NULL THEN d.query_sql ELSE '[not kept]' END,
  query_title = CASE WHEN d.query_title IS NULL THEN d.query_title ELSE '[not kept]' END,
  query_description = CASE WHEN d.query_description IS NULL THEN d.query_description ELSE '[not kept]' END,
  answer_text = CASE WHEN d.answer_text IS NULL THEN d.answer_text ELSE '[not kept]' END,
  clarification_text = CASE WHEN d.clarification_text IS NULL THEN d.clarification_text ELSE '[not kept]' END,
  suggested_questions = CASE WHEN d.suggested_questions IS NULL THEN d.suggested_questions ELSE CAST(array() AS ARRAY<STRING>) END,
  attachments_json = CASE WHEN d.attachments_json IS NULL THEN d.attachments_json ELSE '[]' END,
  feedback_rating = CASE
    WHEN d.feedback_rating RLIKE '^[A-Z][A-Z0-9_]{0,63}$' THEN d.feedback_rating
    WHEN d.feedback_rating IS NULL THEN d.feedback_rating
    ELSE '[not kept]'
  END,
  feedback_comment = CASE WHEN d.feedback_comment IS NULL THEN d.feedback_comment ELSE '[not kept]' END,
  error_type = CASE WHEN d.error_type RLIKE '^[A-Z][A-Z0-9_]{0,63}$' THEN d.error_type WHEN d.error_type IS NULL THEN d.error_type ELSE '[not kept]' END,
  error_message = CASE WHEN d.error_message IS NULL THEN d.error_message ELSE '[not kept]' END,
  query_error_message = CASE WHEN d.query_error_message IS NULL THEN d.query_error_message ELSE '[not kept]' END,
  content_policy = 'erased'
