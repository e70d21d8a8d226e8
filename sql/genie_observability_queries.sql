-- Genie observability: every query of the dashboard.
--
-- How to use this file: sql/README.md. What each query means and how to read it: docs/dashboards.md.
-- Parameters, the same everywhere: :workspace_id_filter (STRING: 'ALL', or ids separated by commas) and :days_lookback (INT, days).
-- Our tables carry no catalog and no schema: USE CATALOG and USE SCHEMA, the dashboard, or the preview supply them.
-- One dialect for Databricks SQL, Apache Spark 4 and Sail. All times are UTC. One block is one query; each ends in a semicolon.
--
-- Words used below:
--   asker      who wrote the question, from the message: e-mail, or application id of a service principal, or 'user <id> in <workspace>'
--   outcome    answered (SQL or text) · asked back (only a clarification came) · no answer (finished with nothing) · failed · cancelled ·
--              unfinished. A result that expired later was an answer.
--   finished   every outcome but unfinished; the n of each ratio of outcomes
--   helpful    POSITIVE ratings among POSITIVE and NEGATIVE ones
--   deleted    messages deleted in Genie were asked all the same: they count

-- ---------------------------------------------------------------------------------------------------------------------
-- Filters and the line on every page
-- ---------------------------------------------------------------------------------------------------------------------

-- query:   workspace_options
-- title:   Choices of the workspace filter
-- answers: Which workspaces can be chosen?
-- grain:   one row per choice: ALL, then each workspace with a Genie message
-- reads:   message_ledger
-- params:  none
SELECT 'ALL' AS workspace_id
UNION
SELECT workspace_id
FROM message_ledger
ORDER BY workspace_id DESC;

-- query:   lookback_options
-- title:   Choices of the time filter
-- answers: Which look-back windows can be chosen?
-- grain:   one row per window
-- reads:   none
-- params:  none
SELECT days_lookback
FROM VALUES (1), (7), (14), (30), (90), (180), (365) AS choices(days_lookback)
ORDER BY days_lookback;

