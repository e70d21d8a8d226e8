"""Reading the due messages of all workspaces, under its public name."""

from genie_obs.datasets.messages.conversation import ConversationReader
from genie_obs.datasets.messages.reader import ReadReport, WorkspaceReader, read_workspaces

__all__ = ["ConversationReader", "ReadReport", "WorkspaceReader", "read_workspaces"]
