"""`genie-obs init`."""

from __future__ import annotations

import json
import os

import click

from genie_obs.config import parse_settings
from genie_obs.lakehouse.schema import table
from genie_obs.session.flags import ENGINE_SETTINGS, output_flags, setting_flags
from genie_obs.session.job import open_tables
from genie_obs.session.output import print_result, set_up_logging


@click.command("init")
@setting_flags(*ENGINE_SETTINGS)
@output_flags
def init_command(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Create schema and tables, or add the columns that older tables lack. Safe to repeat."""
    settings = parse_settings(flags, os.environ)
    set_up_logging(log_level)
    with open_tables(settings) as tables:
        done = tables.create()
    lines = [_describe_made(name, columns) for name, columns in done.items()] or ["Everything is there already."]
    print_result(json.dumps({"created": done}) if is_json else "\n".join(lines))


def _describe_made(name: str, columns: list[str]) -> str:
    if len(columns) == len(table(name).columns):
        return f"{name}: created, {len(columns)} columns"
    return f"{name}: added {', '.join(columns)}"
