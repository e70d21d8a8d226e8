"""`genie-obs plan`: what the next `ingest` would do. Calls nothing, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.config import Settings
from genie_obs.datasets.events.audit_log import select_audit_days, select_window
from genie_obs.datasets.events.witnesses import select_logged
from genie_obs.datasets.messages.planner import plan_conversations
from genie_obs.datasets.spaces.store import select_spaces
from genie_obs.lakehouse.arrow_rows import Row, to_rows
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.due import select_due, select_sizes
from genie_obs.ledger.recheck import is_stale
from genie_obs.ledger.rows import ConversationSize, ConversationSizes, DueMessage, key_of

# Used until runs have been measured: a quarter of what 64 requests in flight reach at 150 ms each, to be careful.
_ASSUMED_CALLS_PER_SECOND = 100.0
_FLAGS = (
    "is_deletion_seen",
    "is_absence_seen",
    "is_refusal_seen",
)  # select_due computes these; the others are columns of the ledger


@dataclass(frozen=True, kw_only=True)
class WorkspacePlan:
    """Expected work in one workspace."""

    workspace_id: str
    workspace_name: str | None
    due_count: int
    conversation_count: int
    message_calls: int
    single_calls: int  # calls if each message were asked for alone
    space_calls: int  # at most: spaces not asked for within a day


@dataclass(frozen=True, kw_only=True)
class PlanReport:
    """Expected work of the next run."""

    window_start: datetime
    audit_event_count: int
    new_message_count: int
    workspaces: tuple[WorkspacePlan, ...]
    seconds: float
    calls_per_second: float
    is_rate_measured: bool  # from earlier runs; else assumed

    @property
    def message_calls(self) -> int:
        """Return the expected message calls of all workspaces."""
        return sum(plan.message_calls for plan in self.workspaces)

    def to_dict(self) -> dict[str, object]:
        """Return the plan for `--json`."""
        return {**asdict(self), "window_start": self.window_start.isoformat(), "message_calls": self.message_calls}


def make_plan(
    tables: Tables, settings: Settings, workspaces: list[Row], *, client_id: str, now: datetime
) -> PlanReport:
    """Work out what a run started now would fetch, without writing or calling anything."""
    window = select_window(tables, settings.scope, settings.discovery, now)
    days = select_audit_days(tables, settings.scope, window, now)
    has_ledger = tables.has_table("message_ledger")
    spaces = select_spaces(tables, settings.scope) if has_ledger else []
    due: dict[tuple[str, str], Row] = {}
    if has_ledger:
        for row in to_rows(select_due(tables, settings.scope, spaces, now)):
            due[row["workspace_id"], row["message_id"]] = row
    new_count = 0
    for part in days.slices:
        seen = select_logged(tables, settings.scope, part, client_id=client_id)
        for row in to_rows(seen.messages):
            key, known = key_of(row), seen.known.get(key_of(row))
            new_count += known is None and key not in due
            if key not in due and (known is None or known["is_due_again"]) and _is_in_scope(row, settings):
                due[key] = _due_row(row, known or {})
    rate, is_measured = known_rate(tables, settings)
    plans = tuple(plan_workspaces(tables, _sorted(due.values()), workspaces, spaces, now, has_ledger=has_ledger))
    calls = sum(plan.message_calls + plan.space_calls for plan in plans)
    return PlanReport(
        window_start=window.start,
        audit_event_count=days.event_count,
        new_message_count=new_count,
        workspaces=plans,
        seconds=calls / rate,
        calls_per_second=rate,
        is_rate_measured=is_measured,
    )


def _is_in_scope(row: Row, settings: Settings) -> bool:
    """Say whether a witnessed message can be asked for and is in scope."""
    if row["space_id"] is None or row["conversation_id"] is None:
        return False
    return not settings.scope.space_ids or row["space_id"] in settings.scope.space_ids


def _due_row(row: Row, known: Row) -> Row:
    return {
        **row,
        "state": known.get("state", "pending"),
        "attempts": 0,
        "created_date": known.get("created_date"),
        "is_deletion_seen": False,
        "is_absence_seen": False,
        "is_refusal_seen": False,
    }


def due_schema() -> pa.Schema:
    """Return the columns of due messages by which calls are planned."""
    return pa.schema([_field(item.name) for item in fields(DueMessage)])


def plan_workspaces(
    tables: Tables, everything: pa.Table, workspaces: list[Row], spaces: list[Row], now: datetime, *, has_ledger: bool
) -> Iterable[WorkspacePlan]:
    """Yield the work in each workspace, as a run would do it.

    Args:
        tables: where the ledger is.
        everything: the due messages, with the columns of `due_schema`; the messages of a conversation are neighbours.
        workspaces: of the account.
        spaces: what is stored of them.
        now: the time of the run, UTC.
        has_ledger: there is one already.
    """
    names = {row["workspace_id"]: row["workspace_name"] for row in workspaces}
    fresh = {(s["workspace_id"], s["space_id"]) for s in spaces if not is_stale(s, now)}
    sizes = select_sizes(tables, everything) if has_ledger and everything.num_rows else {}
    sizes = _with_new(everything, sizes)
    for workspace_id in everything["workspace_id"].unique().to_pylist():
        mine = everything.filter(pc.equal(everything["workspace_id"], workspace_id))
        plans = list(plan_conversations(mine, sizes))
        if workspace_id not in names:  # it left the account, or never was in it: nothing is asked
            plans = []
        asked = {(workspace_id, space_id) for space_id in mine["space_id"].unique().to_pylist()}
        yield WorkspacePlan(
            workspace_id=workspace_id,
            workspace_name=names.get(workspace_id),
            due_count=mine.num_rows,
            conversation_count=len(plans),
            message_calls=sum(plan.expected_calls for plan in plans),
            single_calls=mine.num_rows if workspace_id in names else 0,
            space_calls=len(asked - fresh) if workspace_id in names else 0,
        )


def _sorted(due: Iterable[Row]) -> pa.Table:
    rows = sorted(
        due, key=lambda row: (row["workspace_id"], row["space_id"], row["conversation_id"], row["message_id"])
    )
    return pa.Table.from_pylist(rows, due_schema())


def _field(name: str) -> pa.Field:
    return pa.field(name, pa.bool_()) if name in _FLAGS else table("message_ledger").arrow_schema().field(name)


def _with_new(due: pa.Table, sizes: ConversationSizes) -> ConversationSizes:
    """Add the messages that the ledger does not know yet to its sizes."""
    counts = due.group_by(["workspace_id", "conversation_id"]).aggregate([("message_id", "count")]).to_pylist()
    return {
        (row["workspace_id"], row["conversation_id"]): ConversationSize(
            message_count=max(
                row["message_id_count"],
                sizes.get((row["workspace_id"], row["conversation_id"]), ConversationSize()).message_count,
            )
        )
        for row in counts
    }


def known_rate(tables: Tables, settings: Settings) -> tuple[float, bool]:
    """Return calls per second as measured in recent runs, or assumed; never above the ceiling."""
    ceiling = settings.fetch.max_requests_per_second or float("inf")
    runs = tables.rows("runs/select_recent_runs") if tables.has_table("ingestion_runs") else []
    measured = [run for run in runs if (run["api_call_count"] or 0) >= 20 and (run["fetch_seconds"] or 0) > 0]  # noqa: PLR2004
    if not measured:
        return min(_ASSUMED_CALLS_PER_SECOND, ceiling), False
    calls, seconds = (sum(run[name] for run in measured) for name in ("api_call_count", "fetch_seconds"))
    return min(calls / seconds, ceiling), True
