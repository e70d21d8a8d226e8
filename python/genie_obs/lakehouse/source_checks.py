"""Checks that the system tables we read are there, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from genie_obs.config import Scope
from genie_obs.errors import ConfigError
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.sources import SOURCES, WORKSPACES
from genie_obs.lakehouse.tables import Tables


@dataclass(frozen=True, kw_only=True)
class SourcesFound:
    """The workspaces in scope, and how the system tables differ from what this version knows."""

    workspaces: list[Row]
    drift: list[str]


def check_sources(tables: Tables, scope: Scope) -> SourcesFound:
    """Check that everything we read is there, before anything is written.

    Raises:
        ConfigError: naming the table, column or workspace that is missing, and the fix.
    """
    drift = [line for source in SOURCES for line in tables.adopt_source(source, fix=_source_fix(tables))]
    return SourcesFound(workspaces=_select_workspaces(tables, scope), drift=drift)


def select_workspaces(tables: Tables, scope: Scope) -> list[Row]:
    """Return the workspaces in scope.

    Raises:
        ConfigError: if the table of workspaces cannot be read, or one asked for is not in it.
    """
    tables.adopt_source(WORKSPACES, fix=_source_fix(tables))
    return _select_workspaces(tables, scope)


def _select_workspaces(tables: Tables, scope: Scope) -> list[Row]:
    workspaces = tables.rows("lakehouse/select_workspaces", workspace_ids=scope.workspaces_text)
    known = {row["workspace_id"] for row in workspaces}
    if unknown := [workspace_id for workspace_id in scope.workspace_ids if workspace_id not in known]:
        raise ConfigError(
            f"--workspace-ids: {', '.join(unknown)} is not in system.access.workspaces_latest",
            "Check the id: it is the number after ?o= in the workspace's address.",
        )
    return workspaces


def _source_fix(tables: Tables) -> str:
    if tables.kind == "local":
        return "Write the system tables with 'genie-obs simulate', or copy them into the lakehouse folder."
    return (
        "An account admin must enable the system schemas access and query and grant USE SCHEMA and SELECT on them "
        "to the principal this runs as."
    )
