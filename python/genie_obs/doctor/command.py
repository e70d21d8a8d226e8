"""`genie-obs doctor`."""

from __future__ import annotations

import os

import click

from genie_obs.clock import SystemClock
from genie_obs.config import parse_settings
from genie_obs.doctor.run import run_doctor
from genie_obs.session.flags import output_flags, setting_flags
from genie_obs.session.job import credentials_environ, secret_reader
from genie_obs.session.output import set_up_logging

_SETTINGS = (
    "engine", "lakehouse", "catalog", "schema", "system_catalog", "workspace_ids", "space_ids", "max_concurrency",
    "skip_sources", "max_requests_per_second", "timeout_seconds", "proxy", "allowed_hosts", "content_policy",
)  # fmt: skip


@click.command("doctor")
@setting_flags(*_SETTINGS)
@output_flags
def doctor_command(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Check versions, credentials, grants, tables and workspaces; each failure with its fix. Changes nothing.

    Exit code: 0 ingestion would work completely, 3 some workspace or space could not be read, 2 it would not work.
    """
    settings = parse_settings(flags, os.environ)
    set_up_logging(log_level or "ERROR")
    report = run_doctor(settings, environ=credentials_environ(), secrets=secret_reader(settings), clock=SystemClock())
    click.echo(report.to_json() if is_json else "\n".join(report.lines()))
    if report.exit_code:
        raise SystemExit(report.exit_code)
