-- Databricks notebook source
-- MAGIC %md
-- MAGIC # Genie observability
-- MAGIC
-- MAGIC The queries of the dashboard, one cell each, generated from `sql/genie_observability_queries.sql`: change them there.
-- MAGIC
-- MAGIC Run the next two cells first: they say where the tables are and make the two widgets.
-- MAGIC Needs a SQL warehouse or Databricks Runtime 15.2 or newer.
-- MAGIC
-- MAGIC * `workspace_id_filter`: `ALL`, or workspace ids separated by commas
-- MAGIC * `days_lookback`: days back from today (UTC)

-- COMMAND ----------

-- Where genie-obs keeps its tables; change both names if yours are elsewhere.
USE CATALOG main;
USE SCHEMA genie_analytics;

-- COMMAND ----------

CREATE WIDGET TEXT workspace_id_filter DEFAULT 'ALL';
CREATE WIDGET TEXT days_lookback DEFAULT '30';

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ## Filters and the line on every page

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Choices of the workspace filter
-- MAGIC
-- MAGIC Which workspaces can be chosen?
-- MAGIC
-- MAGIC `workspace_options`: one row per choice: ALL, then each workspace with a Genie message

-- COMMAND ----------

SELECT 'ALL' AS workspace_id
UNION
SELECT workspace_id
FROM message_ledger
ORDER BY workspace_id DESC;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Choices of the time filter
-- MAGIC
-- MAGIC Which look-back windows can be chosen?
-- MAGIC
-- MAGIC `lookback_options`: one row per window

-- COMMAND ----------

SELECT days_lookback
FROM VALUES (1), (7), (14), (30), (90), (180), (365) AS choices(days_lookback)
ORDER BY days_lookback;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### How fresh and how complete is what you see?
-- MAGIC
-- MAGIC Up to when are the figures, and what is missing?
-- MAGIC
-- MAGIC `freshness`: one row

-- COMMAND ----------

WITH ledger AS (
  SELECT
    COUNT(*) AS witnessed_count,
    COUNT_IF(created_date IS NOT NULL) AS stored_count,
    COUNT_IF(
      created_date IS NULL AND (state IN ('deleted', 'not_found', 'erased') OR (state = 'forbidden' AND reason_code IN ('space_trashed', 'space_deleted')))
    ) AS gone_count,
    COUNT_IF(
      created_date IS NULL AND state = 'forbidden' AND COALESCE(reason_code, '') NOT IN ('space_trashed', 'space_deleted')
    ) AS unreadable_count,
    COUNT_IF(state IN ('pending', 'retry', 'settling')) AS waiting_count,
    COUNT_IF(state = 'abandoned') AS given_up_count,
    MIN(CASE WHEN state IN ('pending', 'retry', 'settling') THEN first_event_time END) AS oldest_waiting_at
  FROM message_ledger
  WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
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
  ROUND((unix_timestamp(current_timestamp()) - unix_timestamp(r.last_run_at)) / 3600, 1) AS hours_since_last_run,
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

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ## Overview

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### This window and the one before
-- MAGIC
-- MAGIC Is Genie used, does it answer, is it rated helpful, and is that better than in the window before?
-- MAGIC
-- MAGIC `period_comparison`: one row

-- COMMAND ----------

WITH messages AS (
  SELECT
    created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AS is_current,
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    user_email IS NOT NULL AND user_email NOT LIKE '%@%' AS is_service_principal,
    CONCAT(workspace_id, ' ', conversation_id) AS conversation,
    CONCAT(workspace_id, ' ', space_id) AS space,
    status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED') AS is_finished,
    status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL) AS is_answered,
    status = 'FAILED' AS is_failed,
    feedback_rating,
    CASE WHEN query_end_time >= created_at THEN (unix_millis(query_end_time) - unix_millis(created_at)) / 1000 END AS answer_seconds
  FROM message_details
  WHERE created_date >= date_sub(current_date(), 2 * CAST(:days_lookback AS INT) + 1)
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

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What became of the questions?
-- MAGIC
-- MAGIC How many questions were answered, failed, cancelled or asked back, by day, workspace and space?
-- MAGIC
-- MAGIC `message_outcomes`: one row per created_date, workspace, space, outcome, kind of answer and kind of asker; sum message_count to any coarser grain

-- COMMAND ----------

WITH counted AS (
  SELECT
    created_date,
    workspace_id,
    space_id,
    CASE
      WHEN status = 'FAILED' THEN 'failed'
      WHEN status = 'CANCELLED' THEN 'cancelled'
      WHEN status NOT IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') OR status IS NULL THEN 'unfinished'
      WHEN query_sql IS NOT NULL OR answer_text IS NOT NULL THEN 'answered'
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
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
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
ORDER BY created_date, workspace, space, outcome, answer_kind, asker_kind;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which workspaces use Genie, and how well does it work there?
-- MAGIC
-- MAGIC Questions, people, outcomes, ratings and speed by workspace
-- MAGIC
-- MAGIC `workspaces`: one row per workspace

-- COMMAND ----------

SELECT
  workspace_id,
  COALESCE(MAX(workspace_name), workspace_id) AS workspace,
  COUNT(*) AS message_count,
  COUNT(DISTINCT CASE WHEN user_email LIKE '%@%' OR user_email IS NULL THEN COALESCE(LOWER(user_email), user_id) END) AS active_user_count,
  COUNT(DISTINCT space_id) AS space_count,
  COUNT(DISTINCT conversation_id) AS conversation_count,
  COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')) AS finished_count,
  try_divide(
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)),
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED'))
  ) AS answered_ratio,
  COUNT_IF(status = 'FAILED') AS failed_count,
  COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE')) AS rated_count,
  try_divide(COUNT_IF(feedback_rating = 'POSITIVE'), COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE'))) AS helpful_ratio,
  COUNT_IF(query_end_time >= created_at) AS timed_count,
  percentile(
    CASE WHEN query_end_time >= created_at THEN (unix_millis(query_end_time) - unix_millis(created_at)) / 1000 END, 0.9
  ) AS p90_answer_seconds,
  MAX(created_at) AS last_asked_at
FROM message_details
WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
GROUP BY workspace_id
ORDER BY message_count DESC, workspace;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ## Adoption

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### How many people ask, by day and in the 7 days up to it?
-- MAGIC
-- MAGIC Is use growing, and is it a daily or an occasional habit?
-- MAGIC
-- MAGIC `active_users_by_day`: one row per created_date with at least one asker in the 7 days up to it; service principals are not people

-- COMMAND ----------

WITH asker_days AS (
  SELECT
    created_date,
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    COUNT(*) AS message_count
  FROM message_details
  -- Six days more than shown, so that the first 7-day figures are whole.
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT) + 6)
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
WHERE counted_date BETWEEN date_sub(current_date(), CAST(:days_lookback AS INT)) AND current_date()
GROUP BY counted_date
ORDER BY counted_date;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Who comes, stays and comes back, by week?
-- MAGIC
-- MAGIC How many people are new, retained, returned or lapsed each week?
-- MAGIC
-- MAGIC `weekly_user_segments`: one row per week (from Monday) and segment; new means never seen before, in all the history stored

-- COMMAND ----------

WITH asker_days AS (
  SELECT
    workspace_id,
    user_email,
    user_id,
    created_date
  FROM message_details
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, user_email, user_id, created_date
),
asker_weeks AS (
  SELECT DISTINCT
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    CAST(date_trunc('WEEK', created_date) AS DATE) AS week_start_date
  FROM asker_days
  WHERE user_email LIKE '%@%' OR (user_email IS NULL AND user_id IS NOT NULL)
),
neighbours AS (
  SELECT
    asker,
    week_start_date,
    LAG(week_start_date) OVER (PARTITION BY asker ORDER BY week_start_date) AS previous_week,
    LEAD(week_start_date) OVER (PARTITION BY asker ORDER BY week_start_date) AS next_week
  FROM asker_weeks
),
segments AS (
  SELECT
    asker,
    week_start_date,
    CASE
      WHEN previous_week IS NULL THEN 'new'
      WHEN previous_week = date_sub(week_start_date, 7) THEN 'retained'
      ELSE 'returned'
    END AS segment
  FROM neighbours
  UNION ALL
  SELECT
    asker,
    date_add(week_start_date, 7) AS week_start_date,
    'lapsed' AS segment
  FROM neighbours
  WHERE next_week IS NULL OR next_week > date_add(week_start_date, 7)
)
SELECT
  week_start_date,
  segment,
  COUNT(*) AS user_count
FROM segments
WHERE week_start_date >= CAST(date_trunc('WEEK', date_sub(current_date(), CAST(:days_lookback AS INT))) AS DATE)
  -- Nobody has lapsed from a week that is not over.
  AND (segment <> 'lapsed' OR week_start_date < CAST(date_trunc('WEEK', current_date()) AS DATE))
GROUP BY week_start_date, segment
ORDER BY week_start_date, segment;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Do people who tried Genie come back?
-- MAGIC
-- MAGIC Of those who asked for the first time in a week, what share asks again one, two, three … weeks later?
-- MAGIC
-- MAGIC `user_cohorts`: one row per week of the first question (cohort) and weeks since then

-- COMMAND ----------

WITH asker_days AS (
  SELECT
    workspace_id,
    user_email,
    user_id,
    created_date
  FROM message_details
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, user_email, user_id, created_date
),
asker_weeks AS (
  SELECT DISTINCT
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    CAST(date_trunc('WEEK', created_date) AS DATE) AS week_start_date
  FROM asker_days
  WHERE user_email LIKE '%@%' OR (user_email IS NULL AND user_id IS NOT NULL)
),
first_weeks AS (
  SELECT
    asker,
    MIN(week_start_date) AS cohort_week
  FROM asker_weeks
  GROUP BY asker
),
cohorts AS (
  SELECT
    cohort_week,
    COUNT(*) AS cohort_user_count
  FROM first_weeks
  WHERE cohort_week >= CAST(date_trunc('WEEK', date_sub(current_date(), CAST(:days_lookback AS INT))) AS DATE)
  GROUP BY cohort_week
),
cells AS (
  SELECT
    cohort_week,
    cohort_user_count,
    explode(sequence(0, CAST(date_diff(current_date(), cohort_week) / 7 AS INT))) AS weeks_since_first
  FROM cohorts
),
returns AS (
  SELECT
    f.cohort_week,
    CAST(date_diff(w.week_start_date, f.cohort_week) / 7 AS INT) AS week_number,
    COUNT(*) AS returned_count
  FROM first_weeks AS f
  INNER JOIN asker_weeks AS w
    ON w.asker = f.asker
  GROUP BY 1, 2
)
SELECT
  c.cohort_week,
  CONCAT(CAST(c.cohort_week AS STRING), ' (n=', CAST(c.cohort_user_count AS STRING), ')') AS cohort,
  c.weeks_since_first,
  c.cohort_user_count,
  COALESCE(r.returned_count, 0) AS user_count,
  try_divide(COALESCE(r.returned_count, 0), c.cohort_user_count) AS retained_ratio
FROM cells AS c
LEFT JOIN returns AS r
  ON r.cohort_week = c.cohort_week
  AND r.week_number = c.weeks_since_first
ORDER BY cohort, weeks_since_first;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### How deep is the use?
-- MAGIC
-- MAGIC How many people asked once, a few times, often?
-- MAGIC
-- MAGIC `usage_depth`: one row per class of questions asked per person

-- COMMAND ----------

WITH askers AS (
  SELECT
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    COUNT(*) AS message_count
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND (user_email LIKE '%@%' OR (user_email IS NULL AND user_id IS NOT NULL))
  GROUP BY 1
),
classes AS (
  SELECT
    CASE
      WHEN message_count = 1 THEN '1 question'
      WHEN message_count <= 5 THEN '2 to 5'
      WHEN message_count <= 20 THEN '6 to 20'
      WHEN message_count <= 100 THEN '21 to 100'
      ELSE 'over 100'
    END AS questions_per_user,
    message_count
  FROM askers
)
SELECT
  questions_per_user,
  COUNT(*) AS user_count,
  SUM(message_count) AS message_count,
  MIN(message_count) AS least_message_count
FROM classes
GROUP BY questions_per_user
ORDER BY least_message_count;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Genie in the browser or through the API?
-- MAGIC
-- MAGIC How many questions come from the Genie page, how many from applications?
-- MAGIC
-- MAGIC `channel_by_day`: one row per day witnessed and channel; messages that could not be read count too

-- COMMAND ----------

WITH messages AS (
  SELECT
    witnessed_date,
    CASE
      WHEN array_contains(witnesses, 'genieStartConversationMessage') THEN 'API'
      WHEN array_contains(witnesses, 'genieCreateConversationMessage') THEN 'API'
      WHEN array_contains(witnesses, 'createConversationMessage') THEN 'Genie page'
      ELSE 'not seen being asked'
    END AS channel
  FROM message_ledger
  WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
)
SELECT
  witnessed_date,
  channel,
  COUNT(*) AS message_count
FROM messages
GROUP BY witnessed_date, channel
ORDER BY witnessed_date, channel;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### When do people ask?
-- MAGIC
-- MAGIC Which hours of the week are busy?
-- MAGIC
-- MAGIC `busy_hours`: one row per weekday (1 = Monday) and hour of the day (UTC) with a question

-- COMMAND ----------

WITH hours AS (
  SELECT
    CAST(created_at AS DATE) AS asked_date,
    hour(created_at) AS hour_of_day,
    workspace_id,
    user_email,
    user_id,
    COUNT(*) AS message_count
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND created_at IS NOT NULL
  GROUP BY 1, 2, 3, 4, 5
)
SELECT
  (dayofweek(asked_date) + 5) % 7 + 1 AS weekday_number,
  date_format(asked_date, 'E') AS weekday_name,
  hour_of_day,
  SUM(message_count) AS message_count,
  COUNT(DISTINCT COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id))) AS asker_count
FROM hours
GROUP BY 1, 2, 3
ORDER BY 1, 3;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### People or programs?
-- MAGIC
-- MAGIC How much is asked by people, how much by service principals, and does it work as well for both?
-- MAGIC
-- MAGIC `asker_kinds`: one row per workspace and kind of asker

-- COMMAND ----------

SELECT
  COALESCE(MAX(workspace_name), workspace_id) AS workspace,
  CASE
    WHEN user_email LIKE '%@%' THEN 'person'
    WHEN user_email IS NOT NULL THEN 'service principal'
    ELSE 'unknown'
  END AS asker_kind,
  COUNT(DISTINCT COALESCE(LOWER(user_email), user_id)) AS asker_count,
  COUNT(*) AS message_count,
  COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')) AS finished_count,
  try_divide(
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)),
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED'))
  ) AS answered_ratio,
  COUNT_IF(status = 'FAILED') AS failed_count,
  MAX(created_at) AS last_asked_at
FROM message_details
WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
GROUP BY workspace_id, 2
ORDER BY workspace, message_count DESC, asker_kind;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Who asks, and how does it go for them?
-- MAGIC
-- MAGIC Users with questions, outcomes, ratings; who is new, who is lost, who fails repeatedly, who works in several workspaces?
-- MAGIC
-- MAGIC `users`: one row per asker, across workspaces; activity of the window, first question of all the history stored

-- COMMAND ----------

WITH askers AS (
  SELECT
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id), 'unknown') AS asker,
    CASE
      WHEN MAX(user_email) LIKE '%@%' THEN 'person'
      WHEN MAX(user_email) IS NOT NULL THEN 'service principal'
      ELSE 'unknown'
    END AS asker_kind,
    MIN(created_at) AS first_asked_at,
    MAX(created_at) AS last_asked_at,
    MIN(created_date) AS first_asked_date,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))) AS message_count,
    COUNT_IF(
      created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
      AND status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')
    ) AS finished_count,
    COUNT_IF(
      created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
      AND status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED')
      AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)
    ) AS answered_count,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AND status = 'FAILED') AS failed_count,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AND feedback_rating = 'POSITIVE') AS positive_count,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AND feedback_rating = 'NEGATIVE') AS negative_count,
    COUNT(DISTINCT CASE WHEN created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) THEN created_date END) AS active_day_count,
    COUNT(DISTINCT CASE WHEN created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) THEN conversation_id END) AS conversation_count,
    COUNT(DISTINCT CASE WHEN created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) THEN space_id END) AS space_count,
    COUNT(DISTINCT CASE WHEN created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) THEN workspace_id END) AS workspace_count
  FROM message_details
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY 1
)
SELECT
  asker,
  asker_kind,
  CASE
    WHEN message_count = 0 THEN 'lost'
    WHEN first_asked_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) THEN 'new'
    WHEN active_day_count >= 8 THEN 'power user'
    ELSE 'active'
  END AS segment,
  message_count,
  conversation_count,
  active_day_count,
  space_count,
  workspace_count,
  finished_count,
  try_divide(answered_count, finished_count) AS answered_ratio,
  failed_count,
  positive_count,
  negative_count,
  CASE WHEN failed_count + negative_count >= 3 THEN 'yes' ELSE 'no' END AS needs_help,
  first_asked_at,
  last_asked_at
FROM askers
ORDER BY message_count DESC, last_asked_at DESC, asker;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Do visitors become askers?
-- MAGIC
-- MAGIC How many people open a space, and how many of them ask?
-- MAGIC
-- MAGIC `reach_and_depth`: one row per space that a person opened or asked; service principals and our own reads are no visitors

