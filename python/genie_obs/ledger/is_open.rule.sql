-- is_open(known): the message is asked for again by itself.
known.state IN ('pending', 'retry', 'settling', 'forbidden')
