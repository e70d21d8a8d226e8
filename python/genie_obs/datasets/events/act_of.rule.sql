-- act_of(e): what an action does, in small letters: the same for its name in the UI and in the public API.
lower(CASE WHEN is_api_action(e) THEN substring(e.action, 6) ELSE e.action END)
