-- grain: one row per workspace_id and user_id whose e-mail is known from messages of the days read
SELECT
  workspace_id,
  user_id,
  MAX(user_email) AS user_email
FROM message_details
WHERE created_date >= :from_date
  AND user_id IS NOT NULL
  AND user_email IS NOT NULL
  AND workspace_id IN (:workspace_ids)
GROUP BY workspace_id, user_id
