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
    is_stopped: bool = False  # the deadline came before the last slice
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
    is_over: Callable[[], bool] = lambda: False,
) -> Discovered:
    """Bring events and ledger up to date with the audit log and return what was found. Repeating it changes nothing.

    After `is_over` says yes no further slice is begun. `on_done` gets the number of events of each slice.
    """
    found = Discovered(event_count=days.event_count, late_event_count=days.late_event_count, watermark=window.watermark)
    newest: datetime | None = None  # of the window; late days before it tell nothing of how far it is read
    for number, part in enumerate(days.slices):
        if number and is_over():  # at least one is read, so that every run gets further
            found.is_stopped = True
            break
        store_events(tables, scope, part, guard, found.drift, client_id=client_id, now=now)
        witnessed, new = record_messages(tables, scope, part, now=now)
        found.witnessed_count += witnessed
        found.new_message_count += new
        if part.from_date >= window.start.date():
            newest = max(part.newest_event_time, newest or part.newest_event_time)
        on_done(part.event_count)
    found.watermark = _watermark(window, newest, now, is_stopped=found.is_stopped)
    return found


def _watermark(window: Window, newest: datetime | None, now: datetime, *, is_stopped: bool) -> datetime | None:
    """Return up to where the audit log is read without a gap, given the newest event of the slices of the window that were read.

    A run that was stopped may have read only days before the watermark: late days, the overlap, or days of a raised look-back. Then it
    says nothing (None), and the next run reads them again.
    """
    if newest is None:
        return None if is_stopped else window.watermark
    newest = min(newest, now)
    if window.watermark is None or newest >= window.watermark:
        return newest
    return None if is_stopped else window.watermark
