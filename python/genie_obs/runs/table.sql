-- grain:        one row per run of the extraction job
-- key:          run_id, started_date
-- cluster by:   started_date
-- partition by: started_date
-- statistics:   run_id, started_date, started_at, finished_at, status, watermark_after, alive_at
-- identifiers:  run_id, status, version, engine, workspace_ids, space_ids, drift, workspace_errors, error
-- newest:       all
CREATE TABLE IF NOT EXISTS ingestion_runs (
  run_id STRING COMMENT 'Id of the run; ingestion_batch_id in message_details',
  started_date DATE COMMENT 'UTC day of started_at',
  started_at TIMESTAMP COMMENT 'Start of the run (UTC)',
  finished_at TIMESTAMP COMMENT 'End of the run (UTC); NULL while it runs or when it was killed',
  status STRING COMMENT 'running, succeeded, partial (a whole workspace could not be read), failed, or killed (it ended without a word; a later run says so)',
  version STRING COMMENT 'Version of genie-obs',
  engine STRING COMMENT 'Table engine: local, databricks or connect',
  workspace_ids ARRAY<STRING> COMMENT 'Workspaces the run was limited to; NULL means all',
  space_ids ARRAY<STRING> COMMENT 'Spaces fetching was limited to; NULL means all',
  window_start TIMESTAMP COMMENT 'Start of the audit window that was read (UTC)',
  watermark_before TIMESTAMP COMMENT 'Newest audit event processed by earlier runs (UTC)',
  watermark_after TIMESTAMP COMMENT 'Newest audit event processed including this run (UTC); set when discovery is committed',
  oldest_stored_date DATE COMMENT 'Earliest created_date among the rows this run stored; enrichment looks no further back',
  audit_event_count BIGINT COMMENT 'Genie events in the audit window',
  late_event_count BIGINT COMMENT 'Genie events that arrived after their day was read, and days after it: days before the audit window that grew are read again',
  witnessed_count BIGINT COMMENT 'Messages mentioned in the audit window, which is read in slices of days; one that two slices mention counts twice',
  new_message_count BIGINT COMMENT 'Messages witnessed for the first time',
  due_count BIGINT COMMENT 'Messages that were due to be fetched',
  fetched_count BIGINT COMMENT 'Messages stored with a terminal status in this run',
  settling_count BIGINT COMMENT 'Messages stored that are not terminal yet',
  retry_count BIGINT COMMENT 'Messages that failed for now and are tried again',
  forbidden_count BIGINT COMMENT 'Messages that may not be read',
  deleted_count BIGINT COMMENT 'Messages found deleted',
  not_found_count BIGINT COMMENT 'Messages that do not exist',
  abandoned_count BIGINT COMMENT 'Messages given up in this run',
  unread_count BIGINT COMMENT 'Due messages left for the next run: their workspace could not be read, or the run stopped at its deadline',
  read_elsewhere_count BIGINT COMMENT 'Due messages that another run, at work at the same time, read first',
  spaces_read_count BIGINT COMMENT 'Spaces whose details were refreshed',
  statements_joined_count BIGINT COMMENT 'Statements found in system.query.history in this run',
  statements_missing_count BIGINT COMMENT 'Statements still looked for after this run',
  api_call_count BIGINT COMMENT 'HTTP requests sent, tokens and repetitions included',
  message_call_count BIGINT COMMENT 'Of these: reading messages (single or listed), repetitions included',
  predicted_call_count BIGINT COMMENT 'Message calls the planner expected',
  api_retry_count BIGINT COMMENT 'Requests repeated after a transient failure',
  throttled_count BIGINT COMMENT 'Answers 429',
  discover_seconds DOUBLE COMMENT 'Time spent on reading the audit log and updating the ledger',
  fetch_seconds DOUBLE COMMENT 'Time from the first to the last request, merging included',
  merge_seconds DOUBLE COMMENT 'Time spent on merging batches, most of it while fetching went on',
  enrich_seconds DOUBLE COMMENT 'Time spent on joining statements',
  total_seconds DOUBLE COMMENT 'Time of the whole run',
  sources ARRAY<STRUCT<name: STRING, state: STRING, detail: STRING>> COMMENT 'Every source, whether it was read (read, missing, forbidden, lacks_columns, skipped, failed), and if not, why and what to do',
  steps ARRAY<STRUCT<name: STRING, seconds: DOUBLE, rows: BIGINT, calls: BIGINT>> COMMENT 'The steps of the run in their order: time taken, rows written and HTTP requests, as far as they are counted',
  drift ARRAY<STRING> COMMENT 'What Databricks sent or dropped that this version does not know, one line each with how often',
  drift_kinds ARRAY<STRUCT<what: STRING, count: BIGINT>> COMMENT 'The same for machines: each kind of drift and how often it was seen',
  workspace_errors ARRAY<STRING> COMMENT 'One line per workspace that could not be read: id, cause, fix',
  error STRING COMMENT 'Why the run failed; NULL unless status is failed or killed',
  alive_at TIMESTAMP COMMENT 'Last sign of life of the run (UTC): after every step, and every few minutes within one',
  is_deadline_reached BOOLEAN COMMENT 'Whether the run stopped at its deadline and left work for the next run; NULL for runs of older versions'
)
USING DELTA
COMMENT 'One row per run of the extraction job: window, watermark, counts, calls, durations, errors.'