-- COMMAND ----------

WITH opened AS (
  -- The ledger knows who asked. Asking and waiting for the answer is most of the audit log: it is left out before the look-up in
  -- the map, and the rest is reduced to what is distinct before it is judged.
  SELECT
    workspace_id,
    request_params['space_id'] AS space_id,
    user_identity.email AS email,
    MAX(CASE WHEN COALESCE(response.status_code, 200) < 400 AND COALESCE(user_agent, '') NOT LIKE 'genie-obs/%' THEN 1 ELSE 0 END) AS is_visit
  FROM system.access.audit
  WHERE service_name = 'aibiGenie'
    AND event_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND action_name NOT IN (
      'createConversation', 'createConversationMessage', 'genieCreateConversationMessage', 'genieStartConversationMessage',
      'getConversationMessage', 'genieGetConversationMessage', 'getMessageQueryResult', 'genieGetMessageQueryResult',
      'getMessageAttachmentQueryResult', 'genieGetMessageAttachmentQueryResult', 'genieGetQueryResultByAttachment', 'getQueryResult'
    )
  GROUP BY 1, 2, 3
),
touches AS (
  SELECT
    workspace_id,
    space_id,
    email,
    0 AS is_asker
  FROM opened
  WHERE email LIKE '%@%'
    AND is_visit = 1
  UNION ALL
  SELECT
    workspace_id,
    space_id,
    user_email AS email,
    1 AS is_asker
  FROM message_ledger
  WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND user_email LIKE '%@%'
  GROUP BY workspace_id, space_id, user_email
  UNION ALL
  -- Whom the audit log did not name, SCIM may have.
  SELECT
    workspace_id,
    space_id,
    user_email AS email,
    1 AS is_asker
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND user_email LIKE '%@%'
  GROUP BY workspace_id, space_id, user_email
),
people AS (
  SELECT
    workspace_id,
    space_id,
    LOWER(email) AS person,
    MAX(is_asker) AS is_asker
  FROM touches
  GROUP BY 1, 2, 3
),
names AS (
  SELECT
    workspace_id,
    MAX(workspace_name) AS workspace_name
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
)
SELECT
  COALESCE(MAX(n.workspace_name), p.workspace_id) AS workspace,
  COALESCE(MAX(s.title), p.space_id) AS space,
  p.space_id,
  COUNT(*) AS visitor_count,
  SUM(p.is_asker) AS asker_count,
  COUNT(*) - SUM(p.is_asker) AS only_looked_count,
  try_divide(SUM(p.is_asker), COUNT(*)) AS asker_ratio
FROM people AS p
LEFT JOIN space_details AS s
  ON s.workspace_id = p.workspace_id
  AND s.space_id = p.space_id
LEFT JOIN names AS n
  ON n.workspace_id = p.workspace_id
GROUP BY p.workspace_id, p.space_id
-- MAX: else engines judge it before grouping, and look into the map of every event for it.
HAVING MAX(p.space_id) NOT IN ('', 'new')
ORDER BY visitor_count DESC, workspace, space;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What does the audit log count, by client?
-- MAGIC
-- MAGIC How much of the Genie traffic is people, applications, Databricks itself and our own reads, and how much is refused?
-- MAGIC
-- MAGIC `api_clients`: one row per client and kind of activity

-- COMMAND ----------

WITH kinds AS (
  -- First to what is distinct, then to names: the audit log is long. DISTINCT, since it may hold an event twice; by a number of
  -- 64 bits, not by the id's text: of five million events two share one in one account of a million, which then counts one too few.
  SELECT
    action_name,
    COALESCE(user_agent, '') LIKE 'genie-obs/%' AS is_ours,
    COALESCE(user_identity.email, user_identity.subject_name) = 'System-User' AS is_background,
    CASE WHEN COALESCE(user_identity.email, user_identity.subject_name) IS NOT NULL
      THEN xxhash64(COALESCE(user_identity.email, user_identity.subject_name)) END AS actor,
    COALESCE(response.status_code, 200) AS status_code,
    COUNT(DISTINCT xxhash64(event_id)) AS event_count,
    MAX(event_time) AS last_event_at
  FROM system.access.audit
  WHERE service_name = 'aibiGenie'
    AND event_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY 1, 2, 3, 4, 5
),
named AS (
  SELECT
    CASE
      WHEN is_ours THEN 'genie-obs (our own reads)'
      WHEN is_background THEN 'Databricks background'
      WHEN action_name LIKE 'genie%' THEN 'public API'
      ELSE 'Genie page'
    END AS client,
    CASE
      WHEN action_name IN ('createConversationMessage', 'genieCreateConversationMessage', 'genieStartConversationMessage') THEN 'questions'
      WHEN action_name RLIKE 'Feedback|Comment' THEN 'ratings and comments'
      WHEN action_name RLIKE '^(genieGet|genieList|get|list)' THEN 'reads'
      WHEN action_name RLIKE 'Download|executeFullQueryResult' THEN 'downloads'
      WHEN action_name RLIKE 'Space|Sample|ColumnConfig|Instruction|Evaluation|Benchmark' THEN 'configuration and benchmarks'
      ELSE 'other'
    END AS activity,
    actor,
    status_code,
    event_count,
    last_event_at
  FROM kinds
)
SELECT
  client,
  activity,
  SUM(event_count) AS event_count,
  COUNT(DISTINCT actor) AS actor_count,
  SUM(CASE WHEN status_code IN (403, 404) THEN event_count ELSE 0 END) AS refused_count,
  SUM(CASE WHEN status_code = 429 THEN event_count ELSE 0 END) AS throttled_count,
  SUM(CASE WHEN status_code >= 500 THEN event_count ELSE 0 END) AS server_error_count,
  try_divide(SUM(CASE WHEN status_code >= 400 THEN event_count ELSE 0 END), SUM(event_count)) AS unsuccessful_ratio,
  MAX(last_event_at) AS last_event_at
FROM named
GROUP BY client, activity
ORDER BY client, event_count DESC, activity;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ## Quality & failures

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Does Genie answer, and how fast?
-- MAGIC
-- MAGIC What share of the questions is answered, fails, is cancelled or needs a clarification, and how many seconds do answers take, day by day?
-- MAGIC
-- MAGIC `answers_by_day`: one row per created_date with a question; text answers with a rating are not timed, since the rating moves their last change

-- COMMAND ----------

WITH messages AS (
  SELECT
    created_date,
    status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED') AS is_finished,
    status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL) AS is_answered,
    status = 'FAILED' AS is_failed,
    status = 'CANCELLED' AS is_cancelled,
    clarification_text IS NOT NULL AS is_clarified,
    CASE WHEN query_end_time >= created_at THEN (unix_millis(query_end_time) - unix_millis(created_at)) / 1000 END AS answer_seconds,
    CASE WHEN query_start_time >= created_at THEN (unix_millis(query_start_time) - unix_millis(created_at)) / 1000 END AS thinking_seconds,
    CASE WHEN query_duration_ms >= 0 THEN query_duration_ms / 1000 END AS query_seconds,
    CASE
      WHEN query_sql IS NULL AND answer_text IS NOT NULL AND status = 'COMPLETED' AND feedback_rating IS NULL AND updated_timestamp >= created_timestamp
        THEN (updated_timestamp - created_timestamp) / 1000
    END AS text_seconds
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
days AS (
  SELECT
    created_date,
    COUNT(*) AS message_count,
    COUNT_IF(is_finished) AS finished_count,
    COUNT_IF(is_answered) AS answered_count,
    COUNT_IF(is_failed) AS failed_count,
    COUNT_IF(is_cancelled) AS cancelled_count,
    COUNT_IF(is_clarified AND is_finished) AS clarified_count,
    COUNT(answer_seconds) AS timed_count,
    percentile(answer_seconds, array(0.5, 0.9, 0.95)) AS answer_percentiles,
    percentile(thinking_seconds, 0.9) AS p90_thinking_seconds,
    percentile(query_seconds, 0.9) AS p90_query_seconds,
    COUNT(text_seconds) AS text_timed_count,
    percentile(text_seconds, 0.9) AS p90_text_seconds
  FROM messages
  GROUP BY created_date
)
SELECT
  created_date,
  message_count,
  finished_count,
  try_divide(answered_count, finished_count) AS answered_ratio,
  try_divide(failed_count, finished_count) AS failed_ratio,
  try_divide(cancelled_count, finished_count) AS cancelled_ratio,
  try_divide(clarified_count, finished_count) AS clarified_ratio,
  timed_count,
  answer_percentiles[0] AS p50_answer_seconds,
  answer_percentiles[1] AS p90_answer_seconds,
  answer_percentiles[2] AS p95_answer_seconds,
  p90_thinking_seconds,
  p90_query_seconds,
  text_timed_count,
  p90_text_seconds
FROM days
ORDER BY created_date;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What happens inside conversations?
-- MAGIC
-- MAGIC Is the first answer right, how many turns does it take, and do people give up after a failure, by space?
-- MAGIC
-- MAGIC `conversation_flow`: one row per space with a conversation that began in the window, and one row with space 'all spaces'

-- COMMAND ----------

WITH messages AS (
  SELECT
    workspace_id,
    conversation_id,
    space_id,
    workspace_name,
    space_name,
    created_at,
    created_date,
    CASE
      WHEN status NOT IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED') OR status IS NULL THEN 0
      WHEN status IN ('FAILED', 'CANCELLED') THEN 1
      WHEN query_sql IS NULL AND answer_text IS NULL THEN CASE WHEN clarification_text IS NULL THEN 1 ELSE 2 END
      WHEN feedback_rating = 'NEGATIVE' THEN 3
      ELSE 4
    END AS outcome
  FROM message_details
  -- A week more than shown, to know whether the first message seen is the first of its conversation.
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT) + 7)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
conversations AS (
  -- Outcomes as numbers: 0 unfinished, 1 trouble (failed, cancelled, no answer), 2 asked back, 3 answered and rated down, 4 answered.
  -- Time and outcome in one number give the first and the last outcome as a plain MIN and MAX, which every engine does in passing.
  SELECT
    workspace_id,
    space_id,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    COUNT(*) AS message_count,
    MIN(unix_micros(created_at) * 8 + outcome) % 8 AS first_outcome,
    MAX(unix_micros(created_at) * 8 + outcome) % 8 AS last_outcome,
    MAX(created_at) AS last_asked_at,
    COUNT_IF(outcome = 1) AS trouble_count,
    array_position(array_sort(collect_list(created_at)), MIN(CASE WHEN outcome >= 3 THEN created_at END)) AS turns_to_answer
  FROM messages
  GROUP BY workspace_id, space_id, conversation_id
  HAVING MIN(created_date) >= date_sub(current_date(), CAST(:days_lookback AS INT))
),
scoped AS (
  SELECT
    CONCAT(COALESCE(s.title, c.space_name, c.space_id, 'unknown space'), ' · ', COALESCE(c.workspace_name, c.workspace_id)) AS space,
    c.message_count,
    c.first_outcome > 0 AS is_first_finished,
    c.first_outcome = 4 AS is_first_answered,
    c.trouble_count > 0 AS is_troubled,
    -- Half an hour without another question is giving up; less may be thinking.
    c.last_outcome = 1 AND c.last_asked_at < current_timestamp() - INTERVAL 30 MINUTES AS is_abandoned,
    CASE WHEN c.turns_to_answer > 0 THEN c.turns_to_answer END AS turns_to_answer
  FROM conversations AS c
  LEFT JOIN space_details AS s
    ON s.workspace_id = c.workspace_id
    AND s.space_id = c.space_id
)
SELECT
  CASE WHEN GROUPING(space) = 1 THEN 'all spaces' ELSE space END AS space,
  COUNT(*) AS conversation_count,
  SUM(message_count) AS message_count,
  COUNT_IF(is_first_finished) AS first_finished_count,
  try_divide(COUNT_IF(is_first_answered), COUNT_IF(is_first_finished)) AS first_answer_ratio,
  COUNT_IF(is_troubled) AS troubled_conversation_count,
  try_divide(COUNT_IF(is_abandoned), COUNT_IF(is_troubled)) AS abandoned_ratio,
  COUNT(turns_to_answer) AS answered_conversation_count,
  percentile(turns_to_answer, 0.5) AS p50_turns_to_answer,
  percentile(turns_to_answer, 0.9) AS p90_turns_to_answer
FROM scoped
GROUP BY GROUPING SETS ((space), ())
HAVING COUNT(*) > 0
ORDER BY conversation_count DESC, space;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Where do people have to say it again?
-- MAGIC
-- MAGIC How many questions were asked again by the same person within two minutes, with at least half of the words in common?
-- MAGIC
-- MAGIC `rephrased_by_space`: one row per workspace and space asked

-- COMMAND ----------

WITH asked AS (
  SELECT
    workspace_id,
    space_id,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    COUNT(*) AS message_count
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, space_id
),
questions AS (
  SELECT
    workspace_id,
    space_id,
    -- Numbers to count and to join by instead of texts: of a million messages two share one in one account of thirty million, and two
    -- askers that do would have to ask within two minutes as well.
    xxhash64(workspace_id, message_id) AS message,
    created_at,
    content,
    xxhash64(workspace_id, conversation_id, COALESCE(LOWER(user_email), user_id)) AS person_in_conversation
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND conversation_id IS NOT NULL
    AND COALESCE(user_email, user_id) IS NOT NULL
),
quick_pairs AS (
  SELECT
    m.workspace_id,
    m.space_id,
    m.message,
    m.created_at,
    m.content AS question,
    n.content AS next_question,
    split(translate(LOWER(m.content), '?!.,;:', ''), ' ') AS words,
    split(translate(LOWER(n.content), '?!.,;:', ''), ' ') AS next_words
  FROM questions AS m
  INNER JOIN questions AS n
    ON n.person_in_conversation = m.person_in_conversation
    AND n.created_at > m.created_at
    AND n.created_at <= m.created_at + INTERVAL 2 MINUTES
),
judged AS (
  SELECT
    workspace_id,
    space_id,
    message,
    question,
    next_question,
    -- When, if it was rephrased. No WHERE: it would compare the words of every two questions of a conversation, before their times.
    CASE WHEN 2 * size(array_intersect(words, next_words)) >= size(array_union(words, next_words)) THEN created_at END AS rephrased_at
  FROM quick_pairs
),
rephrased AS (
  SELECT
    workspace_id,
    space_id,
    COUNT(DISTINCT CASE WHEN rephrased_at IS NOT NULL THEN message END) AS rephrased_count,
    MAX_BY(question, rephrased_at) AS latest_question,
    MAX_BY(next_question, rephrased_at) AS latest_rephrasing
  FROM judged
  GROUP BY workspace_id, space_id
)
SELECT
  COALESCE(a.workspace_name, a.workspace_id) AS workspace,
  COALESCE(s.title, a.space_name, a.space_id) AS space,
  a.message_count,
  COALESCE(r.rephrased_count, 0) AS rephrased_count,
  try_divide(COALESCE(r.rephrased_count, 0), a.message_count) AS rephrased_ratio,
  r.latest_question,
  r.latest_rephrasing
FROM asked AS a
LEFT JOIN rephrased AS r
  ON r.workspace_id = a.workspace_id
  AND r.space_id = a.space_id
LEFT JOIN space_details AS s
  ON s.workspace_id = a.workspace_id
  AND s.space_id = a.space_id
ORDER BY rephrased_count DESC, message_count DESC, space;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Where does Genie answer well, where badly?
-- MAGIC
-- MAGIC Outcomes, clarifications, regenerations and ratings by space
-- MAGIC
-- MAGIC `quality_by_space`: one row per workspace and space

-- COMMAND ----------

WITH regenerated AS (
  SELECT
    workspace_id,
    space_id,
    COUNT(*) AS regenerated_count
  FROM message_ledger
  WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND array_contains(witnesses, 'regenerateConversationMessage')
  GROUP BY workspace_id, space_id
),
counted AS (
  SELECT
    workspace_id,
    space_id,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    COUNT(*) AS message_count,
    COUNT(DISTINCT COALESCE(LOWER(user_email), user_id)) AS asker_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')) AS finished_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)) AS answered_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND query_sql IS NULL AND answer_text IS NOT NULL) AS text_only_count,
    COUNT_IF(status = 'FAILED') AS failed_count,
    COUNT_IF(status = 'CANCELLED') AS cancelled_count,
    COUNT_IF(clarification_text IS NOT NULL) AS clarified_count,
    COUNT_IF(feedback_rating = 'POSITIVE') AS positive_count,
    COUNT_IF(feedback_rating = 'NEGATIVE') AS negative_count
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, space_id
)
SELECT
  COALESCE(c.workspace_name, c.workspace_id) AS workspace,
  COALESCE(s.title, c.space_name, c.space_id) AS space,
  c.space_id,
  c.message_count,
  c.asker_count,
  c.finished_count,
  try_divide(c.answered_count, c.finished_count) AS answered_ratio,
  try_divide(c.text_only_count, c.answered_count) AS text_only_ratio,
  c.answered_count,
  try_divide(c.failed_count, c.finished_count) AS failed_ratio,
  try_divide(c.cancelled_count, c.finished_count) AS cancelled_ratio,
  try_divide(c.clarified_count, c.message_count) AS clarified_ratio,
  COALESCE(r.regenerated_count, 0) AS regenerated_count,
  c.positive_count + c.negative_count AS rated_count,
  try_divide(c.positive_count, c.positive_count + c.negative_count) AS helpful_ratio,
  c.negative_count
