-- Remove the second row of a message; what it knew is merged into the first one.
MERGE INTO message_ledger AS l
USING twins AS t
ON l.workspace_id = t.workspace_id
  AND l.message_id = t.message_id
  AND l.witnessed_date = t.witnessed_date
  AND l.witnessed_date IN (:witnessed_dates)
WHEN MATCHED THEN DELETE
