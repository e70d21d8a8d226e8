-- query:   negative_ratings_jump
-- title:   Genie observability: more answers are rated badly than usual
-- answers: By how much does the share of negative ratings of the last 7 days exceed that of the 28 days before?
-- grain:   one row; none with fewer than 10 rated answers in the last 7 days or 20 before
-- reads:   message_details
-- params:  none
--
-- The API does not say when a rating was given, so an answer counts on the day of its question. Chance is taken off first:
-- jump_ratio is the difference of the two shares less twice its standard error.
WITH rated AS (
  SELECT
    created_at >= current_timestamp() - INTERVAL 7 DAYS AS is_recent,
    CASE WHEN feedback_rating = 'NEGATIVE' THEN 1 ELSE 0 END AS is_negative
  FROM message_details
  WHERE created_date >= date_sub(current_date(), 36)
    AND created_at >= current_timestamp() - INTERVAL 35 DAYS
    AND feedback_rating IN ('POSITIVE', 'NEGATIVE')
),
counted AS (
  SELECT
    COUNT_IF(is_recent) AS recent_count,
    COUNT_IF(NOT is_recent) AS usual_count,
    AVG(CASE WHEN is_recent THEN is_negative END) AS recent_negative_ratio,
    AVG(CASE WHEN NOT is_recent THEN is_negative END) AS usual_negative_ratio,
    AVG(is_negative) AS negative_ratio
  FROM rated
)
SELECT
  ROUND(
    recent_negative_ratio - usual_negative_ratio
    - 2 * SQRT(negative_ratio * (1 - negative_ratio) * (1 / recent_count + 1 / usual_count)),
    4
  ) AS jump_ratio,
  recent_negative_ratio,
  usual_negative_ratio,
  recent_count,
  usual_count
FROM counted
WHERE recent_count >= 10
  AND usual_count >= 20;