FROM counted AS c
LEFT JOIN regenerated AS r
  ON r.workspace_id = c.workspace_id
  AND r.space_id = c.space_id
LEFT JOIN space_details AS s
  ON s.workspace_id = c.workspace_id
  AND s.space_id = c.space_id
ORDER BY message_count DESC, workspace, space;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which questions failed, why, and who must act?
-- MAGIC
-- MAGIC Every failed question with its cause, the owner of the next step, and a link
-- MAGIC
-- MAGIC `failures`: one row per failed message (workspace_id, message_id)

-- COMMAND ----------

WITH error_types AS (
  SELECT
    error_type,
    cause_group,
    cause,
    owner,
    next_step
  FROM VALUES
      ('BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION', 'interrupted', 'The same message was run twice at once', 'asker', 'Wait for the first answer before running it again'),
      ('CHAT_COMPLETION_CLIENT_EXCEPTION', 'model service', 'The model service refused the request', 'Databricks support', 'Retry; if it repeats, open a ticket with the message id'),
      ('CHAT_COMPLETION_CLIENT_TIMEOUT_EXCEPTION', 'model service', 'The model did not answer in time', 'Databricks support', 'Retry; if it repeats, shorten instructions or open a ticket'),
      ('CHAT_COMPLETION_NETWORK_EXCEPTION', 'model service', 'The connection to the model service broke', 'Databricks support', 'Retry; if it repeats, check the status page of the region'),
      ('CONTENT_FILTER_EXCEPTION', 'content policy', 'The content filter stopped the question or the answer', 'space author', 'Read the question; reword instructions or sample values that trigger the filter'),
      ('CONTEXT_EXCEEDED_EXCEPTION', 'capacity and limits', 'Space and conversation together are too long for the model', 'space author', 'Remove tables and shorten instructions; ask in a new conversation'),
      ('COULD_NOT_GET_DASHBOARD_SCHEMA_EXCEPTION', 'space set-up', 'The schema of the dashboard behind the space could not be read', 'space author', 'Republish the dashboard; check that its datasets run'),
      ('COULD_NOT_GET_MODEL_DEPLOYMENTS_EXCEPTION', 'model service', 'The list of models could not be read', 'Databricks support', 'Retry; if it repeats, open a ticket'),
      ('COULD_NOT_GET_UC_SCHEMA_EXCEPTION', 'space set-up', 'The schema of a table could not be read from Unity Catalog', 'data owner', 'Check that the tables exist and that askers hold USE CATALOG, USE SCHEMA and SELECT'),
      ('DEPLOYMENT_NOT_FOUND_EXCEPTION', 'model service', 'The model is not there any more', 'Databricks support', 'Open a ticket; check that partner-powered AI features are on'),
      ('DESCRIBE_QUERY_INVALID_SQL_ERROR', 'generated SQL', 'The SQL that was made is not valid', 'space author', 'Add an example query for this question; describe the columns it mixed up'),
      ('DESCRIBE_QUERY_TIMEOUT', 'access and warehouse', 'Checking the SQL on the warehouse took too long', 'workspace admin', 'Check queueing and size of the warehouse of the space'),
      ('DESCRIBE_QUERY_UNEXPECTED_FAILURE', 'generated SQL', 'Checking the SQL failed', 'space author', 'Run the SQL by hand; add an example query'),
      ('EXCEEDED_MAX_TOKEN_LENGTH_EXCEPTION', 'capacity and limits', 'The answer would be longer than the model may write', 'space author', 'Remove tables and shorten instructions; split the question'),
      ('FUNCTIONS_NOT_AVAILABLE_EXCEPTION', 'space set-up', 'A function of the space is missing', 'space author', 'Restore the function or take it out of the space'),
      ('FUNCTION_ARGUMENTS_INVALID_EXCEPTION', 'space set-up', 'A function of the space was called with wrong arguments', 'space author', 'Describe the parameters of the function; add an example'),
      ('FUNCTION_ARGUMENTS_INVALID_JSON_EXCEPTION', 'model service', 'The model wrote arguments that cannot be read', 'Databricks support', 'Retry; if it repeats, simplify the parameters of the function'),
      ('FUNCTION_ARGUMENTS_INVALID_TYPE_EXCEPTION', 'space set-up', 'A function of the space was called with an argument of the wrong type', 'space author', 'Describe the types of the parameters; add an example'),
      ('FUNCTION_CALL_MISSING_PARAMETER_EXCEPTION', 'space set-up', 'A function of the space was called without a parameter it needs', 'space author', 'Give the parameter a default, or describe how to fill it'),
      ('GENERATED_SQL_QUERY_TOO_LONG_EXCEPTION', 'generated SQL', 'The SQL that was made is too long', 'space author', 'Offer a view that does the work; split the question'),
      ('GENERIC_CHAT_COMPLETION_EXCEPTION', 'model service', 'The model service failed', 'Databricks support', 'Retry; if it repeats, open a ticket'),
      ('GENERIC_CHAT_COMPLETION_SERVICE_EXCEPTION', 'model service', 'The model service answered with an error', 'Databricks support', 'Retry; if it repeats, check the status page of the region'),
      ('GENERIC_SQL_EXEC_API_CALL_EXCEPTION', 'access and warehouse', 'The statement could not be handed to the warehouse', 'workspace admin', 'Check that the warehouse runs and that askers may use it'),
      ('ILLEGAL_PARAMETER_DEFINITION_EXCEPTION', 'space set-up', 'A query of the space has a parameter that is not defined well', 'space author', 'Correct the parameters of the example queries'),
      ('INTERNAL_CATALOG_ASSET_CREATION_FAILED_EXCEPTION', 'Genie internals', 'An internal object could not be made', 'Databricks support', 'Open a ticket with the message id'),
      ('INTERNAL_CATALOG_ASSET_CREATION_ONGOING_EXCEPTION', 'Genie internals', 'An internal object is still being made', 'asker', 'Ask again in some minutes'),
      ('INTERNAL_CATALOG_ASSET_CREATION_UNSUPPORTED_EXCEPTION', 'Genie internals', 'An internal object cannot be made from these tables', 'space author', 'Use tables and views of Unity Catalog only'),
      ('INTERNAL_CATALOG_MISSING_UC_PATH_EXCEPTION', 'Genie internals', 'A table of the space has no path in Unity Catalog', 'space author', 'Take out the table and add it again from Unity Catalog'),
      ('INTERNAL_CATALOG_PATH_OVERLAP_EXCEPTION', 'Genie internals', 'Two tables of the space overlap in storage', 'data owner', 'Use one of the two, or give them locations of their own'),
      ('INVALID_CERTIFIED_ANSWER_FUNCTION_EXCEPTION', 'space set-up', 'A trusted function of the space is not valid', 'space author', 'Run the function by hand and correct it'),
      ('INVALID_CERTIFIED_ANSWER_IDENTIFIER_EXCEPTION', 'space set-up', 'A trusted answer names something that does not exist', 'space author', 'Correct the names in the trusted answers'),
      ('INVALID_CHAT_COMPLETION_JSON_EXCEPTION', 'model service', 'The model wrote an answer that cannot be read', 'Databricks support', 'Retry; if it repeats, open a ticket'),
      ('INVALID_COMPLETION_REQUEST_EXCEPTION', 'model service', 'The request to the model was not valid', 'Databricks support', 'Shorten instructions; if it repeats, open a ticket'),
      ('INVALID_FUNCTION_CALL_EXCEPTION', 'model service', 'The model called a function that does not exist', 'space author', 'Check the names of functions in the instructions'),
      ('INVALID_SQL_MULTIPLE_DATASET_REFERENCES_EXCEPTION', 'generated SQL', 'The SQL mixes datasets that may not be mixed', 'space author', 'Offer a joined view or join instructions'),
      ('INVALID_SQL_MULTIPLE_STATEMENTS_EXCEPTION', 'generated SQL', 'The SQL holds more than one statement', 'space author', 'Add an example query that does it in one statement'),
      ('INVALID_SQL_UNKNOWN_TABLE_EXCEPTION', 'generated SQL', 'The SQL names a table that is not in the space', 'space author', 'Add the table, or say in the instructions that it is not covered'),
      ('INVALID_TABLE_IDENTIFIER_EXCEPTION', 'space set-up', 'The name of a table cannot be read', 'space author', 'Take out the table and add it again by its three-part name'),
      ('LOCAL_CONTEXT_EXCEEDED_EXCEPTION', 'capacity and limits', 'The conversation has become too long', 'asker', 'Start a new conversation'),
      ('MESSAGE_ATTACHMENT_TOO_LONG_ERROR', 'capacity and limits', 'The answer is too large to be stored', 'asker', 'Ask for fewer rows or columns'),
      ('MESSAGE_CANCELLED_WHILE_EXECUTING_EXCEPTION', 'interrupted', 'The asker cancelled it', 'nobody', 'Nothing to do; if frequent, look at the waiting times'),
      ('MESSAGE_DELETED_WHILE_EXECUTING_EXCEPTION', 'interrupted', 'The message was deleted while it ran', 'nobody', 'Nothing to do'),
      ('MESSAGE_UPDATED_WHILE_EXECUTING_EXCEPTION', 'interrupted', 'The message was changed while it ran', 'nobody', 'Nothing to do'),
      ('MISSING_SQL_QUERY_EXCEPTION', 'generated SQL', 'No SQL was made where SQL was needed', 'space author', 'Add an example query for this question'),
      ('NO_DEPLOYMENTS_AVAILABLE_TO_WORKSPACE', 'model service', 'No model is available to the workspace', 'workspace admin', 'Switch on partner-powered AI features; check region and compliance profile'),
      ('NO_QUERY_TO_VISUALIZE_EXCEPTION', 'generated SQL', 'A chart was asked for without a result to draw', 'asker', 'Ask for the figures first, then for the chart'),
      ('NO_TABLES_TO_QUERY_EXCEPTION', 'space set-up', 'The space has no table the asker may read', 'space author', 'Add tables, or grant SELECT on them to the askers'),
      ('RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION', 'capacity and limits', 'Too many questions at once in the workspace', 'platform team', 'Spread API traffic; ask for a higher limit'),
      ('RATE_LIMIT_EXCEEDED_SPECIFIED_WAIT_EXCEPTION', 'capacity and limits', 'Too many questions at once; the service says how long to wait', 'platform team', 'Honour the waiting time in API clients; ask for a higher limit'),
      ('REPLY_PROCESS_TIMEOUT_EXCEPTION', 'capacity and limits', 'The whole answer took too long', 'space author', 'Look at the slow statements of the space; use a larger warehouse or smaller tables'),
      ('RETRYABLE_PROCESSING_EXCEPTION', 'Genie internals', 'A passing failure', 'asker', 'Ask again'),
      ('SQL_EXECUTION_EXCEPTION', 'generated SQL', 'The SQL ran and failed', 'space author', 'Read the SQL error; correct column descriptions or add an example query'),
      ('STOP_PROCESS_DUE_TO_AUTO_REGENERATE', 'interrupted', 'The answer was stopped to be made anew', 'nobody', 'Nothing to do'),
      ('TABLES_MISSING_EXCEPTION', 'space set-up', 'A table of the space no longer exists', 'space author', 'Restore the table, or take it out of the space'),
      ('TOO_MANY_CERTIFIED_ANSWERS_EXCEPTION', 'capacity and limits', 'The space has too many trusted answers', 'space author', 'Remove trusted answers that nobody needs'),
      ('TOO_MANY_TABLES_EXCEPTION', 'capacity and limits', 'The space has too many tables', 'space author', 'Split the space by topic'),
      ('UNEXPECTED_REPLY_PROCESS_EXCEPTION', 'Genie internals', 'An unexpected failure inside Genie', 'Databricks support', 'Retry; if it repeats, open a ticket with the message id'),
      ('UNKNOWN_AI_MODEL', 'model service', 'The model is not known', 'Databricks support', 'Open a ticket'),
      ('UNSUPPORTED_CONVERSATION_TYPE_EXCEPTION', 'Genie internals', 'This kind of conversation is not supported here', 'asker', 'Start a new conversation in the space'),
      ('WAREHOUSE_ACCESS_MISSING_EXCEPTION', 'access and warehouse', 'The asker may not use the warehouse of the space', 'workspace admin', 'Grant CAN USE on the warehouse to the askers'),
      ('WAREHOUSE_NOT_FOUND_EXCEPTION', 'access and warehouse', 'The warehouse of the space no longer exists', 'space author', 'Choose another warehouse in the settings of the space')
    AS known(error_type, cause_group, cause, owner, next_step)
),
hosts AS (
  SELECT
    workspace_id,
    MAX(CONCAT('https://', REGEXP_REPLACE(workspace_url, '^https?://|/+$', ''))) AS base_url
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
)
SELECT
  m.workspace_id,
  m.conversation_id,
  m.message_id,
  m.created_at,
  m.created_date,
  COALESCE(m.workspace_name, m.workspace_id) AS workspace,
  CONCAT(COALESCE(s.title, m.space_name, m.space_id, 'unknown space'), ' · ', COALESCE(m.workspace_name, m.workspace_id)) AS space,
  COALESCE(LOWER(m.user_email), CONCAT('user ', m.user_id, ' in ', m.workspace_id), 'unknown') AS asker,
  m.content AS question,
  COALESCE(m.error_type, 'none given') AS error_type,
  COALESCE(t.cause_group, CASE WHEN m.error_type IS NULL THEN 'no type given' ELSE 'unknown error type, new' END) AS cause_group,
  COALESCE(t.cause, CASE WHEN m.error_type IS NULL THEN 'The service gave no type' ELSE 'unknown error type, new' END) AS cause,
  COALESCE(t.owner, 'platform team') AS owner,
  COALESCE(t.next_step, 'Read the error message; if it repeats, open a ticket with the message id') AS next_step,
  m.error_message,
  m.query_sql,
  m.query_error_message,
  COALESCE(m.is_deleted, FALSE) AS is_deleted,
  CONCAT(h.base_url, '/genie/rooms/', m.space_id, '/chats/', m.conversation_id, '?o=', m.workspace_id) AS conversation_url
FROM message_details AS m
LEFT JOIN error_types AS t
  ON t.error_type = m.error_type
LEFT JOIN space_details AS s
  ON s.workspace_id = m.workspace_id
  AND s.space_id = m.space_id
LEFT JOIN hosts AS h
  ON h.workspace_id = m.workspace_id
WHERE m.created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), m.workspace_id))
  AND m.status = 'FAILED'
ORDER BY created_at DESC, message_id;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What makes questions fail, and what is the next step?
-- MAGIC
-- MAGIC Failed questions by error type, with cause, owner, next step; which types are new?
-- MAGIC
-- MAGIC `failure_causes`: one row per error type

-- COMMAND ----------