-- query:   freshness
-- title:   How fresh and how complete is what you see?
-- answers: Up to when are the figures, and what is missing?
-- grain:   one row
-- reads:   message_ledger, ingestion_runs
-- params:  :workspace_id_filter (STRING; 'ALL', or ids separated by commas), :days_lookback (INT, days)
WITH ledger AS (
  SELECT
    COUNT(*) AS witnessed_count,
    COUNT_IF(created_date IS NOT NULL) AS stored_count,
    COUNT_IF(created_date IS NULL AND state IN ('deleted', 'not_found')) AS gone_count,
    COUNT_IF(created_date IS NULL AND state = 'forbidden') AS unreadable_count,
    COUNT_IF(state IN ('pending', 'retry', 'settling')) AS waiting_count,
    COUNT_IF(state = 'abandoned') AS given_up_count,
    MIN(CASE WHEN state IN ('pending', 'retry', 'settling') THEN first_event_time END) AS oldest_waiting_at
  FROM message_ledger
  WHERE witnessed_date >= date_sub(current_date(), :days_lookback)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
runs AS (
  SELECT
    MAX(watermark_after) AS audit_read_until_at,
    MAX(finished_at) AS last_run_at,
    MAX_BY(status, started_at) AS last_run_status
  FROM ingestion_runs
)
SELECT
  r.audit_read_until_at,
  r.last_run_at,
  COALESCE(r.last_run_status, 'no run yet') AS last_run_status,
  ROUND((unix_timestamp(current_timestamp()) - unix_timestamp(r.last_run_at)) / 3600.0, 1) AS hours_since_last_run,
  l.witnessed_count,
  l.stored_count,
  l.gone_count,
  try_divide(l.stored_count, GREATEST(l.witnessed_count - l.gone_count, l.stored_count)) AS stored_ratio,
  l.unreadable_count,
  l.waiting_count,
  l.given_up_count,
  l.oldest_waiting_at
FROM ledger AS l
CROSS JOIN runs AS r;

-- ---------------------------------------------------------------------------------------------------------------------
-- Overview
-- ---------------------------------------------------------------------------------------------------------------------

-- query:   period_comparison
-- title:   This window and the one before
-- answers: Is Genie used, does it answer, is it rated helpful, and is that better than in the window before?
-- grain:   one row
-- reads:   message_details
-- params:  :workspace_id_filter (STRING; 'ALL', or ids separated by commas), :days_lookback (INT, days)
WITH messages AS (
  SELECT
    created_date >= date_sub(current_date(), :days_lookback) AS is_current,
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    user_email IS NOT NULL AND user_email NOT LIKE '%@%' AS is_service_principal,
    CONCAT(workspace_id, ' ', conversation_id) AS conversation,
    CONCAT(workspace_id, ' ', space_id) AS space,
    status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED') AS is_finished,
    status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND COALESCE(query_sql, answer_text) IS NOT NULL AS is_answered,
    status = 'FAILED' AS is_failed,
    feedback_rating,
    CASE WHEN query_end_time >= created_at THEN (unix_millis(query_end_time) - unix_millis(created_at)) / 1000.0 END AS answer_seconds
  FROM message_details
  WHERE created_date >= date_sub(current_date(), 2 * :days_lookback + 1)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
windows AS (
  SELECT
    is_current,
    COUNT(*) AS message_count,
    COUNT(DISTINCT CASE WHEN NOT is_service_principal THEN asker END) AS active_user_count,
    COUNT(DISTINCT conversation) AS conversation_count,
    COUNT(DISTINCT space) AS space_count,
    COUNT_IF(is_finished) AS finished_count,
    try_divide(COUNT_IF(is_answered), COUNT_IF(is_finished)) AS answered_ratio,
    try_divide(COUNT_IF(is_failed), COUNT_IF(is_finished)) AS failed_ratio,
    COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE')) AS rated_count,
    try_divide(COUNT_IF(feedback_rating = 'POSITIVE'), COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE'))) AS helpful_ratio,
    COUNT(answer_seconds) AS timed_count,
    percentile(answer_seconds, 0.9) AS p90_answer_seconds
  FROM messages
  GROUP BY is_current
)
SELECT
  COALESCE(MAX(CASE WHEN is_current THEN message_count END), 0) AS message_count,
  COALESCE(MAX(CASE WHEN NOT is_current THEN message_count END), 0) AS previous_message_count,
  COALESCE(MAX(CASE WHEN is_current THEN active_user_count END), 0) AS active_user_count,
  COALESCE(MAX(CASE WHEN NOT is_current THEN active_user_count END), 0) AS previous_active_user_count,
  COALESCE(MAX(CASE WHEN is_current THEN conversation_count END), 0) AS conversation_count,
  COALESCE(MAX(CASE WHEN NOT is_current THEN conversation_count END), 0) AS previous_conversation_count,
  COALESCE(MAX(CASE WHEN is_current THEN space_count END), 0) AS space_count,
  COALESCE(MAX(CASE WHEN NOT is_current THEN space_count END), 0) AS previous_space_count,
  COALESCE(MAX(CASE WHEN is_current THEN finished_count END), 0) AS finished_count,
  MAX(CASE WHEN is_current THEN answered_ratio END) AS answered_ratio,
  MAX(CASE WHEN NOT is_current THEN answered_ratio END) AS previous_answered_ratio,
  MAX(CASE WHEN is_current THEN failed_ratio END) AS failed_ratio,
  MAX(CASE WHEN NOT is_current THEN failed_ratio END) AS previous_failed_ratio,
  COALESCE(MAX(CASE WHEN is_current THEN rated_count END), 0) AS rated_count,
  MAX(CASE WHEN is_current THEN helpful_ratio END) AS helpful_ratio,
  MAX(CASE WHEN NOT is_current THEN helpful_ratio END) AS previous_helpful_ratio,
  COALESCE(MAX(CASE WHEN is_current THEN timed_count END), 0) AS timed_count,
  MAX(CASE WHEN is_current THEN p90_answer_seconds END) AS p90_answer_seconds,
  MAX(CASE WHEN NOT is_current THEN p90_answer_seconds END) AS previous_p90_answer_seconds
FROM windows;

-- query:   message_outcomes
-- title:   What became of the questions?
-- answers: How many questions were answered, failed, cancelled or asked back, by day, workspace and space?
-- grain:   one row per created_date, workspace, space, outcome, kind of answer and kind of asker; sum message_count to any coarser grain
-- reads:   message_details, space_details
-- params:  :workspace_id_filter (STRING; 'ALL', or ids separated by commas), :days_lookback (INT, days)
WITH counted AS (
  SELECT
    created_date,
    workspace_id,
    space_id,
    CASE
      WHEN status = 'FAILED' THEN 'failed'
      WHEN status = 'CANCELLED' THEN 'cancelled'
      WHEN status NOT IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') OR status IS NULL THEN 'unfinished'
      WHEN COALESCE(query_sql, answer_text) IS NOT NULL THEN 'answered'
      WHEN clarification_text IS NOT NULL THEN 'asked back'
      ELSE 'no answer'
    END AS outcome,
    CASE
      WHEN query_sql IS NOT NULL THEN 'SQL'
      WHEN answer_text IS NOT NULL THEN 'text only'
      WHEN clarification_text IS NOT NULL THEN 'clarification'
      ELSE 'none'
    END AS answer_kind,
    CASE
      WHEN user_email LIKE '%@%' THEN 'person'
      WHEN user_email IS NOT NULL THEN 'service principal'
      ELSE 'unknown'
    END AS asker_kind,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    COUNT(*) AS message_count
  FROM message_details
  WHERE created_date >= date_sub(current_date(), :days_lookback)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT
  c.created_date,
  c.workspace_id,
  COALESCE(c.workspace_name, c.workspace_id) AS workspace,
  c.space_id,
  CONCAT(COALESCE(s.title, c.space_name, c.space_id, 'unknown space'), ' · ', COALESCE(c.workspace_name, c.workspace_id)) AS space,
  c.outcome,
  c.answer_kind,
  c.asker_kind,
  c.message_count
FROM counted AS c
LEFT JOIN space_details AS s
  ON s.workspace_id = c.workspace_id
  AND s.space_id = c.space_id
ORDER BY c.created_date, workspace, space, c.outcome, c.answer_kind, c.asker_kind;

-- query:   workspaces
-- title:   Which workspaces use Genie, and how well does it work there?
-- answers: Questions, people, outcomes, ratings and speed by workspace
-- grain:   one row per workspace
-- reads:   message_details
-- params:  :workspace_id_filter (STRING; 'ALL', or ids separated by commas), :days_lookback (INT, days)
SELECT
  workspace_id,
  COALESCE(MAX(workspace_name), workspace_id) AS workspace,
  COUNT(*) AS message_count,
  COUNT(DISTINCT CASE WHEN user_email LIKE '%@%' OR user_email IS NULL THEN COALESCE(LOWER(user_email), user_id) END) AS active_user_count,
  COUNT(DISTINCT space_id) AS space_count,
  COUNT(DISTINCT conversation_id) AS conversation_count,
  COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')) AS finished_count,
  try_divide(
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND COALESCE(query_sql, answer_text) IS NOT NULL),
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED'))
  ) AS answered_ratio,
  COUNT_IF(status = 'FAILED') AS failed_count,
  COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE')) AS rated_count,
  try_divide(COUNT_IF(feedback_rating = 'POSITIVE'), COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE'))) AS helpful_ratio,
  COUNT_IF(query_end_time >= created_at) AS timed_count,
  percentile(
    CASE WHEN query_end_time >= created_at THEN (unix_millis(query_end_time) - unix_millis(created_at)) / 1000.0 END, 0.9
  ) AS p90_answer_seconds,
  MAX(created_at) AS last_asked_at
FROM message_details
WHERE created_date >= date_sub(current_date(), :days_lookback)
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
GROUP BY workspace_id
ORDER BY message_count DESC, workspace;

-- ---------------------------------------------------------------------------------------------------------------------
-- Adoption
-- ---------------------------------------------------------------------------------------------------------------------

-- query:   active_users_by_day
-- title:   How many people ask, by day and in the 7 days up to it?
-- answers: Is use growing, and is it a daily or an occasional habit?
-- grain:   one row per created_date with at least one asker in the 7 days up to it; service principals are not people
-- reads:   message_details
-- params:  :workspace_id_filter (STRING; 'ALL', or ids separated by commas), :days_lookback (INT, days)
WITH asker_days AS (
  SELECT
    created_date,
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    COUNT(*) AS message_count
  FROM message_details
  -- Six days more than shown, so that the first 7-day figures are whole.
  WHERE created_date >= date_sub(current_date(), :days_lookback + 6)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND (user_email LIKE '%@%' OR user_email IS NULL)
  GROUP BY 1, 2
),
counted_days AS (
  SELECT
    asker,
    message_count,
    created_date AS asked_date,
    explode(sequence(created_date, date_add(created_date, 6))) AS counted_date
  FROM asker_days
)
SELECT
  counted_date AS created_date,
  COUNT(DISTINCT CASE WHEN asked_date = counted_date THEN asker END) AS daily_active_user_count,
  COUNT(DISTINCT asker) AS weekly_active_user_count,
  try_divide(COUNT(DISTINCT CASE WHEN asked_date = counted_date THEN asker END), COUNT(DISTINCT asker)) AS daily_of_weekly_ratio,
  COALESCE(SUM(CASE WHEN asked_date = counted_date THEN message_count END), 0) AS message_count
FROM counted_days
WHERE counted_date BETWEEN date_sub(current_date(), :days_lookback) AND current_date()
GROUP BY counted_date
ORDER BY counted_date;

