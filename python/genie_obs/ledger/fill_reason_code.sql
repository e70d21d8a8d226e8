-- Runs once, when an older table gets the column reason_code: the code of each row is found by its sentence.
MERGE INTO message_ledger AS l
USING (
  SELECT
    workspace_id,
    message_id,
    witnessed_date,
    CASE
      WHEN state = 'settling' AND state_reason = 'changed after it was last read' THEN 'changed'
      WHEN state = 'settling' THEN 'running'
      WHEN state = 'retry' AND state_reason LIKE '404 although the space can be read%' THEN 'absent_once'
      WHEN state = 'retry' AND state_reason LIKE '%is not in system.access.workspaces_latest%' THEN 'workspace_gone'
      WHEN state = 'retry' AND state_reason LIKE '%while reading the answer; please report it' THEN 'unreadable_answer'
      WHEN state = 'retry' THEN 'request_failed'
      WHEN state = 'forbidden' THEN 'no_permission'
      WHEN state IN ('deleted', 'not_found') AND state_reason = 'deleted in Genie' THEN 'deleted'
      WHEN state IN ('deleted', 'not_found') THEN 'absent'
      WHEN state = 'abandoned' AND state_reason LIKE 'stored, but still %' THEN 'never_final'
      WHEN state = 'abandoned' THEN 'attempts_used_up'
      WHEN state = 'erased' AND state_reason = 'erased: texts' THEN 'erased_texts'
      WHEN state = 'erased' AND state_reason = 'erased: row' THEN 'erased_row'
      WHEN state = 'erased' THEN 'erased_texts_and_asker'
    END AS reason_code
  FROM message_ledger
  WHERE reason_code IS NULL
    AND state NOT IN ('pending', 'fetched')
) AS known
ON l.workspace_id = known.workspace_id
  AND l.message_id = known.message_id
  AND l.witnessed_date = known.witnessed_date
WHEN MATCHED AND l.reason_code IS NULL THEN UPDATE SET
  reason_code = known.reason_code