WITH error_types AS (
  SELECT
    error_type,
    cause_group,
    cause,
    owner,
    next_step
  FROM VALUES
      ('BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION', 'interrupted', 'The same message was run twice at once', 'asker', 'Wait for the first answer before running it again'),
      ('CHAT_COMPLETION_CLIENT_EXCEPTION', 'model service', 'The model service refused the request', 'Databricks support', 'Retry; if it repeats, open a ticket with the message id'),
      ('CHAT_COMPLETION_CLIENT_TIMEOUT_EXCEPTION', 'model service', 'The model did not answer in time', 'Databricks support', 'Retry; if it repeats, shorten instructions or open a ticket'),
      ('CHAT_COMPLETION_NETWORK_EXCEPTION', 'model service', 'The connection to the model service broke', 'Databricks support', 'Retry; if it repeats, check the status page of the region'),
      ('CONTENT_FILTER_EXCEPTION', 'content policy', 'The content filter stopped the question or the answer', 'space author', 'Read the question; reword instructions or sample values that trigger the filter'),
      ('CONTEXT_EXCEEDED_EXCEPTION', 'capacity and limits', 'Space and conversation together are too long for the model', 'space author', 'Remove tables and shorten instructions; ask in a new conversation'),
      ('COULD_NOT_GET_DASHBOARD_SCHEMA_EXCEPTION', 'space set-up', 'The schema of the dashboard behind the space could not be read', 'space author', 'Republish the dashboard; check that its datasets run'),
      ('COULD_NOT_GET_MODEL_DEPLOYMENTS_EXCEPTION', 'model service', 'The list of models could not be read', 'Databricks support', 'Retry; if it repeats, open a ticket'),
      ('COULD_NOT_GET_UC_SCHEMA_EXCEPTION', 'space set-up', 'The schema of a table could not be read from Unity Catalog', 'data owner', 'Check that the tables exist and that askers hold USE CATALOG, USE SCHEMA and SELECT'),
      ('DEPLOYMENT_NOT_FOUND_EXCEPTION', 'model service', 'The model is not there any more', 'Databricks support', 'Open a ticket; check that partner-powered AI features are on'),
      ('DESCRIBE_QUERY_INVALID_SQL_ERROR', 'generated SQL', 'The SQL that was made is not valid', 'space author', 'Add an example query for this question; describe the columns it mixed up'),
      ('DESCRIBE_QUERY_TIMEOUT', 'access and warehouse', 'Checking the SQL on the warehouse took too long', 'workspace admin', 'Check queueing and size of the warehouse of the space'),
      ('DESCRIBE_QUERY_UNEXPECTED_FAILURE', 'generated SQL', 'Checking the SQL failed', 'space author', 'Run the SQL by hand; add an example query'),
      ('EXCEEDED_MAX_TOKEN_LENGTH_EXCEPTION', 'capacity and limits', 'The answer would be longer than the model may write', 'space author', 'Remove tables and shorten instructions; split the question'),
      ('FUNCTIONS_NOT_AVAILABLE_EXCEPTION', 'space set-up', 'A function of the space is missing', 'space author', 'Restore the function or take it out of the space'),
      ('FUNCTION_ARGUMENTS_INVALID_EXCEPTION', 'space set-up', 'A function of the space was called with wrong arguments', 'space author', 'Describe the parameters of the function; add an example'),
      ('FUNCTION_ARGUMENTS_INVALID_JSON_EXCEPTION', 'model service', 'The model wrote arguments that cannot be read', 'Databricks support', 'Retry; if it repeats, simplify the parameters of the function'),
      ('FUNCTION_ARGUMENTS_INVALID_TYPE_EXCEPTION', 'space set-up', 'A function of the space was called with an argument of the wrong type', 'space author', 'Describe the types of the parameters; add an example'),
      ('FUNCTION_CALL_MISSING_PARAMETER_EXCEPTION', 'space set-up', 'A function of the space was called without a parameter it needs', 'space author', 'Give the parameter a default, or describe how to fill it'),
      ('GENERATED_SQL_QUERY_TOO_LONG_EXCEPTION', 'generated SQL', 'The SQL that was made is too long', 'space author', 'Offer a view that does the work; split the question'),
      ('GENERIC_CHAT_COMPLETION_EXCEPTION', 'model service', 'The model service failed', 'Databricks support', 'Retry; if it repeats, open a ticket'),
      ('GENERIC_CHAT_COMPLETION_SERVICE_EXCEPTION', 'model service', 'The model service answered with an error', 'Databricks support', 'Retry; if it repeats, check the status page of the region'),
      ('GENERIC_SQL_EXEC_API_CALL_EXCEPTION', 'access and warehouse', 'The statement could not be handed to the warehouse', 'workspace admin', 'Check that the warehouse runs and that askers may use it'),
      ('ILLEGAL_PARAMETER_DEFINITION_EXCEPTION', 'space set-up', 'A query of the space has a parameter that is not defined well', 'space author', 'Correct the parameters of the example queries'),
      ('INTERNAL_CATALOG_ASSET_CREATION_FAILED_EXCEPTION', 'Genie internals', 'An internal object could not be made', 'Databricks support', 'Open a ticket with the message id'),
      ('INTERNAL_CATALOG_ASSET_CREATION_ONGOING_EXCEPTION', 'Genie internals', 'An internal object is still being made', 'asker', 'Ask again in some minutes'),
      ('INTERNAL_CATALOG_ASSET_CREATION_UNSUPPORTED_EXCEPTION', 'Genie internals', 'An internal object cannot be made from these tables', 'space author', 'Use tables and views of Unity Catalog only'),
      ('INTERNAL_CATALOG_MISSING_UC_PATH_EXCEPTION', 'Genie internals', 'A table of the space has no path in Unity Catalog', 'space author', 'Take out the table and add it again from Unity Catalog'),
      ('INTERNAL_CATALOG_PATH_OVERLAP_EXCEPTION', 'Genie internals', 'Two tables of the space overlap in storage', 'data owner', 'Use one of the two, or give them locations of their own'),
      ('INVALID_CERTIFIED_ANSWER_FUNCTION_EXCEPTION', 'space set-up', 'A trusted function of the space is not valid', 'space author', 'Run the function by hand and correct it'),
      ('INVALID_CERTIFIED_ANSWER_IDENTIFIER_EXCEPTION', 'space set-up', 'A trusted answer names something that does not exist', 'space author', 'Correct the names in the trusted answers'),
      ('INVALID_CHAT_COMPLETION_JSON_EXCEPTION', 'model service', 'The model wrote an answer that cannot be read', 'Databricks support', 'Retry; if it repeats, open a ticket'),
      ('INVALID_COMPLETION_REQUEST_EXCEPTION', 'model service', 'The request to the model was not valid', 'Databricks support', 'Shorten instructions; if it repeats, open a ticket'),
      ('INVALID_FUNCTION_CALL_EXCEPTION', 'model service', 'The model called a function that does not exist', 'space author', 'Check the names of functions in the instructions'),
      ('INVALID_SQL_MULTIPLE_DATASET_REFERENCES_EXCEPTION', 'generated SQL', 'The SQL mixes datasets that may not be mixed', 'space author', 'Offer a joined view or join instructions'),
      ('INVALID_SQL_MULTIPLE_STATEMENTS_EXCEPTION', 'generated SQL', 'The SQL holds more than one statement', 'space author', 'Add an example query that does it in one statement'),
      ('INVALID_SQL_UNKNOWN_TABLE_EXCEPTION', 'generated SQL', 'The SQL names a table that is not in the space', 'space author', 'Add the table, or say in the instructions that it is not covered'),
      ('INVALID_TABLE_IDENTIFIER_EXCEPTION', 'space set-up', 'The name of a table cannot be read', 'space author', 'Take out the table and add it again by its three-part name'),
      ('LOCAL_CONTEXT_EXCEEDED_EXCEPTION', 'capacity and limits', 'The conversation has become too long', 'asker', 'Start a new conversation'),
      ('MESSAGE_ATTACHMENT_TOO_LONG_ERROR', 'capacity and limits', 'The answer is too large to be stored', 'asker', 'Ask for fewer rows or columns'),
      ('MESSAGE_CANCELLED_WHILE_EXECUTING_EXCEPTION', 'interrupted', 'The asker cancelled it', 'nobody', 'Nothing to do; if frequent, look at the waiting times'),
      ('MESSAGE_DELETED_WHILE_EXECUTING_EXCEPTION', 'interrupted', 'The message was deleted while it ran', 'nobody', 'Nothing to do'),
      ('MESSAGE_UPDATED_WHILE_EXECUTING_EXCEPTION', 'interrupted', 'The message was changed while it ran', 'nobody', 'Nothing to do'),
      ('MISSING_SQL_QUERY_EXCEPTION', 'generated SQL', 'No SQL was made where SQL was needed', 'space author', 'Add an example query for this question'),
      ('NO_DEPLOYMENTS_AVAILABLE_TO_WORKSPACE', 'model service', 'No model is available to the workspace', 'workspace admin', 'Switch on partner-powered AI features; check region and compliance profile'),
      ('NO_QUERY_TO_VISUALIZE_EXCEPTION', 'generated SQL', 'A chart was asked for without a result to draw', 'asker', 'Ask for the figures first, then for the chart'),
      ('NO_TABLES_TO_QUERY_EXCEPTION', 'space set-up', 'The space has no table the asker may read', 'space author', 'Add tables, or grant SELECT on them to the askers'),
      ('RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION', 'capacity and limits', 'Too many questions at once in the workspace', 'platform team', 'Spread API traffic; ask for a higher limit'),
      ('RATE_LIMIT_EXCEEDED_SPECIFIED_WAIT_EXCEPTION', 'capacity and limits', 'Too many questions at once; the service says how long to wait', 'platform team', 'Honour the waiting time in API clients; ask for a higher limit'),
      ('REPLY_PROCESS_TIMEOUT_EXCEPTION', 'capacity and limits', 'The whole answer took too long', 'space author', 'Look at the slow statements of the space; use a larger warehouse or smaller tables'),
      ('RETRYABLE_PROCESSING_EXCEPTION', 'Genie internals', 'A passing failure', 'asker', 'Ask again'),
      ('SQL_EXECUTION_EXCEPTION', 'generated SQL', 'The SQL ran and failed', 'space author', 'Read the SQL error; correct column descriptions or add an example query'),
      ('STOP_PROCESS_DUE_TO_AUTO_REGENERATE', 'interrupted', 'The answer was stopped to be made anew', 'nobody', 'Nothing to do'),
      ('TABLES_MISSING_EXCEPTION', 'space set-up', 'A table of the space no longer exists', 'space author', 'Restore the table, or take it out of the space'),
      ('TOO_MANY_CERTIFIED_ANSWERS_EXCEPTION', 'capacity and limits', 'The space has too many trusted answers', 'space author', 'Remove trusted answers that nobody needs'),
      ('TOO_MANY_TABLES_EXCEPTION', 'capacity and limits', 'The space has too many tables', 'space author', 'Split the space by topic'),
      ('UNEXPECTED_REPLY_PROCESS_EXCEPTION', 'Genie internals', 'An unexpected failure inside Genie', 'Databricks support', 'Retry; if it repeats, open a ticket with the message id'),
      ('UNKNOWN_AI_MODEL', 'model service', 'The model is not known', 'Databricks support', 'Open a ticket'),
      ('UNSUPPORTED_CONVERSATION_TYPE_EXCEPTION', 'Genie internals', 'This kind of conversation is not supported here', 'asker', 'Start a new conversation in the space'),
      ('WAREHOUSE_ACCESS_MISSING_EXCEPTION', 'access and warehouse', 'The asker may not use the warehouse of the space', 'workspace admin', 'Grant CAN USE on the warehouse to the askers'),
      ('WAREHOUSE_NOT_FOUND_EXCEPTION', 'access and warehouse', 'The warehouse of the space no longer exists', 'space author', 'Choose another warehouse in the settings of the space')
    AS known(error_type, cause_group, cause, owner, next_step)
),
failed AS (
  SELECT
    error_type,
    created_at,
    created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AS is_in_window,
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    CONCAT(workspace_id, ' ', space_id) AS space
  FROM message_details
  -- All the history stored, to tell new types from old ones.
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND status = 'FAILED'
),
counted AS (
  SELECT
    error_type,
    COUNT_IF(is_in_window) AS failed_count,
    COUNT(DISTINCT CASE WHEN is_in_window THEN asker END) AS asker_count,
    COUNT(DISTINCT CASE WHEN is_in_window THEN space END) AS space_count,
    MIN(created_at) AS first_seen_at,
    MAX(created_at) AS last_seen_at,
    MIN(CASE WHEN NOT is_in_window THEN 1 END) IS NULL AS is_new
  FROM failed
  GROUP BY error_type
)
SELECT
  COALESCE(c.error_type, 'none given') AS error_type,
  COALESCE(t.cause_group, CASE WHEN c.error_type IS NULL THEN 'no type given' ELSE 'unknown error type, new' END) AS cause_group,
  COALESCE(t.cause, CASE WHEN c.error_type IS NULL THEN 'The service gave no type' ELSE 'unknown error type, new' END) AS cause,
  COALESCE(t.owner, 'platform team') AS owner,
  COALESCE(t.next_step, 'Read the error message; if it repeats, open a ticket with the message id') AS next_step,
  c.failed_count,
  try_divide(c.failed_count, SUM(c.failed_count) OVER ()) AS failed_ratio,
  SUM(c.failed_count) OVER () AS all_failed_count,
  c.asker_count,
  c.space_count,
  CASE WHEN c.is_new THEN 'first seen in this window' ELSE 'seen before' END AS novelty,
  c.first_seen_at,
  c.last_seen_at
FROM counted AS c
LEFT JOIN error_types AS t
  ON t.error_type = c.error_type
WHERE c.failed_count > 0
ORDER BY failed_count DESC, error_type;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Are the answers rated helpful?
-- MAGIC
-- MAGIC How many answers are rated, and how many of the ratings are positive, week by week?
-- MAGIC
-- MAGIC `ratings_by_week`: one row per week (from Monday) in which questions were asked

-- COMMAND ----------

SELECT
  CAST(date_trunc('WEEK', created_date) AS DATE) AS week_start_date,
  COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)) AS answered_count,
  COUNT_IF(feedback_rating = 'POSITIVE') AS positive_count,
  COUNT_IF(feedback_rating = 'NEGATIVE') AS negative_count,
  COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE')) AS rated_count,
  try_divide(COUNT_IF(feedback_rating = 'POSITIVE'), COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE'))) AS helpful_ratio,
  try_divide(COUNT_IF(feedback_rating IN ('POSITIVE', 'NEGATIVE')), COUNT(*)) AS rated_ratio,
  COUNT(*) AS message_count
FROM message_details
WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
GROUP BY 1
ORDER BY week_start_date;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which answers need a look?
-- MAGIC
-- MAGIC Negative ratings, comments and review requests, newest first, with the question, the answer and a link
-- MAGIC
-- MAGIC `feedback_work_list`: one row per message with a negative rating, a rating comment or a comment or review request in Genie; newest 1,000

-- COMMAND ----------

WITH hosts AS (
  SELECT
    workspace_id,
    MAX(CONCAT('https://', REGEXP_REPLACE(workspace_url, '^https?://|/+$', ''))) AS base_url
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
),
commented AS (
  SELECT
    workspace_id,
    message_id
  FROM message_ledger
  -- A week more: a message may be witnessed before the day it is stored under.
  WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT) + 7)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND array_contains(witnesses, 'createConversationMessageComment')
)
SELECT
  m.workspace_id,
  m.conversation_id,
  m.message_id,
  CASE
    WHEN m.feedback_rating = 'NEGATIVE' AND c.message_id IS NOT NULL THEN 'negative, and commented in Genie'
    WHEN m.feedback_rating = 'NEGATIVE' THEN 'negative'
    WHEN c.message_id IS NOT NULL THEN 'commented in Genie'
    ELSE 'comment with a rating'
  END AS reason,
  m.created_at,
  date_diff(current_date(), m.created_date) AS age_days,
  COALESCE(m.workspace_name, m.workspace_id) AS workspace,
  CONCAT(COALESCE(s.title, m.space_name, m.space_id, 'unknown space'), ' · ', COALESCE(m.workspace_name, m.workspace_id)) AS space,
  COALESCE(LOWER(m.user_email), CONCAT('user ', m.user_id, ' in ', m.workspace_id), 'unknown') AS asker,
  m.content AS question,
  m.feedback_rating,
  m.feedback_comment,
  m.answer_text,
  m.query_sql,
  m.status,
  m.error_type,
  CONCAT(h.base_url, '/genie/rooms/', m.space_id, '/chats/', m.conversation_id, '?o=', m.workspace_id) AS conversation_url
FROM message_details AS m
LEFT JOIN commented AS c
  ON c.workspace_id = m.workspace_id
  AND c.message_id = m.message_id
LEFT JOIN space_details AS s
  ON s.workspace_id = m.workspace_id
  AND s.space_id = m.space_id
LEFT JOIN hosts AS h
  ON h.workspace_id = m.workspace_id
WHERE m.created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), m.workspace_id))
  AND (m.feedback_rating = 'NEGATIVE' OR COALESCE(m.feedback_comment, '') <> '' OR c.message_id IS NOT NULL)
ORDER BY created_at DESC, message_id
LIMIT 1000;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Where does Genie ask back?
-- MAGIC
-- MAGIC Questions that Genie could not answer without asking, and what it asked: candidates for instructions and synonyms
-- MAGIC
-- MAGIC `clarifications`: one row per message with a clarification; newest 1,000

-- COMMAND ----------

WITH hosts AS (
  SELECT
    workspace_id,
    MAX(CONCAT('https://', REGEXP_REPLACE(workspace_url, '^https?://|/+$', ''))) AS base_url
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
)
SELECT
  m.workspace_id,
  m.conversation_id,
  m.message_id,
  m.created_at,
  COALESCE(m.workspace_name, m.workspace_id) AS workspace,
  CONCAT(COALESCE(s.title, m.space_name, m.space_id, 'unknown space'), ' · ', COALESCE(m.workspace_name, m.workspace_id)) AS space,
  COALESCE(LOWER(m.user_email), CONCAT('user ', m.user_id, ' in ', m.workspace_id), 'unknown') AS asker,
  m.content AS question,
  m.clarification_text,
  m.status,
  CONCAT(h.base_url, '/genie/rooms/', m.space_id, '/chats/', m.conversation_id, '?o=', m.workspace_id) AS conversation_url
FROM message_details AS m
LEFT JOIN space_details AS s
  ON s.workspace_id = m.workspace_id
  AND s.space_id = m.space_id
LEFT JOIN hosts AS h
  ON h.workspace_id = m.workspace_id
WHERE m.created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), m.workspace_id))
  AND m.clarification_text IS NOT NULL
ORDER BY created_at DESC, message_id
LIMIT 1000;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What is asked again and again?
-- MAGIC
-- MAGIC The most frequent questions, numbers and punctuation aside, with how they end: candidates for example queries and certified answers
-- MAGIC
-- MAGIC `question_families`: one row per space and question family asked at least twice; top 500

-- COMMAND ----------

