-- query:   failure_rate_jump
-- title:   Genie observability: more questions fail than usual
-- answers: By how much does the share of failed questions of the last 24 hours exceed that of the 28 days before?
-- grain:   one row; none with fewer than 20 finished questions in the last 24 hours or 100 before
-- reads:   message_details
-- params:  none
--
-- Chance is taken off first: jump_ratio is the difference of the two shares less twice its standard error, so that a few
-- failures on a quiet day alarm nobody.
WITH finished AS (
  SELECT
    created_at >= current_timestamp() - INTERVAL 24 HOURS AS is_recent,
    CASE WHEN status = 'FAILED' THEN 1 ELSE 0 END AS is_failed
  FROM message_details
  WHERE created_date >= date_sub(current_date(), 30)
    AND created_at >= current_timestamp() - INTERVAL 29 DAYS
    AND status IN ('COMPLETED', 'FAILED', 'CANCELLED', 'QUERY_RESULT_EXPIRED')
),
counted AS (
  SELECT
    COUNT_IF(is_recent) AS recent_count,
    COUNT_IF(NOT is_recent) AS usual_count,
    AVG(CASE WHEN is_recent THEN is_failed END) AS recent_failed_ratio,
    AVG(CASE WHEN NOT is_recent THEN is_failed END) AS usual_failed_ratio,
    AVG(is_failed) AS failed_ratio
  FROM finished
)
SELECT
  ROUND(
    recent_failed_ratio - usual_failed_ratio
    - 2 * SQRT(failed_ratio * (1 - failed_ratio) * (1 / recent_count + 1 / usual_count)),
    4
  ) AS jump_ratio,
  recent_failed_ratio,
  usual_failed_ratio,
  recent_count,
  usual_count
FROM counted
WHERE recent_count >= 20
  AND usual_count >= 100;
