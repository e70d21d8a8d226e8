"""What commands print for people. Results go to stdout; none of it contains the text of a message."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genie_obs.erasure import Found, Receipt
from genie_obs.outcomes import STATES
from genie_obs.plan_report import PlanReport
from genie_obs.run_record import RunRecord
from genie_obs.status_report import StatusReport

_MOST_SPACES = 10


def print_run(console: Console, record: RunRecord) -> None:
    """Print what a run found, fetched and joined."""
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
    table.add_row(
        "Found",
        f"{record.witnessed_count:,} messages in {record.audit_event_count:,} audit events since "
        f"{_instant(record.window_start)}, {record.new_message_count:,} new",
    )
    table.add_row("Due", f"{record.due_count:,} messages: {outcome}")
    table.add_row(
        "Calls",
        f"{record.api_call_count:,} ({record.message_call_count:,} for messages, {record.predicted_call_count:,} expected), "
        f"{record.api_retry_count:,} repeated, {record.throttled_count:,} throttled",
    )
    table.add_row(
        "Statements", f"{record.statements_joined_count:,} joined, {record.statements_missing_count:,} still looked for"
    )
    for error in record.workspace_errors:
        table.add_row("[red]Not read[/red]", escape(error))
    for line in record.drift.lines():
        table.add_row("[yellow]Not known[/yellow]", escape(line))
    if record.unread_count:
        table.add_row("[red]Left[/red]", f"{record.unread_count:,} messages for the next run")
    console.print(table)


def print_plan(console: Console, plan: PlanReport) -> None:
    """Print what a run would do."""
    console.print(
        f"Audit since {_instant(plan.window_start)}: {plan.audit_event_count:,} events, {plan.new_message_count:,} new messages."
    )
    if not plan.workspaces:
        console.print("Nothing is due: no call would be made.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Workspace", "Due", "Conversations", "Message calls", "One by one", "Space calls"):
        table.add_column(name, justify="left" if name == "Workspace" else "right")
    for item in plan.workspaces:
        table.add_row(
            _name(item.workspace_id, item.workspace_name),
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
        f"{plan.message_calls:,} message calls, about {_duration(plan.seconds)} at {plan.calls_per_second:,.0f} calls/s ({basis})."
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
            _name(item.workspace_id, item.workspace_name),
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
        age = _duration(max(0.0, (status.now - status.watermark).total_seconds()))
        console.print(f"Audit log processed up to {_instant(status.watermark)}, {age} ago.")
    _print_runs(console, status)
    _print_drift(console, status)
    _print_forbidden(console, status)


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
            f"{run['started_at']:%Y-%m-%d %H:%M:%S}", run["status"], *(f"{count or 0:,}" for count in counts), seconds
        )
    console.print(table)
    for run in status.runs[:1]:
        for problem in [*(run["workspace_errors"] or []), *([run["error"]] if run["error"] else [])]:
            console.print(f"[red]Last run:[/red] {escape(problem)}")


def _print_drift(console: Console, status: StatusReport) -> None:
    if not status.drift:
        return
    console.print(
        "Databricks sent or dropped what this version does not know; kept as it is where a column can hold it:"
    )
    for what, at in status.drift.items():
        console.print(escape(f"  {what}, last seen {_instant(at)}"))


def _print_forbidden(console: Console, status: StatusReport) -> None:
    if not status.forbidden_spaces:
        return
    count = len(status.forbidden_spaces)
    console.print(f"{count} space{'s' if count > 1 else ''} cannot be read:")
    for space in status.forbidden_spaces[:_MOST_SPACES]:
        console.print(
            escape(
                f"  {space['space_id']} in workspace {space['workspace_id']} ({space['message_count']:,} messages): {space['state_reason']}"
            )
        )
    if len(status.forbidden_spaces) > _MOST_SPACES:
        console.print(f"  … and {len(status.forbidden_spaces) - _MOST_SPACES} more; all of them with --json.")


def print_erasable(console: Console, found: Found) -> None:
    """Print what an erasure would do."""
    _print_extent(
        console, found.messages.num_rows, found.stored_count, found.spaces.num_rows, found.unknown_asker_count
    )
    console.print("Nothing was changed. Add --yes to erase it for good.")


def print_receipt(console: Console, receipt: Receipt) -> None:
    """Print what an erasure did, and what is left to do."""
    _print_extent(
        console, receipt.message_count, receipt.stored_count, receipt.space_count, receipt.unknown_asker_count
    )
    console.print(
        f"Erased, receipt {receipt.erasure_id} in table erasures. Versions: {', '.join(receipt.versions_after)}"
    )
    if receipt.is_vacuumed:
        console.print("Files of older versions are removed.")
    elif receipt.engine == "local":
        console.print("Older versions of the tables still hold it: run it again with --vacuum to remove them.")
    else:
        console.print(
            "Older versions of the tables still hold it until VACUUM removes them, seven days unless configured otherwise."
        )


def _print_extent(
    console: Console, message_count: int, stored_count: int, space_count: int, unknown_count: int
) -> None:
    spaces = f", {space_count:,} descriptions of spaces" if space_count else ""
    console.print(f"{message_count:,} messages, {stored_count:,} of them stored{spaces}.")
    if unknown_count:
        console.print(
            f"{unknown_count:,} messages that are not read yet have no known asker. Erase again once they are read."
        )


def _name(workspace_id: str, name: str | None) -> str:
    return escape(f"{name} ({workspace_id})" if name else workspace_id)


def _instant(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "–"


def _duration(seconds: float) -> str:
    rounded = timedelta(seconds=round(seconds))
    if rounded < timedelta(minutes=2):
        return f"{rounded.seconds} s"
    if rounded < timedelta(hours=2):
        return f"{rounded.seconds // 60} min"
    if rounded < timedelta(days=2):
        return f"{rounded.total_seconds() / 3600:.0f} h"
    return f"{rounded.days} days"
