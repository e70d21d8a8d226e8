-- grain: one row per event_date with Genie events; sizes the slices discovery reads one after the other
SELECT
  event_date,
  COUNT(*) AS event_count,
  SUM(CASE WHEN action_name IN ('deleteConversation', 'genieDeleteConversation') THEN 1 ELSE 0 END) AS conversation_deletion_count,
  MAX(event_time) AS newest_event_time
FROM system.access.audit
WHERE service_name = 'aibiGenie'
  AND event_date BETWEEN :from_date AND :until_date
  AND is_in_scope(workspace_id, :workspace_ids)
GROUP BY event_date
ORDER BY event_date
