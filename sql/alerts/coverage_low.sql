-- query:   coverage_low
-- title:   Genie observability: messages are missing
-- answers: Which share of the messages that exist is stored, and why are the others not?
-- grain:   one row per workspace with at least 10 messages, the worst first; messages of the last 30 days that are older than a day
-- reads:   message_ledger
-- params:  none
WITH counted AS (
  SELECT
    workspace_id,
    COUNT(*) - COUNT_IF(
      created_date IS NULL AND (state IN ('deleted', 'not_found', 'erased') OR (state = 'forbidden' AND reason_code IN ('space_trashed', 'space_deleted')))
    ) AS expected_count,
    COUNT_IF(created_date IS NOT NULL) AS stored_count,
    COUNT_IF(
      created_date IS NULL AND state = 'forbidden' AND COALESCE(reason_code, '') NOT IN ('space_trashed', 'space_deleted')
    ) AS forbidden_count,
    COUNT_IF(created_date IS NULL AND state = 'abandoned') AS abandoned_count,
    COUNT_IF(created_date IS NULL AND state IN ('pending', 'retry', 'settling')) AS waiting_count
  FROM message_ledger
  WHERE witnessed_date >= date_sub(current_date(), 30)
    AND first_event_time < current_timestamp() - INTERVAL 24 HOURS
  GROUP BY workspace_id
)
SELECT
  ROUND(stored_count / expected_count, 4) AS coverage_ratio,
  workspace_id,
  expected_count,
  stored_count,
  forbidden_count,
  abandoned_count,
  waiting_count
FROM counted
WHERE expected_count >= 10
ORDER BY coverage_ratio, workspace_id;
