"""The audit log: which messages exist."""
