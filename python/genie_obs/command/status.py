"""`genie-obs status`."""

from __future__ import annotations

import json
import os

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genie_obs.clock import SystemClock
from genie_obs.command.words import name_workspace, say_duration, say_instant
from genie_obs.config import parse_settings
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.source_checks import select_workspaces
from genie_obs.ledger.states import STATES
from genie_obs.reports.status import StatusReport, make_status
from genie_obs.session.flags import ENGINE_SETTINGS, output_flags, setting_flags
from genie_obs.session.job import open_tables
from genie_obs.session.output import print_result, set_up_logging

# By reason code: what happened, and what to do. No grant helps here.
_GONE = {
    "space_trashed": ("In the trash", "Restore a space to have its messages read; else there is nothing to do."),
    "space_deleted": ("Deleted", "Nothing to do: these messages are gone for good."),
}
_MOST_SPACES = 10


@click.command("status")
@setting_flags(*ENGINE_SETTINGS, "workspace_ids")
@output_flags
def status_command(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Show the ledger by state, coverage per workspace, freshness and the last runs."""
    settings = parse_settings(flags, os.environ)
    set_up_logging(log_level)
    with open_tables(settings) as tables:
        workspaces = select_workspaces(tables, settings.scope)
        report = make_status(tables, settings, workspaces, SystemClock().now())
    print_result(
        json.dumps(report.to_dict(), ensure_ascii=False) if is_json else lambda console: print_status(console, report)
    )


def print_status(console: Console, status: StatusReport) -> None:
    """Print ledger, coverage, freshness and runs."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Workspace")
    for name in ("witnessed", "stored", "coverage", *STATES):
        table.add_column(name.replace("_", " "), justify="right")
    for item in status.workspaces:
        coverage = "–" if item.coverage is None else f"{item.coverage:.1%}"
        states = (f"{item.states[state]:,}" for state in STATES)
        table.add_row(
            name_workspace(item.workspace_id, item.workspace_name),
            f"{item.witnessed_count:,}",
            f"{item.stored_count:,}",
            coverage,
            *states,
        )
    console.print(table)
    if status.listed_only_count:
        console.print(
            f"{status.listed_only_count:,} of these were found only by listing their conversation (api:list)."
        )
    if status.watermark is not None:
        age = say_duration(max(0.0, (status.now - status.watermark).total_seconds()))
        console.print(f"Audit log processed up to {say_instant(status.watermark)}, {age} ago.")
    for run in status.runs:
        if run["late_event_count"]:
            late = f"{run['late_event_count']:,} events arrived after their day was read"
            console.print(f"Run of {say_instant(run['started_at'])}: {late}, and were read then.")
    _print_runs(console, status)
    _print_backlog(console, status)
    _print_sources(console, status)
    _print_drift(console, status)
    _print_forbidden(console, status)
    _print_gone(console, status)


def _print_runs(console: Console, status: StatusReport) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", title="Last runs", title_justify="left")
    for name in ("Started (UTC)", "Status", "New", "Due", "Fetched", "Left", "Calls", "Seconds"):
        table.add_column(name, justify="left" if name in {"Started (UTC)", "Status"} else "right")
    for run in status.runs:
        counts = (
            run["new_message_count"],
            run["due_count"],
            run["fetched_count"],
            run["unread_count"],
            run["api_call_count"],
        )
        seconds = "–" if run["total_seconds"] is None else f"{run['total_seconds']:.1f}"
        table.add_row(
            f"{run['started_at']:%Y-%m-%d %H:%M:%S}",
            _say_status(run),
            *(f"{count or 0:,}" for count in counts),
            seconds,
        )
    console.print(table)
    for run in status.runs[:1]:
        for problem in [*(run["workspace_errors"] or []), *([run["error"]] if run["error"] else [])]:
            console.print(f"[red]Last run:[/red] {escape(problem)}")


def _say_status(run: Row) -> str:
    return f"{run['status']}, at its deadline" if run["is_deadline_reached"] else str(run["status"])


def _print_backlog(console: Console, status: StatusReport) -> None:
    backlog = status.backlog
    if backlog.at_work_since is not None and backlog.last_sign_at is not None:
        since, sign = (
            say_duration(max(0.0, (status.now - at).total_seconds()))
            for at in (backlog.at_work_since, backlog.last_sign_at)
        )
        console.print(f"A run is at work for {since}; its last sign of life is {sign} old.")
    if backlog.due_count:
        console.print(f"{backlog.due_count:,} messages are due now.")
    if guess := backlog.guess:
        runs, known = (f"{count} run{'s' if count != 1 else ''}" for count in (guess.run_count, guess.from_run_count))
        console.print(
            f"They may take about {runs}: a guess from the last {known} that stopped at their deadline, "
            f"which read {guess.messages_per_run:,} messages each on average."
        )


def _print_sources(console: Console, status: StatusReport) -> None:
    for source in status.unread_sources:
        console.print(escape(f"Not read: {source['detail'] or source['name']}"))


def _print_drift(console: Console, status: StatusReport) -> None:
    if not status.drift:
        return
    console.print(
        "Databricks sent or dropped what this version does not know; kept as it is where a column can hold it:"
    )
    for what, at in status.drift.items():
        console.print(escape(f"  {what}, last seen {say_instant(at)}"))


def _print_forbidden(console: Console, status: StatusReport) -> None:
    spaces = [space for space in status.forbidden_spaces if space["reason_code"] not in _GONE]
    if not spaces:
        return
    count = len(spaces)
    console.print(f"{count} space{'s' if count > 1 else ''} cannot be read:")
    for space in spaces[:_MOST_SPACES]:
        console.print(
            escape(
                f"  {space['space_id']} in workspace {space['workspace_id']} ({space['message_count']:,} messages): {space['state_reason']}"
            )
        )
    _print_more(console, count)


def _print_gone(console: Console, status: StatusReport) -> None:
    """Print what no grant brings back: spaces in the trash, deleted spaces, workspaces that left the account."""
    for code, (what, advice) in _GONE.items():
        spaces = [space for space in status.forbidden_spaces if space["reason_code"] == code]
        if not spaces:
            continue
        messages = sum(space["message_count"] for space in spaces)
        since = say_instant(min(space["went_at"] for space in spaces))
        console.print(f"{what}: {len(spaces):,} space(s), {messages:,} message(s), the first on {since}. {advice}")
        for space in spaces[:_MOST_SPACES]:
            who = f" by {space['went_by']}" if space["went_by"] else ""
            place = f"{space['space_id']} in workspace {space['workspace_id']} ({space['message_count']:,} messages)"
            console.print(escape(f"  {place}: {say_instant(space['went_at'])}{who}"))
        _print_more(console, len(spaces))
    for workspace_id in status.left_workspaces:
        console.print(f"Workspace {escape(workspace_id)} left the account: what was read stays. Nothing to do.")


def _print_more(console: Console, count: int) -> None:
    if count > _MOST_SPACES:
        console.print(f"  … and {count - _MOST_SPACES} more; all of them with --json.")
