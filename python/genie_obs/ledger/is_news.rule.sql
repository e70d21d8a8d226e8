-- is_news(known, seen): an event tells more about a message than the ledger knows. What was erased stays as it is.
known.state <> 'erased' AND COALESCE(
  seen.first_event_time < known.first_event_time
  OR is_written_since(known, seen)
  OR size(array_except(seen.witnesses, known.witnesses)) > 0
  OR (seen.space_id IS NOT NULL AND known.space_id IS NULL)
  OR (seen.conversation_id IS NOT NULL AND known.conversation_id IS NULL)
  OR (seen.user_email IS NOT NULL AND known.user_email IS NULL),
  FALSE
)
