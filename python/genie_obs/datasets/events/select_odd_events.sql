-- grain: one row per service and action of the days with new events that this version does not know, or with rows of one action that do
-- not know of each other, as they were read apart
WITH named AS (
  SELECT
    *,
    act_of(s) AS act,
    CAST(NULL AS STRING) AS comment_type
  FROM genie_events AS s
  WHERE event_date IN (:event_dates)
),
requests AS (
  SELECT
    service,
    action,
    SUM(CASE WHEN ingestion_timestamp = :ingested_at AND action_kind(n) IS NULL THEN 1 ELSE 0 END) AS unknown_count,
    COUNT(*) > 1
      AND COALESCE(MIN(message_id) = MAX(message_id), TRUE)
      AND (
        COUNT(NULLIF(kind, 'other')) > 1
        OR COUNT(space_id) NOT IN (0, COUNT(*))
        OR COUNT(conversation_id) NOT IN (0, COUNT(*))
        OR COUNT(message_id) NOT IN (0, COUNT(*))
        OR COUNT(comment_id) NOT IN (0, COUNT(*))
        OR MIN(is_accepted) <> MAX(is_accepted)
      ) AS is_apart
  FROM named AS n
  GROUP BY service, action, request_of(n)
)
SELECT
  service,
  action,
  SUM(unknown_count) AS unknown_count,
  SUM(CASE WHEN is_apart THEN 1 ELSE 0 END) AS apart_count
FROM requests
WHERE is_apart OR unknown_count > 0
GROUP BY service, action
ORDER BY service, action