WITH wordings AS (
  -- First to what is different, then to families: words that many use are taken apart once.
  SELECT
    workspace_id,
    space_id,
    content,
    user_email,
    user_id,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    COUNT(*) AS wording_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')) AS wording_finished_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)) AS wording_answered_count,
    COUNT_IF(status = 'FAILED') AS wording_failed_count,
    COUNT_IF(feedback_rating = 'POSITIVE') AS wording_positive_count,
    COUNT_IF(feedback_rating = 'NEGATIVE') AS wording_negative_count,
    MAX(created_at) AS wording_asked_at
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND content <> '[not kept]'  -- nor NULL; policy metrics_only and erasing leave these words for every question
  GROUP BY workspace_id, space_id, content, user_email, user_id
),
families AS (
  SELECT
    workspace_id,
    space_id,
    TRIM(REGEXP_REPLACE(REGEXP_REPLACE(LOWER(content), '[0-9]+', '#'), '[^\\p{L}#]+', ' ')) AS question_family,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    MAX_BY(content, wording_asked_at) AS latest_question,
    SUM(wording_count) AS message_count,
    COUNT(DISTINCT COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id))) AS asker_count,
    SUM(wording_finished_count) AS finished_count,
    SUM(wording_answered_count) AS answered_count,
    SUM(wording_failed_count) AS failed_count,
    SUM(wording_positive_count) AS positive_count,
    SUM(wording_negative_count) AS negative_count,
    MAX(wording_asked_at) AS last_asked_at
  FROM wordings
  GROUP BY 1, 2, 3
  HAVING SUM(wording_count) >= 2
)
SELECT
  CONCAT(COALESCE(s.title, f.space_name, f.space_id, 'unknown space'), ' · ', COALESCE(f.workspace_name, f.workspace_id)) AS space,
  f.latest_question,
  f.message_count,
  f.asker_count,
  f.finished_count,
  try_divide(f.answered_count, f.finished_count) AS answered_ratio,
  f.failed_count,
  f.positive_count,
  f.negative_count,
  f.last_asked_at
FROM families AS f
LEFT JOIN space_details AS s
  ON s.workspace_id = f.workspace_id
  AND s.space_id = f.space_id
ORDER BY message_count DESC, last_asked_at DESC, latest_question
LIMIT 500;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ## Conversations

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### How do conversations go?
-- MAGIC
-- MAGIC Every conversation with its length, troubles and ending; which are struggling?
-- MAGIC
-- MAGIC `conversations`: one row per conversation with a message in the window; messages before the window are not counted; newest 10,000

-- COMMAND ----------

WITH messages AS (
  SELECT
    workspace_id,
    conversation_id,
    message_id,
    space_id,
    workspace_name,
    space_name,
    created_at,
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker,
    content,
    feedback_rating,
    CASE
      WHEN status = 'FAILED' THEN 'failed'
      WHEN status = 'CANCELLED' THEN 'cancelled'
      WHEN status NOT IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') OR status IS NULL THEN 'unfinished'
      WHEN query_sql IS NOT NULL OR answer_text IS NOT NULL THEN 'answered'
      WHEN clarification_text IS NOT NULL THEN 'asked back'
      ELSE 'no answer'
    END AS outcome
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
newest AS (
  SELECT
    workspace_id,
    conversation_id,
    MIN(created_at) AS started_at,
    MAX(created_at) AS last_asked_at,
    COUNT(*) AS message_count,
    COUNT_IF(outcome = 'answered') AS answered_count,
    COUNT_IF(outcome = 'failed') AS failed_count,
    COUNT_IF(outcome = 'asked back') AS asked_back_count,
    COUNT_IF(outcome IN ('no answer', 'cancelled')) AS unanswered_count,
    COUNT_IF(feedback_rating = 'NEGATIVE') AS negative_count
  FROM messages
  GROUP BY workspace_id, conversation_id
  ORDER BY last_asked_at DESC, conversation_id
  LIMIT 10000
),
-- Texts are looked up for these only: the first and the last question of each.
described AS (
  SELECT
    n.workspace_id,
    n.conversation_id,
    MIN_BY(f.message_id, f.created_at) AS message_id,
    MIN_BY(f.space_id, f.created_at) AS space_id,
    MAX(f.workspace_name) AS workspace_name,
    MAX(f.space_name) AS space_name,
    MIN_BY(f.asker, f.created_at) AS asker,
    MIN_BY(f.content, f.created_at) AS first_question,
    MAX_BY(f.outcome, f.created_at) AS last_outcome,
    MAX(n.started_at) AS started_at,
    MAX(n.last_asked_at) AS last_asked_at,
    MAX(n.message_count) AS message_count,
    MAX(n.answered_count) AS answered_count,
    MAX(n.failed_count) AS failed_count,
    MAX(n.asked_back_count) AS asked_back_count,
    MAX(n.unanswered_count) AS unanswered_count,
    MAX(n.negative_count) AS negative_count
  FROM newest AS n
  INNER JOIN messages AS f
    ON f.conversation_id = n.conversation_id
    AND f.workspace_id = n.workspace_id
    AND (f.created_at = n.started_at OR f.created_at = n.last_asked_at)
  GROUP BY n.workspace_id, n.conversation_id
),
hosts AS (
  SELECT
    workspace_id,
    MAX(CONCAT('https://', REGEXP_REPLACE(workspace_url, '^https?://|/+$', ''))) AS base_url
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
)
SELECT
  m.workspace_id,
  m.conversation_id,
  m.message_id,
  m.started_at,
  m.last_asked_at,
  COALESCE(m.workspace_name, m.workspace_id) AS workspace,
  CONCAT(COALESCE(s.title, m.space_name, m.space_id, 'unknown space'), ' · ', COALESCE(m.workspace_name, m.workspace_id)) AS space,
  COALESCE(m.asker, 'unknown') AS asker,
  m.first_question,
  m.message_count,
  CASE
    WHEN m.message_count = 1 THEN '1 question'
    WHEN m.message_count = 2 THEN '2 questions'
    WHEN m.message_count <= 5 THEN '3 to 5'
    WHEN m.message_count <= 10 THEN '6 to 10'
    ELSE 'over 10'
  END AS length_class,
  ROUND((unix_timestamp(m.last_asked_at) - unix_timestamp(m.started_at)) / 60, 1) AS duration_minutes,
  m.answered_count,
  m.failed_count,
  m.asked_back_count,
  m.unanswered_count,
  m.negative_count,
  m.failed_count + m.unanswered_count + m.asked_back_count + m.negative_count AS trouble_count,
  CASE
    WHEN m.last_outcome = 'unfinished' THEN 'still running'
    WHEN m.last_outcome = 'asked back' THEN 'ended with a question back'
    WHEN m.last_outcome IN ('failed', 'no answer', 'cancelled') THEN 'ended without an answer'
    WHEN m.failed_count + m.unanswered_count + m.asked_back_count + m.negative_count > 0 THEN 'answered after trouble'
    ELSE 'answered smoothly'
  END AS ending,
  CASE
    WHEN m.failed_count + m.unanswered_count + m.asked_back_count + m.negative_count >= 2 THEN 'struggling'
    ELSE 'not struggling'
  END AS struggle,
  CONCAT(h.base_url, '/genie/rooms/', m.space_id, '/chats/', m.conversation_id, '?o=', m.workspace_id) AS conversation_url
FROM described AS m
LEFT JOIN space_details AS s
  ON s.workspace_id = m.workspace_id
  AND s.space_id = m.space_id
LEFT JOIN hosts AS h
  ON h.workspace_id = m.workspace_id
ORDER BY last_asked_at DESC, conversation_id;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What was asked, and what was answered?
-- MAGIC
-- MAGIC The latest questions with answer, SQL, status, rating and link, failed and text-only ones included
-- MAGIC
-- MAGIC `latest_questions`: one row per message; newest 1,000

-- COMMAND ----------

WITH hosts AS (
  SELECT
    workspace_id,
    MAX(CONCAT('https://', REGEXP_REPLACE(workspace_url, '^https?://|/+$', ''))) AS base_url
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
)
SELECT
  m.workspace_id,
  m.conversation_id,
  m.message_id,
  m.created_at,
  COALESCE(m.workspace_name, m.workspace_id) AS workspace,
  CONCAT(COALESCE(s.title, m.space_name, m.space_id, 'unknown space'), ' · ', COALESCE(m.workspace_name, m.workspace_id)) AS space,
  COALESCE(LOWER(m.user_email), CONCAT('user ', m.user_id, ' in ', m.workspace_id), 'unknown') AS asker,
  m.content AS question,
  m.status,
  m.answer_text,
  m.clarification_text,
  m.query_title,
  m.query_sql,
  m.query_row_count,
  m.query_duration_ms / 1000 AS query_seconds,
  m.feedback_rating,
  m.feedback_comment,
  m.error_type,
  m.error_message,
  CASE WHEN m.is_deleted THEN 'yes' ELSE 'no' END AS is_deleted_in_genie,
  CONCAT(h.base_url, '/genie/rooms/', m.space_id, '/chats/', m.conversation_id, '?o=', m.workspace_id) AS conversation_url
FROM message_details AS m
LEFT JOIN space_details AS s
  ON s.workspace_id = m.workspace_id
  AND s.space_id = m.space_id
LEFT JOIN hosts AS h
  ON h.workspace_id = m.workspace_id
WHERE m.created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), m.workspace_id))
ORDER BY created_at DESC, message_id
LIMIT 1000;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What was said in a conversation?
-- MAGIC
-- MAGIC All messages of the conversations in scope, in order; filter by workspace_id and conversation_id to read one
-- MAGIC
-- MAGIC `conversation_transcript`: one row per message of the window and the 30 days before it, so that a conversation is whole; in order inside each conversation

-- COMMAND ----------

SELECT
  m.workspace_id,
  m.conversation_id,
  m.message_id,
  m.created_at,
  COALESCE(m.workspace_name, m.workspace_id) AS workspace,
  CONCAT(COALESCE(s.title, m.space_name, m.space_id, 'unknown space'), ' · ', COALESCE(m.workspace_name, m.workspace_id)) AS space,
  COALESCE(LOWER(m.user_email), CONCAT('user ', m.user_id, ' in ', m.workspace_id), 'unknown') AS asker,
  m.content AS question,
  m.status,
  m.answer_text,
  m.clarification_text,
  m.suggested_questions,
  m.query_title,
  m.query_description,
  m.query_sql,
  m.query_row_count,
  m.query_execution_status,
  CASE
    WHEN m.query_start_time >= m.created_at THEN (unix_millis(m.query_start_time) - unix_millis(m.created_at)) / 1000
  END AS thinking_seconds,
  m.query_duration_ms / 1000 AS query_seconds,
  m.feedback_rating,
  m.feedback_comment,
  m.error_type,
  m.error_message,
  m.query_error_message,
  CASE WHEN m.is_deleted THEN 'yes' ELSE 'no' END AS is_deleted_in_genie
FROM message_details AS m
LEFT JOIN space_details AS s
  ON s.workspace_id = m.workspace_id
  AND s.space_id = m.space_id
WHERE m.created_date >= date_sub(current_date(), CAST(:days_lookback AS INT) + 30)
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), m.workspace_id))
-- Ids begin with the time, as far as seen: the newest conversation first.
ORDER BY conversation_id DESC, workspace_id, created_at, message_id;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ## Performance

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Where does the time go?
-- MAGIC
-- MAGIC How long Genie thinks, waits for the warehouse, compiles, executes and fetches: p50, p90, p95 of each part
-- MAGIC
-- MAGIC `latency_parts`: one row per part; percentiles of parts do not add up to percentiles of the whole

-- COMMAND ----------

WITH statements AS (
  SELECT
    workspace_id,
    statement_id,
    -- A statement may be published again, with figures that only grow.
    MAX(waiting_for_compute_duration_ms) AS waiting_for_compute_ms,
    MAX(waiting_at_capacity_duration_ms) AS waiting_at_capacity_ms,
    MAX(compilation_duration_ms) AS compilation_ms,
    MAX(execution_duration_ms) AS execution_ms,
    MAX(result_fetch_duration_ms) AS result_fetch_ms
  FROM system.query.history
  -- A day of slack each side of the question.
  WHERE start_time >= CAST(date_sub(current_date(), CAST(:days_lookback AS INT) + 1) AS TIMESTAMP)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND (query_source.genie_space_id IS NOT NULL OR client_application IN ('Databricks SQL Genie Space', 'DatabricksGenie'))
  GROUP BY workspace_id, statement_id
),
timed AS (
  SELECT
    CASE
      WHEN m.query_start_time >= m.created_at THEN (unix_millis(m.query_start_time) - unix_millis(m.created_at)) / 1000
    END AS thinking_seconds,
    CASE WHEN h.waiting_for_compute_ms >= 0 THEN h.waiting_for_compute_ms / 1000 END AS waiting_for_compute_seconds,
    CASE WHEN h.waiting_at_capacity_ms >= 0 THEN h.waiting_at_capacity_ms / 1000 END AS waiting_at_capacity_seconds,
    CASE WHEN h.compilation_ms >= 0 THEN h.compilation_ms / 1000 END AS compilation_seconds,
    CASE WHEN h.execution_ms >= 0 THEN h.execution_ms / 1000 END AS execution_seconds,
    CASE WHEN h.result_fetch_ms >= 0 THEN h.result_fetch_ms / 1000 END AS result_fetch_seconds
  FROM message_details AS m
  INNER JOIN statements AS h
    ON h.workspace_id = m.workspace_id
    AND h.statement_id = m.statement_id
  WHERE m.created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), m.workspace_id))
),
summary AS (
  SELECT
    COUNT(thinking_seconds) AS thinking_count,
    percentile(thinking_seconds, array(0.5, 0.9, 0.95)) AS thinking,
    COUNT(waiting_for_compute_seconds) AS waiting_for_compute_count,
    percentile(waiting_for_compute_seconds, array(0.5, 0.9, 0.95)) AS waiting_for_compute,
    COUNT(waiting_at_capacity_seconds) AS waiting_at_capacity_count,
    percentile(waiting_at_capacity_seconds, array(0.5, 0.9, 0.95)) AS waiting_at_capacity,
    COUNT(compilation_seconds) AS compilation_count,
    percentile(compilation_seconds, array(0.5, 0.9, 0.95)) AS compilation,
    COUNT(execution_seconds) AS execution_count,
    percentile(execution_seconds, array(0.5, 0.9, 0.95)) AS execution,
    COUNT(result_fetch_seconds) AS result_fetch_count,
    percentile(result_fetch_seconds, array(0.5, 0.9, 0.95)) AS result_fetch
  FROM timed
)
SELECT
  p.part_number,
  p.part,
  p.meaning,
  CASE p.part_number
    WHEN 1 THEN s.thinking_count
    WHEN 2 THEN s.waiting_for_compute_count
    WHEN 3 THEN s.waiting_at_capacity_count
    WHEN 4 THEN s.compilation_count
    WHEN 5 THEN s.execution_count
    WHEN 6 THEN s.result_fetch_count
  END AS timed_count,
  CASE p.part_number
    WHEN 1 THEN s.thinking[0]
    WHEN 2 THEN s.waiting_for_compute[0]
    WHEN 3 THEN s.waiting_at_capacity[0]
    WHEN 4 THEN s.compilation[0]
    WHEN 5 THEN s.execution[0]
    WHEN 6 THEN s.result_fetch[0]
  END AS p50_seconds,
  CASE p.part_number
    WHEN 1 THEN s.thinking[1]
    WHEN 2 THEN s.waiting_for_compute[1]
    WHEN 3 THEN s.waiting_at_capacity[1]
    WHEN 4 THEN s.compilation[1]
    WHEN 5 THEN s.execution[1]
    WHEN 6 THEN s.result_fetch[1]
  END AS p90_seconds,
  CASE p.part_number
    WHEN 1 THEN s.thinking[2]
    WHEN 2 THEN s.waiting_for_compute[2]
    WHEN 3 THEN s.waiting_at_capacity[2]
    WHEN 4 THEN s.compilation[2]
    WHEN 5 THEN s.execution[2]
    WHEN 6 THEN s.result_fetch[2]
  END AS p95_seconds
FROM summary AS s
CROSS JOIN (
  SELECT
    part_number,
    part,
    meaning
  FROM VALUES
    (1, 'Genie thinks', 'from the question to the start of its last statement, earlier statements included'),
    (2, 'Waiting for compute', 'the warehouse starts'),
    (3, 'Waiting at capacity', 'the warehouse is busy'),
    (4, 'Compiling', 'planning the SQL'),
    (5, 'Executing', 'running the SQL'),
    (6, 'Fetching the result', 'handing over rows')
    AS parts(part_number, part, meaning)
) AS p
WHERE s.thinking_count + s.execution_count > 0
ORDER BY part_number;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### How are waiting times spread?
-- MAGIC
-- MAGIC How many answers come within 5, 10, 20 … seconds, with SQL and as text?
-- MAGIC
-- MAGIC `answer_time_distribution`: one row per class of seconds and kind of answer

-- COMMAND ----------

