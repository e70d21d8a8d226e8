"""`message_ledger`: every message witnessed, in exactly one state; what is due, look-up, writer."""
