-- grain: one row: how many messages were erased since an instant
SELECT
  COUNT(*) AS message_count
FROM message_ledger
WHERE state = 'erased'
  AND updated_at >= :since
