"""Discovery: stores the events of the audit log and records in the ledger every message that exists.

The audit log is read in slices of whole days, each slice once, so that memory does not grow with the window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from genie_obs.config import Scope
from genie_obs.datasets.events.audit_log import AuditDays, Window
from genie_obs.datasets.events.store import store_events
from genie_obs.datasets.events.witnesses import record_messages
from genie_obs.drift import DriftCounter
from genie_obs.lakehouse.tables import Tables
from genie_obs.security.content_policy import ContentGuard


@dataclass(kw_only=True)
class Discovered:
    """What discovery found and wrote."""

    event_count: int = 0
    late_event_count: int = 0
    witnessed_count: int = 0  # a message that two slices mention counts twice
    new_message_count: int = 0
    watermark: datetime | None = None
    drift: DriftCounter = field(default_factory=DriftCounter)


def discover(
    tables: Tables,
    scope: Scope,
    window: Window,
    days: AuditDays,
    *,
    guard: ContentGuard,
    client_id: str,
    now: datetime,
    on_done: Callable[[int], None],
) -> Discovered:
    """Bring events and ledger up to date with the audit log and return what was found. Repeating it changes nothing.

    `on_done` gets the number of events of each slice.
    """
    found = Discovered(event_count=days.event_count, late_event_count=days.late_event_count, watermark=window.watermark)
    if days.newest_event_time is not None:
        newest = min(days.newest_event_time, now)
        found.watermark = max(newest, window.watermark) if window.watermark else newest
    for part in days.slices:
        store_events(tables, scope, part, guard, found.drift, client_id=client_id, now=now)
        witnessed, new = record_messages(tables, scope, part, now=now)
        found.witnessed_count += witnessed
        found.new_message_count += new
        on_done(part.event_count)
    return found
