-- is_reopened(known, seen): a later write reopens a message that was final.
is_final(known) AND is_written_since(known, seen)
