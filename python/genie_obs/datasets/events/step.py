"""The step of this dataset: reads the audit log since the last watermark, and days that have grown, into genie_events and the ledger."""

from __future__ import annotations

import logging

from genie_obs.datasets.events.audit_log import select_audit_days, select_window
from genie_obs.datasets.events.discovery import discover
from genie_obs.ledger.twins import join_twins
from genie_obs.runs.dataset import Run, StepResult

logger = logging.getLogger(__name__)


def discover_messages(run: Run) -> StepResult:
    """Store the events of the window and record every message that they mention."""
    scope = run.settings.scope
    window = select_window(run.tables, scope, run.settings.discovery, run.started_at)
    days = select_audit_days(run.tables, scope, window, run.started_at)
    run.progress.expect(sum(part.event_count for part in days.slices))

    def on_done(event_count: int) -> None:
        run.progress.advance(event_count)
        run.heartbeat.beat()

    found = discover(
        run.tables, scope, window, days, guard=run.guard, client_id=run.credentials.client_id, now=run.started_at,
        on_done=on_done, is_over=lambda: run.deadline.is_reached,
    )  # fmt: skip
    if found.is_stopped:
        logger.warning("the audit log is not read to its end: the next run goes on there, as the deadline is reached")
    logger.info(
        "audit since %s: %d events, %d messages, %d new",
        f"{window.start:%Y-%m-%d %H:%M}", found.event_count, found.witnessed_count, found.new_message_count,
    )  # fmt: skip
    if found.late_event_count:
        logger.warning("%d events arrived after their day was read; these days were read again", found.late_event_count)
    twins = _join_twins(run) if found.new_message_count else 0
    return StepResult(
        rows=found.new_message_count,
        numbers={
            "audit_event_count": found.event_count,
            "late_event_count": found.late_event_count,
            "witnessed_count": found.witnessed_count,
            "new_message_count": found.new_message_count - twins,
        },
        facts={
            "window_start": window.start,
            "watermark_before": window.watermark,
            "watermark_after": found.watermark,
            **({"is_deadline_reached": True} if found.is_stopped else {}),
        },
        drift=found.drift,
        # If nothing is new and the run dies later, the next run finds everything again.
        is_worth_storing=found.new_message_count > 0,
    )


def _join_twins(run: Run) -> int:
    """Look for messages that another run recorded at the same time, if there was one."""
    [others] = run.tables.rows("runs/select_overlapping_runs", run_id=run.run_id, since=run.started_at)
    starts = [start for start in (others["started_at"], run.others.earliest_start) if start is not None]
    return join_twins(run.tables, since=min(*starts, run.started_at), now=run.started_at) if starts else 0
