"""The step of this dataset: the audit log since the last watermark, into the ledger."""

from __future__ import annotations

import logging

from genie_obs.datasets.events.audit_log import discover, select_audit_days, select_window
from genie_obs.runs.dataset import Run, StepResult

logger = logging.getLogger(__name__)


def discover_messages(run: Run) -> StepResult:
    """Record every message that an event of the window mentions."""
    scope = run.settings.scope
    window = select_window(run.tables, scope, run.settings.discovery, run.started_at)
    days = select_audit_days(run.tables, scope, window, run.started_at)
    run.progress.expect(days.event_count)

    def on_done(event_count: int) -> None:
        run.progress.advance(event_count)
        run.heartbeat.beat()

    client_id = run.credentials.client_id
    found = discover(run.tables, scope, window, days, client_id=client_id, now=run.started_at, on_done=on_done)
    logger.info(
        "audit since %s: %d events, %d messages, %d new",
        f"{window.start:%Y-%m-%d %H:%M}", found.event_count, found.witnessed_count, found.new_message_count,
    )  # fmt: skip
    return StepResult(
        rows=found.new_message_count,
        numbers={
            "audit_event_count": found.event_count,
            "witnessed_count": found.witnessed_count,
            "new_message_count": found.new_message_count,
        },
        facts={
            "window_start": window.start,
            "watermark_before": window.watermark,
            "watermark_after": found.watermark,
        },
        # A run that dies after this one found nothing new leaves nothing that the next one does not find again.
        is_worth_storing=found.new_message_count > 0,
    )
