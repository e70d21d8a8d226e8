"""The query history: how the statements of messages ran."""
