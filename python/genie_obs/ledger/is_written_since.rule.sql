-- is_written_since(known, seen): a write is seen that is later than every one known so far.
-- Events are compared with events only: the clock of the job that read the message may have been wrong.
seen.last_write_event_time > COALESCE(known.last_write_event_time, TIMESTAMP '1970-01-01 00:00:00+00:00')
