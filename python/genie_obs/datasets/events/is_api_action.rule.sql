-- is_api_action(e): the action is one of the public API: its name is `genie` and the name of what it does.
e.action RLIKE '^genie[A-Z]'
