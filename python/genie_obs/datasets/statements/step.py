"""The step of this dataset: looks for the statements of stored messages until they are final."""

from __future__ import annotations

from genie_obs.datasets.statements.query_history import enrich
from genie_obs.datasets.statements.reading_plan import plan_reading
from genie_obs.runs.dataset import Run, StepResult


def join_statements(run: Run) -> StepResult:
    """Join what the query history has by now."""
    stored = run.results["messages"].facts.get("oldest_stored_date") if "messages" in run.results else None

    plan = plan_reading(
        run.others.recent,
        now=run.started_at,
        oldest_stored_date=stored,
        find_last_reading=lambda: run.tables.rows("datasets/statements/select_last_reading", run_id=run.run_id)[0],
    )

    def on_done(count: int) -> None:
        run.progress.advance(count)
        run.heartbeat.beat()

    done = enrich(
        run.tables,
        plan,
        run_id=run.run_id,
        on_expected=run.progress.expect,
        on_done=on_done,
        guard=run.guard,
    )
    return StepResult(
        rows=done.joined_count,
        numbers={
            "statements_joined_count": done.joined_count,
            "statements_missing_count": done.missing_count,
        },
        drift=done.drift,
    )
