-- event_id_of(a): the id of an event of the audit log. If the log gives none, events of one instant, action and request are one.
COALESCE(NULLIF(a.event_id, ''), md5(concat_ws('|', a.workspace_id, CAST(a.event_time AS STRING), a.action_name, a.request_id)))
