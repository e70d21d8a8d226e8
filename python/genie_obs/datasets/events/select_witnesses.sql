-- grain: one row per workspace_id and message_id mentioned by a Genie event of the days read
-- Every action counts, UI and API names alike, known today or not. Ids the caller sent are in request_params, ids the service
-- made are only in response.result. Aggregating by message makes duplicates of an event harmless. (The local engine takes
-- collect_list several times as fast as collect_set.)
WITH events AS (
  SELECT
    workspace_id,
    action_name,
    event_time,
    NULLIF(NULLIF(user_identity.email, ''), 'System-User') AS actor,
    COALESCE(response.status_code, 200) BETWEEN 200 AND 299 AS is_accepted,
    action_name RLIKE '^(genieGet|genieList|genieGenerateDownload|get|list)' AS is_read,
    action_name IN ('createConversationMessage', 'genieCreateConversationMessage', 'genieStartConversationMessage') AS is_creation,
    request_params['space_id'] AS sent_space_id,
    request_params['spaceId'] AS sent_space_id_camel,
    request_params['conversation_id'] AS sent_conversation_id,
    request_params['message_id'] AS sent_message_id,
    response.result,
    -- Sail reads even JSON that was cut off, but half an answer is no witness. Computed here once, as engines may repeat it per id.
    get_json_object(response.result, '$') IS NOT NULL AS is_whole
  FROM system.access.audit
  WHERE service_name = 'aibiGenie'
    AND event_date BETWEEN :from_date AND :until_date
    AND is_in_scope(workspace_id, :workspace_ids)
    -- Our own reads are not activity. A question our service principal asked elsewhere is a message like any other.
    AND NOT (
      COALESCE(user_agent, '') LIKE 'genie-obs/%'
      OR (
        -- Without credentials the id is empty, and matches nobody.
        :client_id <> ''
        AND (COALESCE(user_identity.email, '') = :client_id OR COALESCE(user_identity.subject_name, '') = :client_id)
        AND action_name RLIKE '^(genieGet|genieList|genieGenerateDownload|get|list)'
      )
    )
),
identified AS (
  SELECT
    workspace_id,
    action_name,
    event_time,
    actor,
    is_accepted,
    is_read,
    is_creation,
    COALESCE(
      NULLIF(NULLIF(TRIM(sent_space_id), ''), 'new'),
      NULLIF(NULLIF(TRIM(sent_space_id_camel), ''), 'new'),
      CASE WHEN is_whole THEN COALESCE(
        NULLIF(NULLIF(TRIM(get_json_object(result, '$.space_id')), ''), 'new'),
        NULLIF(NULLIF(TRIM(get_json_object(result, '$.message.space_id')), ''), 'new')
      ) END
    ) AS space_id,
    COALESCE(
      NULLIF(NULLIF(TRIM(sent_conversation_id), ''), 'new'),
      CASE WHEN is_whole THEN COALESCE(
        NULLIF(NULLIF(TRIM(get_json_object(result, '$.conversation_id')), ''), 'new'),
        NULLIF(NULLIF(TRIM(get_json_object(result, '$.message.conversation_id')), ''), 'new'),
        NULLIF(NULLIF(TRIM(get_json_object(result, '$.conversation.conversation_id')), ''), 'new'),
        NULLIF(NULLIF(TRIM(get_json_object(result, '$.conversation.id')), ''), 'new')
      ) END
    ) AS conversation_id,
    COALESCE(
      NULLIF(NULLIF(TRIM(sent_message_id), ''), 'new'),
      CASE WHEN is_whole THEN COALESCE(
        NULLIF(NULLIF(TRIM(get_json_object(result, '$.message_id')), ''), 'new'),
        NULLIF(NULLIF(TRIM(get_json_object(result, '$.message.message_id')), ''), 'new'),
        -- The legacy id is the message only where the answer is a message.
        CASE WHEN is_creation THEN NULLIF(NULLIF(TRIM(get_json_object(result, '$.message.id')), ''), 'new') END,
        CASE WHEN is_creation THEN NULLIF(NULLIF(TRIM(get_json_object(result, '$.id')), ''), 'new') END
      ) END
    ) AS message_id
  FROM events
)
SELECT
  workspace_id,
  message_id,
  MIN(space_id) AS space_id,
  MIN(conversation_id) AS conversation_id,
  MIN(event_time) AS first_event_time,
  MAX(CASE WHEN is_accepted AND NOT is_read THEN event_time END) AS last_write_event_time,
  array_sort(array_distinct(collect_list(action_name))) AS witnesses,
  MIN(CASE WHEN is_accepted AND is_creation THEN actor END) AS user_email,
  MAX(CASE WHEN is_accepted AND is_creation THEN 1 ELSE 0 END) = 1 AS is_creation_seen
FROM identified
-- Neither NULL nor a JSON value. In one condition, because the local engine computes an id again each time it is named here.
WHERE LEFT(message_id, 1) NOT IN ('{', '[')
  AND workspace_id IS NOT NULL
  -- A refused event proves that the message exists only if it names it in full.
  AND (is_accepted OR (space_id IS NOT NULL AND conversation_id IS NOT NULL))
GROUP BY workspace_id, message_id
