"""`genie-obs doctor`: every grant, secret, table and workspace, each failure with the one line that fixes it."""
