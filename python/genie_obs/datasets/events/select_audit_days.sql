-- grain: one row per event_date with Genie events; says which days hold events that are not stored, and sizes the slices to read
-- The relation stored_days holds what is stored of each workspace, by day. (Ids are counted by a hash, which takes less memory and time.)
WITH logged AS (
  SELECT
    event_date,
    workspace_id,
    COUNT(*) AS event_count,
    COUNT(DISTINCT xxhash64(event_id_of(a))) AS logged_count,
    SUM(CASE WHEN action_name IN ('deleteConversation', 'genieDeleteConversation') THEN 1 ELSE 0 END) AS conversation_deletion_count,
    MAX(event_time) AS newest_event_time
  FROM system.access.audit AS a
  WHERE service_name IN ('aibiGenie', 'genieChat')
    AND event_date BETWEEN :from_date AND :until_date
    AND workspace_id IS NOT NULL
    AND is_in_scope(workspace_id, :workspace_ids)
  GROUP BY event_date, workspace_id
)
SELECT
  l.event_date,
  SUM(l.event_count) AS event_count,
  SUM(GREATEST(l.logged_count - COALESCE(s.stored_count, 0), 0)) AS missing_count,
  SUM(l.conversation_deletion_count) AS conversation_deletion_count,
  MAX(l.newest_event_time) AS newest_event_time,
  MAX(s.newest_ingestion) AS newest_ingestion
FROM logged AS l
LEFT JOIN stored_days AS s
  ON s.event_date = l.event_date
  AND s.workspace_id = l.workspace_id
GROUP BY l.event_date
ORDER BY l.event_date
