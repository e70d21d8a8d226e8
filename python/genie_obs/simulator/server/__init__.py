"""Serves the workspaces over HTTP, with faults by rules."""
