"""`genie-obs reread`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from genie_obs.clock import SystemClock
from genie_obs.command.exit_codes import EXIT_PARTIAL
from genie_obs.config import SETTINGS, Scope, parse_settings
from genie_obs.reports.reread_selector import parse_reread_selector
from genie_obs.session.flags import output_flags, setting_flags
from genie_obs.session.job import credentials_environ, open_job, open_tables
from genie_obs.session.output import open_progress, print_result, set_up_logging

if TYPE_CHECKING:
    from rich.console import Console

    from genie_obs.config import Settings
    from genie_obs.lakehouse.tables import Tables
    from genie_obs.reports.reread import RereadPreview
    from genie_obs.reports.reread_selector import RereadSelector
    from genie_obs.runs.record import RunRecord

# Of a run those that have a meaning where nothing is discovered.
_RUN_SETTINGS = tuple(
    item.name
    for item in SETTINGS
    if item.name not in {"workspace_ids", "space_ids", "days_lookback", "overlap_days", "retention_days"}
)
_LINK = "Ids, or links to it, separated by commas."


@click.command("reread")
@click.option("--conversation", metavar="ID,ID", help=f"Messages of this conversation. {_LINK}")
@click.option("--message", metavar="ID,ID", help=f"This message. {_LINK}")
@click.option("--space", metavar="ID,ID", help=f"Messages of this space. {_LINK}")
@click.option("--workspace", metavar="ID,ID", help=f"Messages of this workspace; narrows the others down. {_LINK}")
@click.option("--yes", is_flag=True, help="Do it. Default: show which messages, and how many calls it takes.")
@click.option("--mark-only", is_flag=True, help="With --yes: only mark the messages; the next run reads them.")
@setting_flags(*_RUN_SETTINGS)
@output_flags
def reread_command(  # one argument per flag
    *,
    conversation: str | None,
    message: str | None,
    space: str | None,
    workspace: str | None,
    yes: bool,
    mark_only: bool,
    is_json: bool,
    log_level: str | None,
    **flags: str | None,
) -> None:
    """Read messages again that were read before, or given up: of a conversation, a space or a workspace, or single ones."""
    settings = replace(parse_settings(flags, os.environ), scope=Scope(), retention_days=None)
    selector = parse_reread_selector(workspace=workspace, space=space, conversation=conversation, message=message)
    terminal = set_up_logging(log_level)
    is_read = yes and not mark_only
    done = _read(settings, selector, terminal) if is_read else _show_or_mark(settings, selector, is_marked=yes)
    result = json.dumps(done.to_dict(), ensure_ascii=False)
    print_result(result if is_json else lambda console: print_reread(console, done))
    if done.record and done.record.workspace_errors:
        raise SystemExit(EXIT_PARTIAL)


@dataclass(frozen=True, kw_only=True)
class Reread:
    """What the command foresaw and did."""

    preview: RereadPreview
    is_marked: bool
    record: RunRecord | None = None  # of the run that read the messages

    def to_dict(self) -> dict[str, object]:
        """Return everything for `--json`."""
        run = json.loads(self.record.to_json()) if self.record else None
        return {**self.preview.to_dict(), "is_marked": self.is_marked, "run": run}


def _show_or_mark(settings: Settings, selector: RereadSelector, *, is_marked: bool) -> Reread:
    from genie_obs.ledger.reread import mark_for_rereading

    with open_tables(settings) as tables:
        preview = _preview(tables, settings, selector)
        is_marked = is_marked and preview.messages.num_rows > 0
        if is_marked:
            mark_for_rereading(tables, preview.messages, now=SystemClock().now())
    return Reread(preview=preview, is_marked=is_marked)


def _read(settings: Settings, selector: RereadSelector, terminal: Console | None) -> Reread:
    """Mark the messages and read them, in one run of their own. If there are none, no run is recorded."""
    from genie_obs.pipeline.run import run_ingest

    with (
        open_progress(terminal) as progress,
        open_job(settings, credentials_environ(), clock=SystemClock(), progress=progress) as job,
    ):
        preview = _preview(job.tables, settings, selector)
        if not preview.messages.num_rows:
            return Reread(preview=preview, is_marked=False)
        context = replace(job, settings=replace(settings, scope=preview.scope))
        return Reread(preview=preview, is_marked=True, record=run_ingest(context, only=preview.messages))


def _preview(tables: Tables, settings: Settings, selector: RereadSelector) -> RereadPreview:
    from genie_obs.lakehouse.source_checks import select_workspaces
    from genie_obs.reports.reread import preview_reread
    from genie_obs.reports.status import check_created

    check_created(tables)
    workspaces = select_workspaces(tables, Scope())
    return preview_reread(tables, settings, selector, workspaces, SystemClock().now())


def print_reread(console: Console, done: Reread) -> None:
    """Print what was foreseen, what was done, and how to go on."""
    from genie_obs.command.ingest import print_run

    print_preview(console, done.preview)
    if done.record is not None:
        print_run(console, done.record)
    elif done.is_marked:
        console.print("Marked. The next run reads them.")
    elif done.preview.messages.num_rows:
        console.print(
            "Nothing was changed. Add --yes to read them again now, or --yes --mark-only to leave it to the next run."
        )
    else:
        console.print("Nothing to read again: nothing was changed.")


def print_preview(console: Console, preview: RereadPreview) -> None:
    """Print which messages are read again, which are not, and what it takes."""
    from rich.markup import escape
    from rich.table import Table

    from genie_obs.command.words import name_workspace, say_duration

    names = {plan.workspace_id: plan.workspace_name for plan in preview.workspaces}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Workspace", "Space", "State now", "Messages"):
        table.add_column(name, justify="right" if name == "Messages" else "left")
    for place in preview.places:
        workspace = name_workspace(place.workspace_id, names.get(place.workspace_id))
        table.add_row(workspace, place.space_id, place.state.replace("_", " "), f"{place.message_count:,}")
    if preview.places:
        console.print(table)
    for item in preview.left_out:
        where = f" in space {item.space_id}" if item.space_id else ""
        console.print(
            escape(f"Not read: {item.message_count:,}{where} of workspace {item.workspace_id}. {item.advice}")
        )
    if not preview.messages.num_rows:
        return
    basis = "as measured in earlier runs" if preview.is_rate_measured else "assumed, no run to learn from yet"
    console.print(
        f"Messages: {preview.messages.num_rows:,}. To read them takes {preview.message_calls:,} message calls, and about "
        f"{preview.space_calls:,} for spaces: "
        f"about {say_duration(preview.seconds)} at {preview.calls_per_second:,.0f} calls/s ({basis})."
    )
    if preview.stored_count:
        console.print(
            escape(
                f"Of these, stored: {preview.stored_count:,}. Their answers are replaced by what Genie says now, which may differ. "
                f"Texts are stored under content policy {preview.content_policy}."
            )
        )
