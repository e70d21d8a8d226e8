"""Stores the events of a slice in `genie_events`. The engine reads the audit log and writes the rows itself.

Only where a text may not be kept verbatim do the rows come here, because the content policy is applied in this process.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from genie_obs.drift import DriftCounter, describe_unknown

if TYPE_CHECKING:
    from genie_obs.config import Scope
    from genie_obs.datasets.events.audit_log import Slice
    from genie_obs.lakehouse.tables import Tables
    from genie_obs.security.content_policy import ContentGuard

_ACTION = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_NEW_EVENTS = "datasets/events/select_new_events"


def store_events(
    tables: Tables,
    scope: Scope,
    part: Slice,
    guard: ContentGuard,
    drift: DriftCounter,
    *,
    client_id: str,
    now: datetime,
) -> None:
    """Store the events of a slice that are not stored yet. Repeating it changes nothing."""
    if not part.missing_dates:
        return
    first, last = part.missing_dates[0], part.missing_dates[-1]
    dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    values: dict[str, Any] = {
        "from_date": first,
        "until_date": last,
        "workspace_ids": scope.workspace_ids,
        "client_id": client_id,
        "ingested_at": now,
    }
    if guard.keeps_everything:
        tables.merge_from("genie_events", _NEW_EVENTS, event_dates=dates, **values)
    else:
        rows = tables.select(_NEW_EVENTS, **values)
        if rows.num_rows:
            tables.merge("genie_events", _protected(rows, guard))
    # The two rows of one action may be of two days.
    _finish(tables, drift, [first - timedelta(days=1), *dates, last + timedelta(days=1)], now)


def _finish(tables: Tables, drift: DriftCounter, dates: list[date], now: datetime) -> None:
    """Count actions that are not known, and join rows of one action that were read apart."""
    odd = tables.rows("datasets/events/select_odd_events", event_dates=dates, ingested_at=now)
    for row in odd:
        if row["unknown_count"]:
            drift.add(_describe_action(row["action"]), row["unknown_count"])
    if any(row["apart_count"] for row in odd):
        tables.execute("datasets/events/merge_split_events", event_dates=dates)


def _describe_action(name: str) -> str:
    """Return the line for an unknown action. Names of actions are words of the service, in another form than its enumerated values."""
    if _ACTION.fullmatch(name):
        return f"system.access.audit.action_name: unknown value {name}"
    return describe_unknown("system.access.audit.action_name", name)


def _protected(rows: pa.Table, guard: ContentGuard) -> pa.Table:
    """Return events with what the service said as the content policy allows it."""
    columns = ("error_message", "workspace_id", "space_id")
    errors = [
        guard.protect_text(text, guard.policy_of(workspace_id, space_id))
        for text, workspace_id, space_id in zip(*(rows[name].to_pylist() for name in columns), strict=True)
    ]
    at = rows.column_names.index("error_message")
    return rows.set_column(at, "error_message", pa.array(errors, pa.string()))
