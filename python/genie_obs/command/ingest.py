"""`genie-obs ingest`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from genie_obs.clock import SystemClock
from genie_obs.command.exit_codes import EXIT_PARTIAL
from genie_obs.config import parse_settings
from genie_obs.session.flags import ALL_SETTINGS, output_flags, setting_flags
from genie_obs.session.job import credentials_environ, open_job
from genie_obs.session.output import open_progress, print_result, set_up_logging

if TYPE_CHECKING:
    from rich.console import Console

    from genie_obs.runs.record import RunRecord


@click.command("ingest")
@setting_flags(*ALL_SETTINGS)
@output_flags
def ingest_command(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Discover, fetch, merge, enrich, record. Safe to repeat; resumes where the last run stopped."""
    from genie_obs.pipeline.run import run_ingest

    settings = parse_settings(flags, os.environ)
    with (
        open_progress(set_up_logging(log_level)) as progress,
        open_job(settings, credentials_environ(), clock=SystemClock(), progress=progress) as job,
    ):
        record = run_ingest(job)
    print_result(record.to_json() if is_json else lambda console: print_run(console, record))
    if record.workspace_errors:
        raise SystemExit(EXIT_PARTIAL)


def print_run(console: Console, record: RunRecord) -> None:
    """Print what a run found, fetched and joined."""
    from rich.markup import escape
    from rich.table import Table

    from genie_obs.command.words import say_instant
    from genie_obs.lakehouse.sources import State
    from genie_obs.runs.record import describe_deadline

    counts = {
        "fetched": record.fetched_count,
        "settling": record.settling_count,
        "retry": record.retry_count,
        "forbidden": record.forbidden_count,
        "deleted": record.deleted_count,
        "not found": record.not_found_count,
        "abandoned": record.abandoned_count,
    }
    outcome = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to do"
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Run", f"{record.run_id}  {record.status} in {record.total_seconds or 0:.1f} s")
    if record.window_start is not None:  # a run that reads named messages again discovers nothing
        table.add_row(
            "Found",
            f"{record.witnessed_count:,} messages in {record.audit_event_count:,} audit events since "
            f"{say_instant(record.window_start)}, {record.new_message_count:,} new",
        )
    if record.late_event_count:
        table.add_row("Late", f"{record.late_event_count:,} events arrived after their day was read, and were read now")
    table.add_row("Due", f"{record.due_count:,} messages: {outcome}")
    table.add_row(
        "Calls",
        f"{record.api_call_count:,} ({record.message_call_count:,} for messages, {record.predicted_call_count:,} expected), "
        f"{record.api_retry_count:,} repeated, {record.throttled_count:,} throttled",
    )
    table.add_row("Statements", _say_statements(record))
    for source in record.sources:
        if source.state != State.READ:
            table.add_row("[yellow]Not read[/yellow]", escape(source.detail or source.name))
    for error in record.workspace_errors:
        table.add_row("[red]Not read[/red]", escape(error))
    for line in record.drift:
        table.add_row("[yellow]Not known[/yellow]", escape(line))
    if record.is_deadline_reached:
        table.add_row("[yellow]Left[/yellow]", describe_deadline(record))
    elif record.unread_count:
        table.add_row("[red]Left[/red]", f"{record.unread_count:,} messages for the next run")
    console.print(table)


def _say_statements(record: RunRecord) -> str:
    if record.statements_joined_count is None:
        return "not looked for"
    if record.statements_missing_count is None:
        return f"{record.statements_joined_count:,} joined, the others are looked for by the next run"
    return f"{record.statements_joined_count:,} joined, {record.statements_missing_count:,} still looked for"
