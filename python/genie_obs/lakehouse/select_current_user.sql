-- grain: one row: who the engine says this session belongs to; Sail says nobody
SELECT current_user() AS user_name
