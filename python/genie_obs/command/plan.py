"""`genie-obs plan`."""

from __future__ import annotations

import json
import logging
import os

import click
from rich.console import Console
from rich.table import Table

from genie_obs.clock import SystemClock
from genie_obs.command.words import name_workspace, say_duration, say_instant
from genie_obs.config import parse_settings
from genie_obs.lakehouse.source_checks import check_sources
from genie_obs.reports.plan import PlanReport, make_plan
from genie_obs.secret import CLIENT_ID_VARIABLE
from genie_obs.session.flags import ALL_SETTINGS, output_flags, setting_flags
from genie_obs.session.job import credentials_environ, open_tables
from genie_obs.session.output import print_result, set_up_logging

logger = logging.getLogger(__name__)


@click.command("plan")
@setting_flags(*ALL_SETTINGS)
@output_flags
def plan_command(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Show what `ingest` would do: due messages, calls per workspace, time. Calls nothing, writes nothing."""
    settings = parse_settings(flags, os.environ)
    set_up_logging(log_level)
    with open_tables(settings) as tables:
        sources = check_sources(tables, settings.scope)
        for line in sources.drift:
            logger.warning("not as this version knows it: %s", line)
        client_id = credentials_environ().get(CLIENT_ID_VARIABLE, "").strip()
        report = make_plan(tables, settings, sources.workspaces, client_id=client_id, now=SystemClock().now())
    print_result(json.dumps(report.to_dict()) if is_json else lambda console: print_plan(console, report))


def print_plan(console: Console, plan: PlanReport) -> None:
    """Print what a run would do."""
    console.print(
        f"Audit since {say_instant(plan.window_start)}: {plan.audit_event_count:,} events, {plan.new_message_count:,} new messages."
    )
    if not plan.workspaces:
        console.print("Nothing is due: no call would be made.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Workspace", "Due", "Conversations", "Message calls", "One by one", "Space calls"):
        table.add_column(name, justify="left" if name == "Workspace" else "right")
    for item in plan.workspaces:
        table.add_row(
            name_workspace(item.workspace_id, item.workspace_name),
            *(
                f"{n:,}"
                for n in (
                    item.due_count,
                    item.conversation_count,
                    item.message_calls,
                    item.single_calls,
                    item.space_calls,
                )
            ),
        )
    console.print(table)
    basis = "as measured in earlier runs" if plan.is_rate_measured else "assumed, no run to learn from yet"
    console.print(
        f"{plan.message_calls:,} message calls, about {say_duration(plan.seconds)} at {plan.calls_per_second:,.0f} calls/s ({basis})."
    )
