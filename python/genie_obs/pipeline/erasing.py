"""The last step of a run: erases again what was erased while the run read it, and erases texts older than the retention."""

from __future__ import annotations

from datetime import timedelta

from genie_obs.erasure.erase import erase_older, erase_what_came_back
from genie_obs.runs.dataset import Run, StepResult


def erase_what_is_due(run: Run) -> StepResult:
    """Erase what came back, and what is older than the retention; `rows` counts messages."""
    tables, settings, now = run.tables, run.settings, run.clock.now
    has_stored = any("oldest_stored_date" in result.facts for result in run.results.values())
    erased = erase_what_came_back(tables, now()) if has_stored else 0
    if settings.retention_days is not None:
        before = run.started_at.date() - timedelta(days=settings.retention_days)
        erased += erase_older(tables, settings.scope, before, run_id=run.run_id, now=now)
    return StepResult(rows=erased)
