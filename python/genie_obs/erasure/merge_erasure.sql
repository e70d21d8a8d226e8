-- One row per erasure: written before anything is removed, and when it is done.
MERGE INTO erasures AS t
USING erasure_receipt AS n
ON t.erasure_id = n.erasure_id
WHEN MATCHED THEN UPDATE SET
  finished_at = n.finished_at,
  status = n.status,
  message_count = n.message_count,
  stored_count = n.stored_count,
  space_count = n.space_count,
  unknown_asker_count = n.unknown_asker_count,
  versions_before = n.versions_before,
  versions_after = n.versions_after,
  is_vacuumed = n.is_vacuumed
WHEN NOT MATCHED THEN INSERT (
  erasure_id, started_at, finished_at, status, requested_by, run_id, version, engine, user_hash, space_id, before_date, workspace_ids,
  is_row_erased, message_count, stored_count, space_count, unknown_asker_count, versions_before, versions_after, is_vacuumed
) VALUES (
  n.erasure_id, n.started_at, n.finished_at, n.status, n.requested_by, n.run_id, n.version, n.engine, n.user_hash, n.space_id, n.before_date,
  n.workspace_ids, n.is_row_erased, n.message_count, n.stored_count, n.space_count, n.unknown_asker_count, n.versions_before,
  n.versions_after, n.is_vacuumed
)