WITH timed AS (
  SELECT
    CASE WHEN query_sql IS NULL THEN 'text only' ELSE 'SQL' END AS answer_kind,
    COALESCE(
      CASE WHEN query_end_time >= created_at THEN (unix_millis(query_end_time) - unix_millis(created_at)) / 1000 END,
      CASE
          WHEN query_sql IS NULL AND answer_text IS NOT NULL AND status = 'COMPLETED' AND feedback_rating IS NULL AND updated_timestamp >= created_timestamp
            THEN (updated_timestamp - created_timestamp) / 1000
      END
    ) AS answer_seconds
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
classes AS (
  SELECT
    answer_kind,
    CASE
      WHEN answer_seconds < 5 THEN 0
      WHEN answer_seconds < 10 THEN 5
      WHEN answer_seconds < 15 THEN 10
      WHEN answer_seconds < 20 THEN 15
      WHEN answer_seconds < 30 THEN 20
      WHEN answer_seconds < 60 THEN 30
      WHEN answer_seconds < 120 THEN 60
      ELSE 120
    END AS from_seconds
  FROM timed
  WHERE answer_seconds IS NOT NULL
)
SELECT
  from_seconds,
  CASE
    WHEN from_seconds = 0 THEN 'under 5 s'
    WHEN from_seconds = 5 THEN '5 to 10 s'
    WHEN from_seconds = 10 THEN '10 to 15 s'
    WHEN from_seconds = 15 THEN '15 to 20 s'
    WHEN from_seconds = 20 THEN '20 to 30 s'
    WHEN from_seconds = 30 THEN '30 to 60 s'
    WHEN from_seconds = 60 THEN '1 to 2 min'
    ELSE 'over 2 min'
  END AS seconds_class,
  answer_kind,
  COUNT(*) AS message_count
FROM classes
GROUP BY from_seconds, answer_kind
ORDER BY from_seconds, answer_kind;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which spaces are slow, and is it Genie or the warehouse?
-- MAGIC
-- MAGIC Time to answer, thinking and SQL time by space, with the advice that follows
-- MAGIC
-- MAGIC `latency_by_space`: one row per space with a timed answer

-- COMMAND ----------

WITH timed AS (
  SELECT
    workspace_id,
    space_id,
    workspace_name,
    space_name,
    CASE WHEN query_end_time >= created_at THEN (unix_millis(query_end_time) - unix_millis(created_at)) / 1000 END AS answer_seconds,
    CASE WHEN query_start_time >= created_at THEN (unix_millis(query_start_time) - unix_millis(created_at)) / 1000 END AS thinking_seconds,
    CASE WHEN query_duration_ms >= 0 THEN query_duration_ms / 1000 END AS query_seconds
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
summary AS (
  SELECT
    workspace_id,
    space_id,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    COUNT(answer_seconds) AS timed_count,
    percentile(answer_seconds, array(0.5, 0.9, 0.95)) AS answer_percentiles,
    percentile(thinking_seconds, 0.9) AS p90_thinking_seconds,
    percentile(query_seconds, 0.9) AS p90_query_seconds
  FROM timed
  GROUP BY workspace_id, space_id
  HAVING COUNT(answer_seconds) > 0
)
SELECT
  COALESCE(m.workspace_name, m.workspace_id) AS workspace,
  CONCAT(COALESCE(s.title, m.space_name, m.space_id, 'unknown space'), ' · ', COALESCE(m.workspace_name, m.workspace_id)) AS space,
  m.timed_count,
  m.answer_percentiles[0] AS p50_answer_seconds,
  m.answer_percentiles[1] AS p90_answer_seconds,
  m.answer_percentiles[2] AS p95_answer_seconds,
  m.p90_thinking_seconds,
  m.p90_query_seconds,
  CASE
    WHEN m.answer_percentiles[1] < 30 THEN 'fine'
    WHEN m.p90_query_seconds > m.p90_thinking_seconds THEN 'slow SQL: look at the statements and the warehouse'
    ELSE 'slow thinking: fewer tables, shorter instructions'
  END AS advice
FROM summary AS m
LEFT JOIN space_details AS s
  ON s.workspace_id = m.workspace_id
  AND s.space_id = m.space_id
ORDER BY p90_answer_seconds DESC, space;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What do the statements cost the warehouse?
-- MAGIC
-- MAGIC Statements that Genie ran, by day and purpose: failures, bytes, rows, cache hits, spill, waiting
-- MAGIC
-- MAGIC `statements_by_day`: one row per UTC day of start_time and purpose; profiling and authoring statements belong to no message

-- COMMAND ----------

WITH seen AS (
  SELECT
    workspace_id,
    statement_id,
    FALSE AS is_answering,
    start_time,
    execution_status = 'FAILED' AS is_failed,
    total_duration_ms,
    waiting_for_compute_duration_ms,
    waiting_at_capacity_duration_ms,
    read_bytes,
    read_rows,
    spilled_local_bytes,
    from_result_cache
  FROM system.query.history
  WHERE start_time >= CAST(date_sub(current_date(), CAST(:days_lookback AS INT)) AS TIMESTAMP)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND (query_source.genie_space_id IS NOT NULL OR client_application IN ('Databricks SQL Genie Space', 'DatabricksGenie'))
  UNION ALL
  SELECT
    workspace_id,
    explode(statement_ids) AS statement_id,
    TRUE AS is_answering,
    CAST(NULL AS TIMESTAMP) AS start_time,
    FALSE AS is_failed,
    CAST(NULL AS BIGINT) AS total_duration_ms,
    CAST(NULL AS BIGINT) AS waiting_for_compute_duration_ms,
    CAST(NULL AS BIGINT) AS waiting_at_capacity_duration_ms,
    CAST(NULL AS BIGINT) AS read_bytes,
    CAST(NULL AS BIGINT) AS read_rows,
    CAST(NULL AS BIGINT) AS spilled_local_bytes,
    FALSE AS from_result_cache
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT) + 1)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
statements AS (
  -- Grouped once for two ends: a statement may be published again, with figures that only grow, and may belong to a message.
  SELECT
    workspace_id,
    statement_id,
    COUNT_IF(is_answering) > 0 AS is_answering,
    CAST(MIN(start_time) AS DATE) AS started_date,
    COUNT_IF(is_failed) > 0 AS is_failed,
    MAX(total_duration_ms) AS total_duration_ms,
    MAX(waiting_for_compute_duration_ms) AS waiting_for_compute_duration_ms,
    MAX(waiting_at_capacity_duration_ms) AS waiting_at_capacity_duration_ms,
    MAX(read_bytes) AS read_bytes,
    MAX(read_rows) AS read_rows,
    MAX(spilled_local_bytes) AS spilled_local_bytes,
    COUNT_IF(from_result_cache) > 0 AS is_from_cache
  FROM seen
  GROUP BY workspace_id, statement_id
)
SELECT
  started_date,
  CASE WHEN is_answering THEN 'answering a question' ELSE 'profiling and authoring' END AS purpose,
  COUNT(*) AS statement_count,
  COUNT_IF(is_failed) AS failed_count,
  try_divide(COUNT_IF(is_failed), COUNT(*)) AS failed_ratio,
  SUM(read_bytes) / 1073741824 AS read_gib,
  SUM(read_rows) AS read_rows,
  SUM(spilled_local_bytes) / 1073741824 AS spilled_gib,
  COUNT_IF(is_from_cache) AS cached_count,
  try_divide(COUNT_IF(is_from_cache), COUNT(*)) AS cached_ratio,
  percentile(CASE WHEN total_duration_ms >= 0 THEN total_duration_ms / 1000 END, 0.95) AS p95_total_seconds,
  COUNT_IF(waiting_for_compute_duration_ms > 0) AS waited_for_start_count,
  COUNT_IF(waiting_at_capacity_duration_ms > 0) AS waited_in_queue_count
FROM statements
WHERE started_date IS NOT NULL
GROUP BY 1, 2
ORDER BY started_date, purpose;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which warehouses serve Genie, and do they cope?
-- MAGIC
-- MAGIC Genie's share of each warehouse, waiting, failures, and the busiest minute of Genie
-- MAGIC
-- MAGIC `warehouses`: one row per warehouse that ran a statement of Genie

-- COMMAND ----------

WITH history AS (
  SELECT
    workspace_id,
    compute.warehouse_id AS warehouse_id,
    statement_id,
    -- A statement may be published again, with figures that only grow.
    COUNT_IF(query_source.genie_space_id IS NOT NULL OR client_application IN ('Databricks SQL Genie Space', 'DatabricksGenie')) > 0 AS is_genie,
    COUNT_IF(execution_status = 'FAILED') > 0 AS is_failed,
    date_trunc('MINUTE', MIN(start_time)) AS start_minute,
    MAX(waiting_for_compute_duration_ms) AS waiting_for_compute_ms,
    MAX(waiting_at_capacity_duration_ms) AS waiting_at_capacity_ms,
    MAX(read_bytes) AS read_bytes
  FROM system.query.history
  WHERE start_time >= CAST(date_sub(current_date(), CAST(:days_lookback AS INT)) AS TIMESTAMP)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND compute.warehouse_id IS NOT NULL
  GROUP BY workspace_id, compute.warehouse_id, statement_id
),
minutes AS (
  SELECT
    workspace_id,
    warehouse_id,
    start_minute,
    COUNT(*) AS statement_count
  FROM history
  WHERE is_genie
  GROUP BY workspace_id, warehouse_id, start_minute
),
peaks AS (
  SELECT
    workspace_id,
    warehouse_id,
    MAX(statement_count) AS busiest_minute_statement_count
  FROM minutes
  GROUP BY workspace_id, warehouse_id
),
summary AS (
  SELECT
    workspace_id,
    warehouse_id,
    COUNT(*) AS statement_count,
    COUNT_IF(is_genie) AS genie_statement_count,
    COUNT_IF(is_genie AND is_failed) AS genie_failed_count,
    COUNT_IF(is_genie AND waiting_for_compute_ms > 0) AS waited_for_start_count,
    COUNT_IF(is_genie AND waiting_at_capacity_ms > 0) AS waited_in_queue_count,
    percentile(
      CASE WHEN is_genie AND waiting_for_compute_ms + waiting_at_capacity_ms >= 0
        THEN (waiting_for_compute_ms + waiting_at_capacity_ms) / 1000 END, 0.95
    ) AS p95_waiting_seconds,
    SUM(CASE WHEN is_genie THEN read_bytes ELSE 0 END) / 1073741824 AS genie_read_gib
  FROM history
  GROUP BY workspace_id, warehouse_id
  HAVING COUNT_IF(is_genie) > 0
)
SELECT
  s.workspace_id,
  s.warehouse_id,
  s.genie_statement_count,
  s.statement_count,
  try_divide(s.genie_statement_count, s.statement_count) AS genie_ratio,
  s.genie_failed_count,
  p.busiest_minute_statement_count,
  s.waited_for_start_count,
  s.waited_in_queue_count,
  s.p95_waiting_seconds,
  s.genie_read_gib
FROM summary AS s
LEFT JOIN peaks AS p
  ON p.workspace_id = s.workspace_id
  AND p.warehouse_id = s.warehouse_id
ORDER BY genie_statement_count DESC, warehouse_id;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which statements are slowest, and what would help?
-- MAGIC
-- MAGIC The slowest statements behind answers, with the question, the part that took longest, and advice
-- MAGIC
-- MAGIC `slowest_statements`: one row per message, by its last statement; slowest 100

-- COMMAND ----------

WITH hosts AS (
  SELECT
    workspace_id,
    MAX(CONCAT('https://', REGEXP_REPLACE(workspace_url, '^https?://|/+$', ''))) AS base_url
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
),
slowest AS (
  SELECT
    workspace_id,
    conversation_id,
    message_id,
    space_id,
    workspace_name,
    space_name,
    created_at,
    content,
    query_sql,
    statement_id,
    query_warehouse_id,
    query_duration_ms,
    query_read_bytes,
    query_read_rows,
    query_produced_rows
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND query_duration_ms >= 0
  ORDER BY query_duration_ms DESC, message_id
  LIMIT 100
),
measured AS (
  SELECT
    q.workspace_id,
    q.statement_id,
    -- A statement may be published again, with figures that only grow.
    MAX(q.waiting_for_compute_duration_ms) AS waiting_for_compute_ms,
    MAX(q.waiting_at_capacity_duration_ms) AS waiting_at_capacity_ms,
    MAX(q.compilation_duration_ms) AS compilation_ms,
    MAX(q.execution_duration_ms) AS execution_ms,
    MAX(q.spilled_local_bytes) AS spilled_bytes
  FROM system.query.history AS q
  INNER JOIN slowest AS s
    ON s.workspace_id = q.workspace_id
    AND s.statement_id = q.statement_id
  WHERE q.start_time >= CAST(date_sub(current_date(), CAST(:days_lookback AS INT) + 1) AS TIMESTAMP)
  GROUP BY q.workspace_id, q.statement_id
)
SELECT
  m.workspace_id,
  m.conversation_id,
  m.message_id,
  m.query_duration_ms / 1000 AS query_seconds,
  m.created_at,
  COALESCE(m.workspace_name, m.workspace_id) AS workspace,
  CONCAT(COALESCE(s.title, m.space_name, m.space_id, 'unknown space'), ' · ', COALESCE(m.workspace_name, m.workspace_id)) AS space,
  m.content AS question,
  CASE
    WHEN q.execution_ms IS NULL THEN 'not in query history'
    WHEN q.waiting_for_compute_ms >= GREATEST(q.waiting_at_capacity_ms, q.compilation_ms, q.execution_ms) THEN 'warehouse start'
    WHEN q.waiting_at_capacity_ms >= GREATEST(q.compilation_ms, q.execution_ms) THEN 'queue'
    WHEN q.compilation_ms >= q.execution_ms THEN 'compiling'
    WHEN q.spilled_bytes > 0 THEN 'executing, with spill'
    ELSE 'executing'
  END AS bottleneck,
  CASE
    WHEN q.execution_ms IS NULL THEN 'wait for system.query.history, or grant it for this region'
    WHEN q.waiting_for_compute_ms >= GREATEST(q.waiting_at_capacity_ms, q.compilation_ms, q.execution_ms)
      THEN 'serverless warehouse, or a longer auto-stop'
    WHEN q.waiting_at_capacity_ms >= GREATEST(q.compilation_ms, q.execution_ms) THEN 'more clusters for this warehouse'
    WHEN q.compilation_ms >= q.execution_ms THEN 'simpler views, fewer tables and partitions'
    WHEN q.spilled_bytes > 0 THEN 'larger warehouse, or less data by clustering and filters'
    ELSE 'cluster the tables by the filtered columns; offer an aggregate'
  END AS advice,
  q.waiting_for_compute_ms / 1000 AS waiting_for_compute_seconds,
  q.waiting_at_capacity_ms / 1000 AS waiting_at_capacity_seconds,
  q.compilation_ms / 1000 AS compilation_seconds,
  q.execution_ms / 1000 AS execution_seconds,
  m.query_read_bytes / 1073741824 AS read_gib,
  m.query_read_rows AS read_rows,
  m.query_produced_rows AS produced_rows,
  m.query_warehouse_id AS warehouse_id,
  m.statement_id,
  m.query_sql,
  CONCAT(h.base_url, '/genie/rooms/', m.space_id, '/chats/', m.conversation_id, '?o=', m.workspace_id) AS conversation_url
FROM slowest AS m
LEFT JOIN measured AS q
  ON q.workspace_id = m.workspace_id
  AND q.statement_id = m.statement_id
LEFT JOIN space_details AS s
  ON s.workspace_id = m.workspace_id
  AND s.space_id = m.space_id
LEFT JOIN hosts AS h
  ON h.workspace_id = m.workspace_id
ORDER BY query_seconds DESC, message_id;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Why does SQL fail?
-- MAGIC
-- MAGIC Failed statements by error class, self-corrected ones included, with who should look
-- MAGIC
-- MAGIC `failing_statements`: one row per error class

-- COMMAND ----------

WITH history AS (
  SELECT
    workspace_id,
    statement_id,
    -- A statement may be published again, with figures that only grow.
    MAX(query_source.genie_space_id) AS space_id,
    MAX(start_time) AS start_time,
    MAX(error_message) AS error_message,
    COALESCE(NULLIF(REGEXP_EXTRACT(MAX(error_message), '^[^A-Za-z]*([A-Z][A-Z0-9_]+)', 1), ''), 'no class given') AS error_class
  FROM system.query.history
  WHERE start_time >= CAST(date_sub(current_date(), CAST(:days_lookback AS INT)) AS TIMESTAMP)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND (query_source.genie_space_id IS NOT NULL OR client_application IN ('Databricks SQL Genie Space', 'DatabricksGenie'))
    AND execution_status = 'FAILED'
  GROUP BY workspace_id, statement_id
),
answering AS (
  SELECT
    workspace_id,
    message_id,
    explode(statement_ids) AS statement_id,
    COALESCE(LOWER(user_email), CONCAT('user ', user_id, ' in ', workspace_id)) AS asker
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT) + 1)
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
)
SELECT
  h.error_class,
  COUNT(DISTINCT CONCAT(h.workspace_id, ' ', h.statement_id)) AS statement_count,
  COUNT(DISTINCT CONCAT(a.workspace_id, ' ', a.message_id)) AS message_count,
  COUNT(DISTINCT CONCAT(h.workspace_id, ' ', h.space_id)) AS space_count,
  COUNT(DISTINCT a.asker) AS asker_count,
  CASE
    WHEN h.error_class IN ('UNRESOLVED_COLUMN', 'UNRESOLVED_ROUTINE', 'PARSE_SYNTAX_ERROR', 'DATATYPE_MISMATCH', 'MISSING_AGGREGATION')
      THEN 'space author'
    WHEN h.error_class IN ('TABLE_OR_VIEW_NOT_FOUND', 'SCHEMA_NOT_FOUND', 'DELTA_TABLE_NOT_FOUND') THEN 'data owner'
    WHEN h.error_class IN ('INSUFFICIENT_PERMISSIONS', 'PERMISSION_DENIED', 'UNAUTHORIZED_ACCESS') THEN 'data owner'
    WHEN h.error_class IN ('CAST_INVALID_INPUT', 'DIVIDE_BY_ZERO', 'ARITHMETIC_OVERFLOW', 'NUMERIC_VALUE_OUT_OF_RANGE') THEN 'space author'
    ELSE 'platform team'
  END AS owner,
  CASE
    WHEN h.error_class IN ('UNRESOLVED_COLUMN', 'UNRESOLVED_ROUTINE') THEN 'Describe columns and synonyms; add an example query'
    WHEN h.error_class IN ('PARSE_SYNTAX_ERROR', 'DATATYPE_MISMATCH', 'MISSING_AGGREGATION') THEN 'Add an example query for these questions'
    WHEN h.error_class IN ('TABLE_OR_VIEW_NOT_FOUND', 'SCHEMA_NOT_FOUND', 'DELTA_TABLE_NOT_FOUND')
      THEN 'Restore the table, or take it out of the space'
    WHEN h.error_class IN ('INSUFFICIENT_PERMISSIONS', 'PERMISSION_DENIED', 'UNAUTHORIZED_ACCESS') THEN 'Grant SELECT to the askers'
    WHEN h.error_class IN ('CAST_INVALID_INPUT', 'DIVIDE_BY_ZERO', 'ARITHMETIC_OVERFLOW', 'NUMERIC_VALUE_OUT_OF_RANGE')
      THEN 'Clean the column, or show try_cast and try_divide in an example query'
    ELSE 'Read the example; look at the statement in query history'
  END AS next_step,
  MAX_BY(h.error_message, CASE WHEN h.error_message IS NOT NULL THEN h.start_time END) AS latest_error_message,
  MAX(h.start_time) AS last_seen_at
