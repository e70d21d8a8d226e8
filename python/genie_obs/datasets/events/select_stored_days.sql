-- grain: one row per event_date and workspace_id with stored Genie events
SELECT
  event_date,
  workspace_id,
  COUNT(*) AS stored_count,
  MAX(ingestion_timestamp) AS newest_ingestion
FROM genie_events
WHERE event_date BETWEEN :from_date AND :until_date
  AND is_in_scope(workspace_id, :workspace_ids)
GROUP BY event_date, workspace_id
