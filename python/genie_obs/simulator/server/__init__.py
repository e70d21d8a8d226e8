"""Serves the workspaces over HTTP, and misbehaves by rules."""
