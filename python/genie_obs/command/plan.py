"""`genie-obs plan`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table

from genie_obs.clock import SystemClock
from genie_obs.command.words import name_workspace, say_duration, say_instant
from genie_obs.config import Settings, parse_settings
from genie_obs.lakehouse.source_checks import check_sources
from genie_obs.reports.plan import PlanReport, make_plan
from genie_obs.reports.status import check_created
from genie_obs.security.credentials import SecretReader, find_client_id
from genie_obs.session.flags import ALL_SETTINGS, output_flags, setting_flags
from genie_obs.session.job import credentials_environ, open_tables, secret_reader
from genie_obs.session.output import print_result, set_up_logging

logger = logging.getLogger(__name__)


@click.command("plan")
@setting_flags(*ALL_SETTINGS)
@output_flags
def plan_command(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Show what `ingest` would do: due messages, calls per workspace, time. Calls nothing, writes nothing."""
    settings = parse_settings(flags, os.environ)
    set_up_logging(log_level)
    report = run_plan(settings, credentials_environ(), secret_reader(settings), now=SystemClock().now())
    print_result(json.dumps(report.to_dict()) if is_json else lambda console: print_plan(console, report))


def run_plan(
    settings: Settings, environ: Mapping[str, str], secrets: SecretReader | None, *, now: datetime
) -> PlanReport:
    """Open the tables and work out what a run started now would fetch.

    Args:
        settings: as `ingest` would get them.
        environ: where credentials are looked for first. A plan needs none, but with them it knows the reads of earlier runs.
        secrets: reader of the secret scope, on Databricks.
        now: the time of the run, UTC.

    Raises:
        ConfigError: if a source, a column or a workspace is missing, or our tables are those of an older version.
        EngineError: if the session cannot be opened.
    """
    client_id = find_client_id(environ, secrets)
    with open_tables(settings) as tables:
        sources = check_sources(tables, settings.scope, settings.discovery.skip_sources)
        for line in sources.drift:
            logger.warning("not as this version knows it: %s", line)
        if tables.has_table("message_ledger"):
            check_created(tables)
        return make_plan(tables, settings, sources.workspaces, client_id=client_id, now=now)


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