FROM history AS h
LEFT JOIN answering AS a
  ON a.workspace_id = h.workspace_id
  AND a.statement_id = h.statement_id
GROUP BY h.error_class
ORDER BY statement_count DESC, error_class;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### How many attempts does an answer take?
-- MAGIC
-- MAGIC How many questions need no, one, two or more statements, and how do they end?
-- MAGIC
-- MAGIC `statements_per_question`: one row per number of statements

-- COMMAND ----------

WITH messages AS (
  SELECT
    CASE
      WHEN COALESCE(size(statement_ids), 0) <= 0 THEN 0
      WHEN size(statement_ids) <= 3 THEN size(statement_ids)
      ELSE 4
    END AS statement_number,
    status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED') AS is_finished,
    status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL) AS is_answered,
    status = 'FAILED' AS is_failed
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
)
SELECT
  statement_number,
  CASE
    WHEN statement_number = 0 THEN 'none'
    WHEN statement_number = 4 THEN '4 or more'
    ELSE CAST(statement_number AS STRING)
  END AS statements_per_question,
  COUNT(*) AS message_count,
  COUNT_IF(is_finished) AS finished_count,
  try_divide(COUNT_IF(is_answered), COUNT_IF(is_finished)) AS answered_ratio,
  try_divide(COUNT_IF(is_failed), COUNT_IF(is_finished)) AS failed_ratio
FROM messages
GROUP BY statement_number
ORDER BY statement_number;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ## Spaces

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which spaces are there, and which are in use?
-- MAGIC
-- MAGIC Inventory of all known spaces with owner, warehouse, age, last question, people and health; which are dormant, single-user or unreadable?
-- MAGIC
-- MAGIC `spaces`: one row per workspace and space that was ever read, asked or witnessed

-- COMMAND ----------

WITH hosts AS (
  SELECT
    workspace_id,
    MAX(workspace_name) AS workspace_name,
    MAX(CONCAT('https://', REGEXP_REPLACE(workspace_url, '^https?://|/+$', ''))) AS base_url
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
),
asked AS (
  SELECT
    workspace_id,
    space_id,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    MAX(created_at) AS last_asked_at,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))) AS message_count,
    COUNT(DISTINCT CASE WHEN created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) THEN COALESCE(LOWER(user_email), user_id) END) AS asker_count,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AND status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')) AS finished_count,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AND status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)) AS answered_count,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AND status = 'FAILED') AS failed_count,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AND feedback_rating = 'POSITIVE') AS positive_count,
    COUNT_IF(created_date >= date_sub(current_date(), CAST(:days_lookback AS INT)) AND feedback_rating = 'NEGATIVE') AS negative_count
  FROM message_details
  -- All the history stored: a dormant space was asked before the window.
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, space_id
),
witnessed AS (
  SELECT
    workspace_id,
    space_id,
    MAX(first_event_time) AS last_witnessed_at,
    COUNT_IF(state = 'forbidden') AS unreadable_message_count
  FROM message_ledger
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND space_id IS NOT NULL
  GROUP BY workspace_id, space_id
),
known AS (
  SELECT
    workspace_id,
    space_id
  FROM space_details
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  UNION
  SELECT
    workspace_id,
    space_id
  FROM witnessed
  UNION
  SELECT
    workspace_id,
    space_id
  FROM asked
  WHERE space_id IS NOT NULL
),
described AS (
  SELECT
    k.workspace_id,
    k.space_id,
    COALESCE(h.workspace_name, a.workspace_name, k.workspace_id) AS workspace,
    h.base_url,
    COALESCE(s.title, a.space_name, k.space_id) AS space,
    NULLIF(REGEXP_EXTRACT(s.parent_path, '/Users/([^/]+)', 1), '') AS owner,
    s.warehouse_id,
    s.description,
    s.space_created_at,
    s.space_updated_at,
    s.state,
    COALESCE(a.last_asked_at, w.last_witnessed_at) AS last_asked_at,
    COALESCE(a.message_count, 0) AS message_count,
    COALESCE(a.asker_count, 0) AS asker_count,
    COALESCE(a.finished_count, 0) AS finished_count,
    try_divide(a.answered_count, a.finished_count) AS answered_ratio,
    COALESCE(a.failed_count, 0) AS failed_count,
    COALESCE(a.positive_count, 0) + COALESCE(a.negative_count, 0) AS rated_count,
    try_divide(a.positive_count, a.positive_count + a.negative_count) AS helpful_ratio,
    COALESCE(w.unreadable_message_count, 0) AS unreadable_message_count
  FROM known AS k
  LEFT JOIN space_details AS s
    ON s.workspace_id = k.workspace_id
    AND s.space_id = k.space_id
  LEFT JOIN asked AS a
    ON a.workspace_id = k.workspace_id
    AND a.space_id = k.space_id
  LEFT JOIN witnessed AS w
    ON w.workspace_id = k.workspace_id
    AND w.space_id = k.space_id
  LEFT JOIN hosts AS h
    ON h.workspace_id = k.workspace_id
)
SELECT
  d.workspace_id,
  d.space_id,
  d.workspace,
  d.space,
  CASE
    WHEN d.state = 'forbidden' THEN 'unreadable'
    WHEN d.last_asked_at IS NULL THEN 'never asked'
    WHEN d.message_count = 0 THEN 'dormant'
    WHEN d.finished_count >= 5 AND d.answered_ratio < 0.7 THEN 'answers badly'
    WHEN d.asker_count = 1 THEN 'single user'
    ELSE 'in use'
  END AS health,
  d.owner,
  d.warehouse_id,
  d.description,
  d.space_created_at,
  d.space_updated_at,
  d.last_asked_at,
  date_diff(current_date(), CAST(d.last_asked_at AS DATE)) AS days_since_asked,
  d.message_count,
  d.asker_count,
  d.finished_count,
  d.answered_ratio,
  d.failed_count,
  d.rated_count,
  d.helpful_ratio,
  d.unreadable_message_count,
  COUNT(*) OVER (PARTITION BY LOWER(d.space)) AS same_title_count,
  CONCAT(d.base_url, '/genie/rooms/', d.space_id, '?o=', d.workspace_id) AS space_url
FROM described AS d
ORDER BY message_count DESC, workspace, space;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which spaces bring most?
-- MAGIC
-- MAGIC The ten spaces with the highest value: people who ask × share answered
-- MAGIC
-- MAGIC `best_spaces`: one row per space; best 10

-- COMMAND ----------

WITH counted AS (
  SELECT
    workspace_id,
    space_id,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    COUNT(*) AS message_count,
    COUNT(DISTINCT COALESCE(LOWER(user_email), user_id)) AS asker_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')) AS finished_count,
    try_divide(
      COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)),
      COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED'))
    ) AS answered_ratio,
    COUNT_IF(status = 'FAILED') AS failed_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND query_sql IS NULL AND answer_text IS NULL) AS unanswered_count,
    COUNT_IF(feedback_rating = 'NEGATIVE') AS negative_count
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, space_id
)
SELECT
  c.workspace_id,
  c.space_id,
  CONCAT(COALESCE(s.title, c.space_name, c.space_id, 'unknown space'), ' · ', COALESCE(c.workspace_name, c.workspace_id)) AS space,
  ROUND(c.asker_count * c.answered_ratio, 1) AS value_score,
  c.asker_count,
  c.message_count,
  c.finished_count,
  c.answered_ratio,
  c.failed_count,
  c.unanswered_count,
  c.negative_count
FROM counted AS c
LEFT JOIN space_details AS s
  ON s.workspace_id = c.workspace_id
  AND s.space_id = c.space_id
WHERE c.answered_ratio > 0
ORDER BY value_score DESC, message_count DESC, space
LIMIT 10;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which spaces hurt most?
-- MAGIC
-- MAGIC The ten spaces with the most failed, unanswered and negatively rated questions
-- MAGIC
-- MAGIC `worst_spaces`: one row per space; worst 10

-- COMMAND ----------

WITH counted AS (
  SELECT
    workspace_id,
    space_id,
    MAX(workspace_name) AS workspace_name,
    MAX(space_name) AS space_name,
    COUNT(*) AS message_count,
    COUNT(DISTINCT COALESCE(LOWER(user_email), user_id)) AS asker_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED')) AS finished_count,
    try_divide(
      COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (query_sql IS NOT NULL OR answer_text IS NOT NULL)),
      COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED'))
    ) AS answered_ratio,
    COUNT_IF(status = 'FAILED') AS failed_count,
    COUNT_IF(status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND query_sql IS NULL AND answer_text IS NULL) AS unanswered_count,
    COUNT_IF(feedback_rating = 'NEGATIVE') AS negative_count
  FROM message_details
  WHERE created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, space_id
)
SELECT
  c.workspace_id,
  c.space_id,
  CONCAT(COALESCE(s.title, c.space_name, c.space_id, 'unknown space'), ' · ', COALESCE(c.workspace_name, c.workspace_id)) AS space,
  c.failed_count + c.unanswered_count + c.negative_count AS pain_score,
  c.asker_count,
  c.message_count,
  c.finished_count,
  c.answered_ratio,
  c.failed_count,
  c.unanswered_count,
  c.negative_count
FROM counted AS c
LEFT JOIN space_details AS s
  ON s.workspace_id = c.workspace_id
  AND s.space_id = c.space_id
WHERE c.failed_count + c.unanswered_count + c.negative_count > 0
ORDER BY pain_score DESC, message_count DESC, space
LIMIT 10;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### How well are spaces set up?
-- MAGIC
-- MAGIC Tables, instructions, example queries, sample questions and benchmarks of each space, and what is missing
-- MAGIC
-- MAGIC `space_configuration`: one row per space whose configuration may be read (CAN EDIT)

-- COMMAND ----------

WITH counted AS (
  SELECT
    workspace_id,
    space_id,
    title,
    description,
    space_updated_at,
    COALESCE(json_array_length(get_json_object(serialized_space, '$.data_sources.tables')), 0) AS table_count,
    COALESCE(json_array_length(get_json_object(serialized_space, '$.data_sources.metric_views')), 0) AS metric_view_count,
    COALESCE(json_array_length(get_json_object(serialized_space, '$.instructions.text_instructions')), 0) AS text_instruction_count,
    COALESCE(json_array_length(get_json_object(serialized_space, '$.instructions.example_question_sqls')), 0) AS example_query_count,
    COALESCE(json_array_length(get_json_object(serialized_space, '$.instructions.join_specs')), 0) AS join_count,
    COALESCE(json_array_length(get_json_object(serialized_space, '$.config.sample_questions')), 0) AS sample_question_count,
    COALESCE(
      json_array_length(get_json_object(serialized_space, '$.benchmarks.questions')),
      json_array_length(get_json_object(serialized_space, '$.benchmarks')),
      0
    ) AS benchmark_count
  FROM space_details
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND serialized_space IS NOT NULL
)
SELECT
  workspace_id,
  space_id,
  title AS space,
  table_count,
  metric_view_count,
  text_instruction_count,
  example_query_count,
  join_count,
  sample_question_count,
  benchmark_count,
  CONCAT_WS(
    ', ',
    CASE WHEN COALESCE(description, '') = '' THEN 'no description' END,
    CASE WHEN table_count + metric_view_count = 0 THEN 'no tables' END,
    CASE WHEN table_count + metric_view_count > 25 THEN 'close to the limit of 30 tables' END,
    CASE WHEN text_instruction_count = 0 THEN 'no instructions' END,
    CASE WHEN example_query_count = 0 THEN 'no example queries' END,
    CASE WHEN table_count > 1 AND join_count = 0 THEN 'no joins described' END,
    CASE WHEN sample_question_count = 0 THEN 'no sample questions' END,
    CASE WHEN benchmark_count = 0 THEN 'no benchmarks' END
  ) AS missing,
  space_updated_at
FROM counted
ORDER BY space, space_id;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Did the last change of a space help?
-- MAGIC
-- MAGIC Share answered and rated helpful before and after the last change of each space, in the window
-- MAGIC
-- MAGIC `space_change_effect`: one row per space last changed in the window with questions on at least one side of the change

-- COMMAND ----------

WITH changed AS (
  SELECT
    workspace_id,
    space_id,
    title,
    space_updated_at
  FROM space_details
  WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND space_updated_at >= CAST(date_sub(current_date(), CAST(:days_lookback AS INT)) AS TIMESTAMP)
),
sided AS (
  SELECT
    c.workspace_id,
    c.space_id,
    c.title,
    c.space_updated_at,
    m.created_at >= c.space_updated_at AS is_after,
    m.status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED', 'FAILED', 'CANCELLED') AS is_finished,
    m.status IN ('COMPLETED', 'QUERY_RESULT_EXPIRED') AND (m.query_sql IS NOT NULL OR m.answer_text IS NOT NULL) AS is_answered,
    m.feedback_rating
  FROM message_details AS m
  INNER JOIN changed AS c
    ON c.workspace_id = m.workspace_id
    AND c.space_id = m.space_id
  WHERE m.created_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
)
SELECT
  workspace_id,
  space_id,
  title AS space,
  space_updated_at,
  COUNT_IF(NOT is_after AND is_finished) AS before_finished_count,
  try_divide(COUNT_IF(NOT is_after AND is_answered), COUNT_IF(NOT is_after AND is_finished)) AS before_answered_ratio,
  COUNT_IF(is_after AND is_finished) AS after_finished_count,
  try_divide(COUNT_IF(is_after AND is_answered), COUNT_IF(is_after AND is_finished)) AS after_answered_ratio,
  COUNT_IF(NOT is_after AND feedback_rating IN ('POSITIVE', 'NEGATIVE')) AS before_rated_count,
  try_divide(
    COUNT_IF(NOT is_after AND feedback_rating = 'POSITIVE'),
    COUNT_IF(NOT is_after AND feedback_rating IN ('POSITIVE', 'NEGATIVE'))
  ) AS before_helpful_ratio,
  COUNT_IF(is_after AND feedback_rating IN ('POSITIVE', 'NEGATIVE')) AS after_rated_count,
  try_divide(
    COUNT_IF(is_after AND feedback_rating = 'POSITIVE'),
    COUNT_IF(is_after AND feedback_rating IN ('POSITIVE', 'NEGATIVE'))
  ) AS after_helpful_ratio
FROM sided
GROUP BY workspace_id, space_id, title, space_updated_at
ORDER BY space_updated_at DESC, space;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Who changed, cloned, deleted or downloaded what?
-- MAGIC
-- MAGIC Changes of spaces, deletions and result downloads from the audit log, newest first
-- MAGIC
-- MAGIC `space_events`: one row per audit event (event_id); newest 1,000

-- COMMAND ----------

WITH events AS (
  -- One row per event: the audit log may hold it twice.
  SELECT
    event_id,
    MAX(workspace_id) AS workspace_id,
    MAX(event_time) AS event_time,
    MAX(action_name) AS action_name,
    MAX(COALESCE(user_identity.email, user_identity.subject_name)) AS actor,
    MAX(response.status_code) AS status_code,
    MAX(request_params['space_id']) AS requested_space_id,
    -- Only what makes a space answers with its id.
    MAX(CASE WHEN action_name IN ('createSpace', 'genieCreateSpace', 'cloneSpace') THEN response.result END) AS result
  FROM system.access.audit
  WHERE service_name = 'aibiGenie'
    AND event_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND action_name NOT LIKE 'get%'
    AND action_name NOT LIKE 'list%'
    AND action_name NOT LIKE 'genieGet%'
    AND action_name NOT LIKE 'genieList%'
    AND (
      action_name LIKE '%Space'
      OR action_name LIKE '%Download%'
      OR action_name LIKE '%executeFullQueryResult%'
      OR action_name LIKE 'delete%'
      OR action_name LIKE 'genieDelete%'
      OR action_name LIKE '%SampleQuestions%'
      OR action_name LIKE '%ColumnConfig%'
      OR action_name LIKE '%Instruction%'
      OR action_name LIKE '%Curated%'
      OR action_name LIKE '%File'
    )
  GROUP BY event_id
),
newest AS (
  SELECT
    event_time,
    CASE
      WHEN action_name LIKE '%Download%' OR action_name LIKE '%executeFullQueryResult%' THEN 'download'
      WHEN action_name RLIKE '^(delete|genieDelete|trash|genieTrash)' THEN 'deletion'
      ELSE 'change of a space'
    END AS kind,
    action_name,
    COALESCE(actor, 'unknown') AS actor,
    COALESCE(NULLIF(NULLIF(requested_space_id, ''), 'new'), get_json_object(result, '$.space_id')) AS space_id,
    workspace_id,
    COALESCE(status_code, 200) AS status_code
  FROM events
  ORDER BY event_time DESC, action_name, event_id
  LIMIT 1000
)
SELECT
  e.event_time,
  e.kind,
  e.action_name,
  e.actor,
  COALESCE(s.title, e.space_id) AS space,
  e.space_id,
  e.workspace_id,
  e.status_code
