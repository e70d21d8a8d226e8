"""Finds out which sources a run can read, before anything is written. Only the audit log and the list of workspaces are required."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genie_obs.config import Scope
from genie_obs.errors import ConfigError, Problem, SourceError
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.sources import COLUMN_FIX, SOURCES, WORKSPACES, SourceFound, SourceState, State
from genie_obs.lakehouse.tables import Tables


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The workspaces in scope, the state of every source, and how the system tables differ from what this version knows."""

    workspaces: list[Row]
    states: tuple[SourceState, ...]
    drift: tuple[str, ...]

    @property
    def unread(self) -> dict[str, str]:
        """Return the sources that are not read, each with the reason."""
        return {state.name: state.detail or state.state for state in self.states if state.state != State.READ}


def check_sources(tables: Tables, scope: Scope, skip_sources: Sequence[str] = ()) -> Sources:
    """Check every system table that is to be read.

    Raises:
        ConfigError: names the missing table, column or workspace, or the source that cannot be skipped, and the fix.
    """
    check_skipped(skip_sources)
    found = [tables.adopt_source(source) for source in SOURCES if source.name not in skip_sources]
    for item in found:
        if item.source.is_required and item.problem:
            raise ConfigError(item.problem, fix_of(item, kind=tables.kind))
    states = {item.source.name: _state(item, tables.kind) for item in found}
    return Sources(
        workspaces=_select_workspaces(tables, scope),
        states=tuple(
            states.get(source.name)
            or SourceState(
                name=source.name, state=State.SKIPPED, detail=f"system.{source.name} is skipped by --skip-sources"
            )
            for source in SOURCES
        ),
        drift=tuple(line for item in found for line in item.drift),
    )


def select_workspaces(tables: Tables, scope: Scope) -> list[Row]:
    """Return the workspaces in scope.

    Raises:
        ConfigError: if the table of workspaces cannot be read, or one asked for is not in it.
    """
    found = tables.adopt_source(WORKSPACES)
    if found.problem:
        raise ConfigError(found.problem, fix_of(found, kind=tables.kind))
    return _select_workspaces(tables, scope)


def fix_of(found: SourceFound, *, kind: str) -> str:
    """Return a sentence that says how to make a source readable. `kind` is the kind of engine."""
    if found.state is State.LACKS_COLUMNS:
        return COLUMN_FIX
    if kind == "local":
        return "Write the system tables with 'genie-obs simulate', or copy them into the lakehouse folder."
    schema = found.source.schema
    return (
        f"An account admin must enable the system schema {schema} and grant USE SCHEMA and SELECT on system.{schema} "
        "to the principal this runs as."
    )


def state_of_failure(error: SourceError, *, kind: str) -> SourceState:
    """Return the state of a source that failed while it was read. `kind` is the kind of engine."""
    source = next(source for source in SOURCES if source.name == error.source)
    return _state(SourceFound(source=source, state=State(error.state), problem=error.problem), kind)


def check_skipped(skip_sources: Sequence[str]) -> None:
    """Check that each source to be skipped exists and is optional.

    Raises:
        ConfigError: names each one that is not, and those that may be skipped.
    """
    optional = [source.name for source in SOURCES if not source.is_required]
    wrong = [name for name in skip_sources if name not in optional]
    if wrong:
        fix = f"Optional sources are: {', '.join(optional)}."
        raise ConfigError([Problem(f"--skip-sources {name!r}: no optional source", fix) for name in wrong])


def _state(found: SourceFound, kind: str) -> SourceState:
    detail = str(Problem(found.problem, fix_of(found, kind=kind))) if found.problem else None
    return SourceState(name=found.source.name, state=found.state, detail=detail)


def _select_workspaces(tables: Tables, scope: Scope) -> list[Row]:
    workspaces = tables.rows("lakehouse/select_workspaces", workspace_ids=scope.workspace_ids)
    known = {row["workspace_id"] for row in workspaces}
    if unknown := [workspace_id for workspace_id in scope.workspace_ids if workspace_id not in known]:
        raise ConfigError(
            f"--workspace-ids: {', '.join(unknown)} is not in system.access.workspaces_latest",
            "Check the id: it is the number after ?o= in the workspace's address.",
        )
    return workspaces
