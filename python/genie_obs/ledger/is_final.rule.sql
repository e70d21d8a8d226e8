-- is_final(known): no further request is due, unless an event reopens the message.
known.state IN ('fetched', 'deleted', 'not_found', 'abandoned')
