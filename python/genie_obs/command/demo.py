"""`genie-obs demo`: a simulated account, the whole job against it over HTTP, tables and dashboard, in one folder."""

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from genie_obs.clock import SystemClock
from genie_obs.command.ingest import print_run
from genie_obs.config import parse_settings
from genie_obs.errors import ConfigError
from genie_obs.pipeline.run import run_ingest
from genie_obs.preview.command import open_site, write_export
from genie_obs.progress import LogProgress
from genie_obs.runs.record import RunRecord
from genie_obs.secret import CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE
from genie_obs.session.job import open_job
from genie_obs.session.output import open_progress, print_result, set_up_logging
from genie_obs.session.terminal_progress import TerminalProgress
from genie_obs.simulator import AccountSpec, SimulatorServer, generate_account, write_system_tables

_MARKER = "demo.json"


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder to make; an older demo in it is replaced.",
)
@click.option(
    "--messages", type=click.IntRange(10, 1_000_000), default=3_000, show_default=True, help="Messages in the account."
)
@click.option(
    "--days", type=click.IntRange(2, 365), default=90, show_default=True, help="Days of history; all of it is read."
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed makes another account.")
@click.option("--json", "is_json", is_flag=True, help="Print the run record as JSON, on the last line of stdout.")
def demo_command(*, folder: Path, messages: int, days: int, seed: int, is_json: bool) -> None:
    """Make a simulated account, run the whole job against it over HTTP, and leave tables and a dashboard in one folder."""
    _prepare(folder)
    progress = open_progress(set_up_logging(None))
    record, lines = run_demo(folder, messages=messages, days=days, seed=seed, progress=progress)
    if not is_json:
        print_result(lambda console: print_run(console, record))
    click.echo("\n".join(lines), err=is_json)
    if is_json:
        click.echo(record.to_json())


def run_demo(
    folder: Path, *, messages: int, days: int, seed: int, progress: TerminalProgress | LogProgress
) -> tuple[RunRecord, list[str]]:
    """Make account and tables in a prepared folder and return the run's record and what to tell the user."""
    lakehouse, variables = folder / "lakehouse", folder / "simulator.env"
    until = datetime.now(UTC).replace(second=0, microsecond=0)
    with progress:
        progress.step("Making the account")
        account = generate_account(AccountSpec(seed=seed, message_count=messages, days=days, until=until))
        with SimulatorServer(account):
            rows = write_system_tables(account, lakehouse)
            _write_variables(variables, account.client_id, account.client_secret)
            record = _ingest(lakehouse, account.client_id, account.client_secret, days=days, progress=progress)
        progress.step("Drawing the dashboard")
        dashboard = _export_dashboard(lakehouse, folder / "dashboard.html")
    _write_marker(folder, seed=seed, messages=messages, days=days, until=until)
    command = _own_command()
    made = ", ".join(f"{count:,} rows of system.{name}" for name, count in rows.items())
    return record, [
        "",
        f"Simulated  {len(account.workspaces)} workspaces, {days} days: {made}",
        f"Dashboard  {dashboard}",
        f"Tables     {lakehouse / 'main' / 'genie_analytics'} (Delta; open them with any Delta reader)",
        "",
        "Next:",
        f"  {command} dashboard serve --lakehouse {lakehouse} --open     # the same, filters run its SQL again",
        f"  {command} status --lakehouse {lakehouse}",
        f"  set -a; . {variables}; set +a     # credentials of the simulated service principal",
        f"  {command} ingest --lakehouse {lakehouse}     # nothing new: no message call, no row rewritten",
        f"  {command} simulate --lakehouse {folder / 'live'} --live     # an account that keeps growing",
    ]


def _own_command() -> str:
    """Return what to type to run this command again: the name alone only where the shell would find this installation."""
    own = Path(sys.argv[0])
    found = shutil.which("genie-obs")
    if found and own.exists() and Path(found).samefile(own):
        return "genie-obs"
    return str(own) if own.name == "genie-obs" else "genie-obs"


def _prepare(folder: Path) -> None:
    """Make the folder, or empty one that an older demo made. Nothing else is touched.

    Raises:
        ConfigError: if the folder holds something that is no demo.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not (folder / _MARKER).is_file():
        raise ConfigError(f"--folder {folder}: it exists and was not made by the demo", "Name a new or empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    # First the marker: a demo that is interrupted can be made again.
    (folder / _MARKER).touch()
    shutil.rmtree(folder / "lakehouse", ignore_errors=True)


def _ingest(
    lakehouse: Path, client_id: str, client_secret: str, *, days: int, progress: TerminalProgress | LogProgress
) -> RunRecord:
    flags = {"engine": "local", "lakehouse": str(lakehouse), "days_lookback": str(days + 1)}
    settings = parse_settings(flags, {})
    environ = {CLIENT_ID_VARIABLE: client_id, CLIENT_SECRET_VARIABLE: client_secret}
    with open_job(settings, environ, clock=SystemClock(), progress=progress) as job:
        return run_ingest(job)


def _export_dashboard(lakehouse: Path, out: Path) -> str:
    """Write the dashboard as one HTML file and return where it is, or why there is none: the demo is complete without it."""
    try:
        with open_site(parse_settings({"engine": "local", "lakehouse": str(lakehouse)}, {})) as site:
            size_bytes = write_export(site, out)
    except ConfigError as error:
        return f"not made: {error}"
    return f"{out} ({size_bytes / 1e6:.1f} MB; opens in any browser, needs no network)"


def _write_variables(path: Path, client_id: str, client_secret: str) -> None:
    """Write the made-up credentials to a file that only its owner can read, as one would keep real ones."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"DATABRICKS_SP_CLIENT_ID={client_id}\nDATABRICKS_SP_CLIENT_SECRET={client_secret}\n")


def _write_marker(folder: Path, **facts: object) -> None:
    (folder / _MARKER).write_text(json.dumps(facts, default=str) + "\n", encoding="utf-8")
