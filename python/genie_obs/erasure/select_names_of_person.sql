-- grain: one row: the ids and e-mail addresses, in small letters, under which a person is stored beside the one that was given
SELECT
  array_distinct(concat(collect_set(lower(user_email)), collect_set(lower(user_id)))) AS names
FROM message_details
WHERE user_id = :user
  OR lower(user_email) = :user
