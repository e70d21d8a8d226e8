"""Reading the due messages of all workspaces, under its public name."""

from genie_obs.datasets.messages.reader import ReadReport, WorkspaceReader, WorkspaceWork, read_workspaces

__all__ = ["ReadReport", "WorkspaceReader", "WorkspaceWork", "read_workspaces"]
