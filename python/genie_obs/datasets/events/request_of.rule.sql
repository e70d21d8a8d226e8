-- request_of(e): what the rows of one action share. An event without a request id is alone.
CONCAT(e.workspace_id, '|', COALESCE(NULLIF(e.request_id, ''), CONCAT('|', e.event_id)), '|', e.service, '|', e.action)