FROM newest AS e
LEFT JOIN space_details AS s
  ON s.workspace_id = e.workspace_id
  AND s.space_id = e.space_id
ORDER BY event_time DESC, action_name, space_id;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ## Coverage & pipeline

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Is every message accounted for?
-- MAGIC
-- MAGIC Every message ever witnessed is in exactly one state: how many are in each, and what is to be done?
-- MAGIC
-- MAGIC `coverage_by_state`: one row per state; the sum is the number of messages witnessed

-- COMMAND ----------

SELECT
  state,
  CASE state
    WHEN 'pending' THEN 'witnessed, not asked for yet'
    WHEN 'fetched' THEN 'stored, in its final status'
    WHEN 'settling' THEN 'stored, not final yet: asked for again'
    WHEN 'retry' THEN 'failed for now: tried again later'
    WHEN 'forbidden' THEN 'may not be read'
    WHEN 'deleted' THEN 'deleted in Genie'
    WHEN 'not_found' THEN 'does not exist, or never was stored by Genie'
    WHEN 'abandoned' THEN 'given up: attempts or age used up'
    WHEN 'erased' THEN 'erased by genie-obs erase or by retention'
    ELSE 'unknown state'
  END AS meaning,
  CASE state
    WHEN 'pending' THEN 'next run reads it'
    WHEN 'fetched' THEN 'none'
    WHEN 'settling' THEN 'none: settles by itself'
    WHEN 'retry' THEN 'none, unless it grows: see the reasons of waiting messages'
    WHEN 'forbidden' THEN 'see spaces that cannot be read: a grant, or none where the space went'
    WHEN 'deleted' THEN 'none'
    WHEN 'not_found' THEN 'none'
    WHEN 'abandoned' THEN 'read the reason; a new event on the message opens it again'
    WHEN 'erased' THEN 'none: never read again'
    ELSE 'update the dashboard'
  END AS next_step,
  COUNT(*) AS message_count,
  SUM(COUNT(*)) OVER () AS witnessed_count,
  try_divide(COUNT(*), SUM(COUNT(*)) OVER ()) AS state_ratio,
  COUNT_IF(created_date IS NOT NULL) AS stored_count,
  MIN(first_event_time) AS oldest_at,
  MAX(last_attempt_at) AS last_attempt_at
FROM message_ledger
WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
GROUP BY state
ORDER BY message_count DESC, state;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Is anything missing, on any day?
-- MAGIC
-- MAGIC Messages witnessed by day, and what became of them
-- MAGIC
-- MAGIC `coverage_by_day`: one row per day witnessed, workspace and fate

-- COMMAND ----------

SELECT
  witnessed_date,
  workspace_id,
  CASE
    WHEN created_date IS NOT NULL AND state = 'settling' THEN 'stored, settling'
    WHEN created_date IS NOT NULL THEN 'stored'
    WHEN state IN ('deleted', 'not_found') THEN 'gone before it was read'
    WHEN state = 'erased' THEN 'erased'
    WHEN state = 'forbidden' AND reason_code IN ('space_trashed', 'space_deleted') THEN 'space trashed or deleted'
    WHEN state = 'forbidden' THEN 'not readable'
    WHEN state = 'abandoned' THEN 'given up'
    ELSE 'waiting'
  END AS fate,
  COUNT(*) AS message_count
FROM message_ledger
WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
GROUP BY 1, 2, 3
ORDER BY witnessed_date, workspace_id, fate;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Where is something missing?
-- MAGIC
-- MAGIC Witnessed against stored messages by workspace and space, with what is missing and why
-- MAGIC
-- MAGIC `coverage_by_space`: one row per workspace and space witnessed

-- COMMAND ----------

WITH ledger AS (
  SELECT
    workspace_id,
    space_id,
    COUNT(*) AS witnessed_count,
    COUNT_IF(created_date IS NOT NULL) AS stored_count,
    COUNT_IF(
      created_date IS NULL AND (state IN ('deleted', 'not_found', 'erased') OR (state = 'forbidden' AND reason_code IN ('space_trashed', 'space_deleted')))
    ) AS gone_count,
    COUNT_IF(
      created_date IS NULL AND state = 'forbidden' AND COALESCE(reason_code, '') NOT IN ('space_trashed', 'space_deleted')
    ) AS unreadable_count,
    COUNT_IF(state IN ('pending', 'retry', 'settling')) AS waiting_count,
    COUNT_IF(state = 'abandoned') AS given_up_count,
    MAX(first_event_time) AS last_witnessed_at
  FROM message_ledger
  WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, space_id
),
names AS (
  SELECT
    workspace_id,
    MAX(workspace_name) AS workspace_name
  FROM system.access.workspaces_latest
  GROUP BY workspace_id
)
SELECT
  l.workspace_id,
  COALESCE(n.workspace_name, l.workspace_id) AS workspace,
  COALESCE(s.title, l.space_id, 'not named by any event') AS space,
  l.space_id,
  l.witnessed_count,
  l.stored_count,
  try_divide(l.stored_count, GREATEST(l.witnessed_count - l.gone_count, l.stored_count)) AS stored_ratio,
  GREATEST(l.witnessed_count - l.gone_count, l.stored_count) AS reachable_count,
  l.gone_count,
  l.unreadable_count,
  l.waiting_count,
  l.given_up_count,
  l.last_witnessed_at
FROM ledger AS l
LEFT JOIN space_details AS s
  ON s.workspace_id = l.workspace_id
  AND s.space_id = l.space_id
LEFT JOIN names AS n
  ON n.workspace_id = l.workspace_id
ORDER BY stored_ratio, witnessed_count DESC, space;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which spaces cannot be read, and which grant fixes it?
-- MAGIC
-- MAGIC Spaces with messages that may not be read, with the reason and the grant to run
-- MAGIC
-- MAGIC `unreadable_spaces`: one row per workspace and space that may not be read or has messages that may not be read

-- COMMAND ----------

WITH messages AS (
  SELECT
    workspace_id,
    space_id,
    COUNT(*) AS message_count,
    COUNT(DISTINCT user_email) AS asker_count,
    MAX(http_status) AS http_status,
    MAX(state_reason) AS state_reason,
    MAX(reason_code) AS reason_code,
    MIN(first_event_time) AS oldest_at,
    MAX(last_attempt_at) AS last_attempt_at
  FROM message_ledger
  -- All the history: an old message that cannot be read is still missing.
  WHERE state = 'forbidden'
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  GROUP BY workspace_id, space_id
),
spaces AS (
  SELECT
    workspace_id,
    space_id,
    title,
    http_status,
    state_reason,
    reason_code,
    fetched_at
  FROM space_details
  WHERE state = 'forbidden'
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
),
known AS (
  SELECT
    workspace_id,
    space_id
  FROM messages
  UNION
  SELECT
    workspace_id,
    space_id
  FROM spaces
)
SELECT
  k.workspace_id,
  COALESCE(s.title, 'title unknown') AS space,
  k.space_id,
  COALESCE(m.message_count, 0) AS unreadable_message_count,
  COALESCE(m.asker_count, 0) AS asker_count,
  COALESCE(s.http_status, m.http_status) AS http_status,
  COALESCE(s.state_reason, m.state_reason) AS reason_and_grant,
  CASE
    WHEN k.space_id IS NULL THEN 'no event named the space'
    WHEN COALESCE(s.reason_code, m.reason_code) = 'space_trashed' THEN 'no grant helps: restore the space from the trash, or leave it'
    WHEN COALESCE(s.reason_code, m.reason_code) = 'space_deleted' THEN 'no grant helps: the space was deleted'
    ELSE 'Share > service principal of genie-obs > CAN MANAGE, or PATCH /api/2.0/permissions/genie/<space_id>'
  END AS how_to_grant,
  m.oldest_at,
  COALESCE(m.last_attempt_at, s.fetched_at) AS last_attempt_at
FROM known AS k
LEFT JOIN spaces AS s
  ON s.workspace_id = k.workspace_id
  AND s.space_id = k.space_id
LEFT JOIN messages AS m
  ON m.workspace_id = k.workspace_id
  AND m.space_id <=> k.space_id
ORDER BY unreadable_message_count DESC, space_id, workspace_id;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Who is refused, where, and why?
-- MAGIC
-- MAGIC Refused and throttled Genie requests from the audit log, our own reads apart
-- MAGIC
-- MAGIC `refused_access`: one row per workspace, space, action, client and status code

-- COMMAND ----------

WITH events AS (
  -- DISTINCT: the audit log may hold an event twice.
  SELECT DISTINCT
    event_id,
    workspace_id,
    NULLIF(NULLIF(request_params['space_id'], ''), 'new') AS space_id,
    action_name,
    CASE
      WHEN user_agent LIKE 'genie-obs/%' THEN 'genie-obs (our own reads)'
      WHEN action_name LIKE 'genie%' THEN 'public API'
      ELSE 'Genie page'
    END AS client,
    response.status_code AS status_code,
    response.error_message AS error_message,
    COALESCE(user_identity.email, user_identity.subject_name) AS actor,
    event_time
  FROM system.access.audit
  WHERE service_name = 'aibiGenie'
    AND event_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND response.status_code >= 400
)
SELECT
  e.workspace_id,
  COALESCE(MAX(s.title), e.space_id, 'no space named') AS space,
  e.space_id,
  e.action_name,
  e.client,
  e.status_code,
  CASE
    WHEN e.status_code = 403 THEN 'no permission'
    WHEN e.status_code = 404 THEN 'not shared, or gone: Databricks hides a 403 behind a 404'
    WHEN e.status_code = 429 THEN 'throttled'
    WHEN e.status_code >= 500 THEN 'failure of the service'
    ELSE 'refused request'
  END AS meaning,
  COUNT(*) AS event_count,
  COUNT(DISTINCT e.actor) AS actor_count,
  MAX_BY(e.actor, e.event_time) AS latest_actor,
  MAX_BY(e.error_message, e.event_time) AS latest_error_message,
  MAX(e.event_time) AS last_event_at
FROM events AS e
LEFT JOIN space_details AS s
  ON s.workspace_id = e.workspace_id
  AND s.space_id = e.space_id
GROUP BY e.workspace_id, e.space_id, e.action_name, e.client, e.status_code
ORDER BY event_count DESC, action_name, space_id, status_code, client;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Which messages are waited for, and since when?
-- MAGIC
-- MAGIC Messages that are not stored in their final status: oldest first, with the reason and the next attempt
-- MAGIC
-- MAGIC `unfinished_messages`: one row per message that is pending, settling, in retry or given up; oldest 1,000

-- COMMAND ----------

SELECT
  l.workspace_id,
  l.conversation_id,
  l.message_id,
  COALESCE(s.title, l.space_id, 'not named by any event') AS space,
  l.user_email AS asker,
  l.state,
  l.state_reason,
  l.http_status,
  l.attempts AS attempt_count,
  l.first_event_time,
  ROUND((unix_timestamp(current_timestamp()) - unix_timestamp(l.first_event_time)) / 3600, 1) AS age_hours,
  l.last_attempt_at,
  l.next_attempt_at
FROM message_ledger AS l
LEFT JOIN space_details AS s
  ON s.workspace_id = l.workspace_id
  AND s.space_id = l.space_id
WHERE l.state IN ('pending', 'settling', 'retry', 'abandoned')
  AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), l.workspace_id))
ORDER BY first_event_time, message_id
LIMIT 1000;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### Does the pipeline run, and how does it do?
-- MAGIC
-- MAGIC Each run of the extraction job: status, duration, messages, calls, retries, throttles, lag and errors
-- MAGIC
-- MAGIC `runs`: one row per run; newest 500. The workspace filter does not apply: a run is for all

-- COMMAND ----------

SELECT
  run_id,
  started_at,
  finished_at,
  CASE
    WHEN status = 'running' AND COALESCE(alive_at, started_at) < current_timestamp() - INTERVAL 30 MINUTES THEN 'killed'
    ELSE status
  END AS status,
  total_seconds,
  discover_seconds,
  fetch_seconds,
  merge_seconds,
  enrich_seconds,
  audit_event_count,
  witnessed_count,
  new_message_count,
  due_count,
  fetched_count,
  settling_count,
  retry_count,
  forbidden_count,
  abandoned_count,
  unread_count,
  api_call_count,
  api_retry_count,
  throttled_count,
  try_divide(throttled_count, api_call_count) AS throttled_ratio,
  (fetched_count + settling_count) / NULLIF(fetch_seconds, 0) AS messages_per_second,
  watermark_after,
  ROUND((unix_timestamp(started_at) - unix_timestamp(watermark_after)) / 60, 1) AS audit_lag_minutes,
  statements_joined_count,
  statements_missing_count,
  NULLIF(CONCAT_WS('; ', workspace_errors), '') AS workspace_errors,
  error,
  version
FROM ingestion_runs
WHERE started_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
ORDER BY started_at DESC, run_id
LIMIT 500;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What did Databricks change that this version does not know?
-- MAGIC
-- MAGIC Columns, values, kinds and types that runs met and genie-obs does not know, with what becomes of them
-- MAGIC
-- MAGIC `contract_drift`: one row per kind of difference. The workspace filter does not apply: a run is for all

-- COMMAND ----------

WITH lines AS (
  SELECT
    run_id,
    started_at,
    version,
    explode(drift) AS line
  FROM ingestion_runs
  WHERE started_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
),
seen AS (
  SELECT
    run_id,
    started_at,
    version,
    regexp_extract(line, '^(.*) [(]([0-9]+) times?[)]$', 1) AS what,
    CAST(regexp_extract(line, '^(.*) [(]([0-9]+) times?[)]$', 2) AS BIGINT) AS seen_count
  FROM lines
)
SELECT
  what,
  CASE
    WHEN what LIKE 'system.%: missing%' THEN 'Read as NULL, or from another column'
    WHEN what LIKE 'system.%; converted' THEN 'Converted where it can be, NULL elsewhere'
    WHEN what LIKE 'system.%; not readable%' THEN 'Read as NULL'
    WHEN what LIKE '%: unknown value%' THEN 'Stored as it is; an unknown status counts as not final'
    WHEN what LIKE '%: unknown kind' THEN 'Whole in attachments_json, in no other column'
    WHEN what LIKE '%: unknown field' THEN 'Not stored'
    WHEN what LIKE '%: expected%' THEN 'Stored as JSON where the column holds text, NULL elsewhere'
    ELSE 'See the documentation of operations'
  END AS effect,
  SUM(seen_count) AS seen_count,
  COUNT(DISTINCT run_id) AS run_count,
  MIN(started_at) AS first_seen_at,
  MAX(started_at) AS last_seen_at,
  max_by(version, started_at) AS version
FROM seen
GROUP BY what
ORDER BY last_seen_at DESC, what
LIMIT 500;

-- COMMAND ----------

-- MAGIC %md
-- MAGIC ### What was deleted in Genie?
-- MAGIC
-- MAGIC Messages deleted in Genie, and whether they were stored before
-- MAGIC
-- MAGIC `deleted_messages`: one row per message deleted in Genie; newest 1,000

-- COMMAND ----------

WITH deleted AS (
  SELECT
    workspace_id,
    message_id,
    space_id,
    conversation_id,
    user_email,
    state_reason,
    first_event_time,
    last_attempt_at,
    created_date
  FROM message_ledger
  WHERE witnessed_date >= date_sub(current_date(), CAST(:days_lookback AS INT))
    AND (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
    AND state = 'deleted'
)
SELECT
  d.workspace_id,
  d.conversation_id,
  d.message_id,
  COALESCE(s.title, d.space_id, 'not named by any event') AS space,
  d.user_email AS asker,
  CASE WHEN d.created_date IS NULL THEN 'deleted before it was read' ELSE 'stored before it was deleted' END AS what_is_left,
  m.content AS question,
  d.first_event_time,
  d.last_attempt_at AS found_deleted_at,
  d.state_reason
FROM deleted AS d
LEFT JOIN message_details AS m
  ON m.workspace_id = d.workspace_id
  AND m.message_id = d.message_id
  AND m.created_date >= date_sub(current_date(), CAST(:days_lookback AS INT) + 7)
LEFT JOIN space_details AS s
  ON s.workspace_id = d.workspace_id
  AND s.space_id = d.space_id
ORDER BY found_deleted_at DESC, message_id
LIMIT 1000;
