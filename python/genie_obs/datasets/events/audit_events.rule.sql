-- audit_events(a): the Genie events of the days read, from the audit log, with the columns of genie_events. Copies of an
-- event have the same event_id, and another copy_number.
-- Ids that the caller sent are in request_params. Ids that the service made are only in response.result, which must be whole: half an
-- answer is no witness, though Sail reads even JSON that was cut off. An id is neither empty nor the literal `new`.
SELECT
  n.event_date,
  n.event_time,
  n.event_id,
  n.request_id,
  n.workspace_id,
  n.service,
  n.action,
  COALESCE(action_kind(n), 'other') AS kind,
  n.is_read,
  n.is_accepted,
  n.status_code,
  n.error_message,
  n.actor,
  n.actor_kind,
  n.is_own,
  CASE
    WHEN n.is_own THEN 'genie-obs'
    WHEN n.actor_kind = 'system' THEN 'Databricks background'
    WHEN n.service = 'genieChat' THEN 'genie one'
    WHEN n.is_api THEN 'public API'
    WHEN n.user_agent IS NULL OR n.user_agent LIKE 'Mozilla/%' THEN 'genie page'
    ELSE 'other'
  END AS client,
  n.user_agent,
  COALESCE(
    NULLIF(NULLIF(TRIM(n.sent_space_id), ''), 'new'),
    NULLIF(NULLIF(TRIM(n.sent_space_id_camel), ''), 'new'),
    CASE WHEN n.is_whole THEN COALESCE(
      NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.space_id')), ''), 'new'),
      NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.message.space_id')), ''), 'new')
    ) END
  ) AS space_id,
  COALESCE(
    NULLIF(NULLIF(TRIM(n.sent_conversation_id), ''), 'new'),
    CASE WHEN n.is_whole THEN COALESCE(
      NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.conversation_id')), ''), 'new'),
      NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.message.conversation_id')), ''), 'new'),
      NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.conversation.conversation_id')), ''), 'new'),
      NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.conversation.id')), ''), 'new')
    ) END
  ) AS conversation_id,
  COALESCE(
    NULLIF(NULLIF(TRIM(n.sent_message_id), ''), 'new'),
    CASE WHEN n.is_whole THEN COALESCE(
      NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.message_id')), ''), 'new'),
      NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.message.message_id')), ''), 'new'),
      CASE WHEN is_creation(n) THEN NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.message.id')), ''), 'new') END,
      CASE WHEN is_creation(n) THEN NULLIF(NULLIF(TRIM(get_json_object(n.result, '$.id')), ''), 'new') END
    ) END
  ) AS message_id,
  CASE WHEN n.act LIKE '%comment%' THEN COALESCE(
    NULLIF(TRIM(n.sent_comment_id), ''),
    CASE WHEN n.is_whole THEN COALESCE(
      NULLIF(TRIM(get_json_object(n.result, '$.message_comment_id')), ''), NULLIF(TRIM(get_json_object(n.result, '$.comment_id')), '')
    ) END
  ) END AS comment_id,
  CASE
    WHEN n.act NOT LIKE '%feedback%' THEN NULL
    WHEN n.sent_rating LIKE '%THUMBS_UP%' OR n.sent_rating LIKE '%POSITIVE%' THEN 'POSITIVE'
    WHEN n.sent_rating LIKE '%THUMBS_DOWN%' OR n.sent_rating LIKE '%NEGATIVE%' THEN 'NEGATIVE'
    WHEN n.sent_rating LIKE '%NONE%' OR n.sent_rating LIKE '%UNSPECIFIED%' THEN 'NONE'
  END AS rating,
  CASE
    WHEN n.sent_mode LIKE '%DEEP_RESEARCH%' OR n.sent_mode LIKE '%AGENT%' THEN 'agent'
    WHEN n.sent_mode LIKE '%CHAT%' THEN 'chat'
  END AS conversation_mode,
  n.has_result,
  n.copy_number
FROM (
  SELECT
    m.*,
    act_of(m) AS act,
    is_api_action(m) AS is_api,
    CASE WHEN m.actor IS NULL THEN m.actor_kind_without_name WHEN m.actor LIKE '%@%' THEN 'person' ELSE 'service_principal' END AS actor_kind,
    m.is_own_program OR (m.is_own_principal AND m.is_read) AS is_own
  FROM (
    SELECT
      a.event_date,
      a.event_time,
      event_id_of(a) AS event_id,
      a.request_id,
      a.workspace_id,
      a.service_name AS service,
      a.action_name AS action,
      a.action_name RLIKE '^(genieGet|genieList|genieGenerateDownload|get|list)' AS is_read,
      COALESCE(a.response.status_code, 200) BETWEEN 200 AND 299 AS is_accepted,
      a.response.status_code AS status_code,
      a.response.error_message AS error_message,
      NULLIF(NULLIF(a.user_identity.email, ''), 'System-User') AS actor,
      CASE WHEN COALESCE(a.user_identity.email, a.user_identity.subject_name) = 'System-User' THEN 'system' ELSE 'unknown' END AS actor_kind_without_name,
      COALESCE(a.user_agent, '') LIKE 'genie-obs/%' AS is_own_program,
      :client_id <> '' AND (COALESCE(a.user_identity.email, '') = :client_id OR COALESCE(a.user_identity.subject_name, '') = :client_id) AS is_own_principal,
      a.user_agent,
      a.request_params['space_id'] AS sent_space_id,
      a.request_params['spaceId'] AS sent_space_id_camel,
      a.request_params['conversation_id'] AS sent_conversation_id,
      a.request_params['message_id'] AS sent_message_id,
      COALESCE(a.request_params['message_comment_id'], a.request_params['comment_id']) AS sent_comment_id,
      a.request_params['comment_type'] AS comment_type,
      upper(COALESCE(a.request_params['feedback_rating'], a.request_params['rating'], get_json_object(a.request_params['feedback_payload'], '$.feedback_rating'), get_json_object(a.request_params['feedback_payload'], '$.rating'))) AS sent_rating,
      upper(a.request_params['conversation_type']) AS sent_mode,
      a.response.result AS result,
      NULLIF(TRIM(a.response.result), '') IS NOT NULL AS has_result,
      get_json_object(a.response.result, '$') IS NOT NULL AS is_whole,
      ROW_NUMBER() OVER (PARTITION BY event_id_of(a) ORDER BY a.event_time) AS copy_number
    FROM system.access.audit AS a
    WHERE a.service_name IN ('aibiGenie', 'genieChat')
      AND a.event_date BETWEEN :from_date AND :until_date
      AND a.workspace_id IS NOT NULL
      AND is_in_scope(a.workspace_id, :workspace_ids)
  ) AS m
) AS n
