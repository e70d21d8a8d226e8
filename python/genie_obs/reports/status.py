"""`genie-obs status`: is everything there, how fresh is it, and what needs attention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genie_obs.config import Settings
from genie_obs.drift import DriftKind
from genie_obs.errors import ConfigError
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import tables as declared_tables
from genie_obs.lakehouse.sources import State
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.states import STATES
from genie_obs.reports.backlog import Backlog, make_backlog
from genie_obs.runs.open_runs import explain_death, is_dead

_GONE_STATES = {"deleted", "not_found", "erased"}


@dataclass(frozen=True, kw_only=True)
class WorkspaceCoverage:
    """The ledger of one workspace."""

    workspace_id: str
    workspace_name: str | None
    witnessed_count: int
    stored_count: int
    lost_count: int  # gone before they could be stored, alone or with their space, or erased as whole rows
    states: dict[str, int]

    @property
    def reachable_count(self) -> int:
        """Return the number of messages that still exist or are stored. Coverage is the stored share of it."""
        return self.witnessed_count - self.lost_count

    @property
    def coverage(self) -> float | None:
        """Return the stored share, 0 to 1; None when there is nothing to store."""
        return self.stored_count / self.reachable_count if self.reachable_count else None


@dataclass(frozen=True, kw_only=True)
class StatusReport:
    """Everything `status` shows."""

    now: datetime
    workspaces: tuple[WorkspaceCoverage, ...]
    listed_only_count: int
    watermark: datetime | None  # newest audit event that any run of this scope has processed
    forbidden_spaces: list[Row]
    runs: list[Row]
    backlog: Backlog
    left_workspaces: tuple[str, ...] = ()  # with messages, but the account does not list them any more

    @property
    def drift(self) -> dict[str, datetime]:
        """Return what the last runs saw and this version does not know, with the start of the last such run; the newest first."""
        seen: dict[str, tuple[DriftKind, datetime]] = {}
        for run in self.runs:
            for kind in run["drift_kinds"] or ():
                seen.setdefault(kind["what"], (DriftKind(**kind), run["started_at"]))
        return {str(kind): at for kind, at in seen.values()}

    @property
    def unread_sources(self) -> list[Row]:
        """Return the sources that were not read by the newest run that lists its sources."""
        newest = next((run["sources"] for run in self.runs if run["sources"]), ())
        return [source for source in newest if source["state"] != State.READ]

    @property
    def states(self) -> dict[str, int]:
        """Return the ledger by state, all workspaces."""
        return {state: sum(w.states[state] for w in self.workspaces) for state in STATES}

    def to_dict(self) -> dict[str, Any]:
        """Return the status for `--json`; instants in ISO 8601, UTC."""
        return {
            "now": self.now.isoformat(),
            "witnessed_count": sum(w.witnessed_count for w in self.workspaces),
            "listed_only_count": self.listed_only_count,
            "states": self.states,
            "audit_watermark": self.watermark.isoformat() if self.watermark else None,
            "workspaces": [
                {
                    "workspace_id": w.workspace_id,
                    "workspace_name": w.workspace_name,
                    "witnessed_count": w.witnessed_count,
                    "stored_count": w.stored_count,
                    "coverage": w.coverage,
                    "states": w.states,
                }
                for w in self.workspaces
            ],
            "drift": [{"what": what, "last_seen_at": at.isoformat()} for what, at in self.drift.items()],
            "unread_sources": self.unread_sources,
            "backlog": self.backlog.to_dict(),
            "forbidden_spaces": [{name: _plain(value) for name, value in row.items()} for row in self.forbidden_spaces],
            "left_workspaces": self.left_workspaces,
            "runs": [{name: _plain(value) for name, value in run.items()} for run in self.runs],
        }


def check_created(tables: Tables) -> None:
    """Check that all our tables exist and have the columns of this version.

    Raises:
        ConfigError: names what is missing, and the fix.
    """
    if missing := [table.name for table in declared_tables() if not tables.has_table(table.name)]:
        raise ConfigError(
            f"tables that do not exist yet: {', '.join(missing)}",
            "Create them with 'genie-obs init', or run 'genie-obs ingest'.",
        )
    if outdated := tables.outdated():
        raise ConfigError(
            f"tables made by an older version, which lack columns: {', '.join(outdated)}",
            "Add the columns with 'genie-obs init', or run 'genie-obs ingest'.",
        )


def make_status(tables: Tables, settings: Settings, workspaces: list[Row], now: datetime) -> StatusReport:
    """Read ledger, spaces and runs.

    Raises:
        ConfigError: if the tables do not exist yet.
    """
    check_created(tables)
    names = {row["workspace_id"]: row["workspace_name"] for row in workspaces}
    scope = settings.scope
    ledger = tables.rows("ledger/select_ledger_states", workspace_ids=scope.workspace_ids)
    [earlier] = tables.rows("runs/select_watermark", workspace_ids=scope.workspaces_text)
    runs = [
        {**run, "status": "killed", "error": explain_death(run)} if is_dead(run, now) else run
        for run in tables.rows("runs/select_recent_runs")
    ]
    [left] = tables.rows("reports/select_backlog", now=now, workspace_ids=scope.workspace_ids)
    return StatusReport(
        now=now,
        workspaces=tuple(
            _coverage(
                workspace_id, names.get(workspace_id), [row for row in ledger if row["workspace_id"] == workspace_id]
            )
            for workspace_id in sorted({row["workspace_id"] for row in ledger})
        ),
        listed_only_count=sum(row["listed_only_count"] for row in ledger),
        watermark=earlier["watermark"],
        forbidden_spaces=tables.rows("reports/select_forbidden_spaces", workspace_ids=scope.workspace_ids),
        left_workspaces=tuple(sorted({row["workspace_id"] for row in ledger} - set(names))) if names else (),
        runs=runs,
        backlog=make_backlog(left["due_count"], runs),
    )


def _coverage(workspace_id: str, name: str | None, rows: list[Row]) -> WorkspaceCoverage:
    counts = {row["state"]: row["message_count"] for row in rows}
    return WorkspaceCoverage(
        workspace_id=workspace_id,
        workspace_name=name,
        witnessed_count=sum(counts.values()),
        stored_count=sum(row["stored_count"] for row in rows),
        lost_count=sum(
            row["message_count"] - row["stored_count"] if row["state"] in _GONE_STATES else row["went_count"]
            for row in rows
        ),
        states={state: counts.get(state, 0) for state in STATES},
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
