-- grain: one row per created_date with statements that are still looked for; sizes the slices of enrichment
SELECT
  created_date,
  COUNT(*) AS message_count
FROM message_details AS d
WHERE created_date >= :from_date
  AND is_looked_for(d)
GROUP BY created_date
ORDER BY created_date
