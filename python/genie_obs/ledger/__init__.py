"""The table `message_ledger`: every witnessed message, in exactly one state. Finds what is due, looks up messages, writes outcomes."""
