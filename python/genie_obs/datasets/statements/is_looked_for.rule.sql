-- is_looked_for(message): its statement may still be missing from the query history, or not be final there.
-- It is looked for until it is final, or 7 days after its message was last stored.
message.statement_id IS NOT NULL
AND NOT COALESCE(message.query_execution_status, '') IN ('FINISHED', 'FAILED', 'CANCELED')
AND message.ingestion_timestamp >= :stored_since
