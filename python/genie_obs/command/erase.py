"""`genie-obs erase`."""

from __future__ import annotations

import json
import os

import click
from rich.console import Console

from genie_obs.clock import SystemClock
from genie_obs.config import parse_settings
from genie_obs.erasure.erase import Found, run_erase, select_erasable
from genie_obs.erasure.receipt import Receipt
from genie_obs.erasure.selector import Extent, parse_selector
from genie_obs.reports.status import check_created
from genie_obs.session.flags import ENGINE_SETTINGS, output_flags, setting_flags
from genie_obs.session.job import open_tables
from genie_obs.session.output import print_result, set_up_logging


@click.command("erase")
@setting_flags(*ENGINE_SETTINGS, "workspace_ids")
@click.option("--user", metavar="EMAIL", help="Messages of this person: e-mail address, or id as in user_id.")
@click.option("--space", metavar="ID", help="Messages of this space; alone, its description and configuration too.")
@click.option(
    "--older-than", metavar="DAYS", help="Messages older than so many days, or asked before a day: 2026-01-31 (UTC)."
)
@click.option(
    "--without-metrics",
    is_flag=True,
    help="Remove rows as a whole. Default: texts go (and with --user who asked), times, states and counts stay.",
)
@click.option(
    "--vacuum",
    is_flag=True,
    help="Remove older versions of the tables at once. Refused while a run is active; readers of older versions fail.",
)
@click.option("--yes", is_flag=True, help="Do it. Default: show what would be erased.")
@output_flags
def erase_command(  # one argument per flag
    *,
    user: str | None,
    space: str | None,
    older_than: str | None,
    without_metrics: bool,
    vacuum: bool,
    yes: bool,
    is_json: bool,
    log_level: str | None,
    **flags: str | None,
) -> None:
    """Erase stored texts of a person, a space or an age, for good: later runs do not bring them back. Leaves a receipt."""
    settings = parse_settings(flags, os.environ)
    clock = SystemClock()
    selector = parse_selector(settings.scope, user=user, space=space, older_than=older_than, today=clock.now().date())
    extent = Extent.ROW if without_metrics else Extent.TEXTS_AND_ASKER if user else Extent.TEXTS
    set_up_logging(log_level)
    with open_tables(settings) as tables:
        check_created(tables)
        if not yes:
            found = select_erasable(tables, selector, extent)
            print_result(json.dumps(found.to_dict()) if is_json else lambda console: print_erasable(console, found))
            return
        receipt = run_erase(tables, selector, extent, now=clock.now, is_vacuumed=vacuum)
    print_result(receipt.to_json() if is_json else lambda console: print_receipt(console, receipt))


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
