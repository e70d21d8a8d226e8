"""The command line: `genie-obs <command>`. Flags are made from the settings table; results go to stdout, all else to stderr.

Exit codes: 0 done, recorded per-message failures included · 1 crashed · 2 usage or configuration · 3 finished, but a whole
workspace could not be read.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genie_obs import __version__
from genie_obs.clock import SystemClock
from genie_obs.config import SETTINGS, Settings, parse_settings
from genie_obs.errors import ConfigError, GenieObsError
from genie_obs.process import forbid_memory_dumps, held_credentials, rare_collections
from genie_obs.secret import CLIENT_ID_VARIABLE

if TYPE_CHECKING:
    from rich.console import Console

    from genie_obs.secret import Credentials, Secret
    from genie_obs.tables import Tables

logger = logging.getLogger(__name__)

EXIT_CRASHED = 1
EXIT_USAGE = 2
EXIT_PARTIAL = 3

_ENGINE_SETTINGS = ("engine", "lakehouse", "catalog", "schema", "system_catalog")
_RUN_SETTINGS = tuple(setting.name for setting in SETTINGS)
_LAZY_COMMANDS = {
    "dashboard": "genie_obs.preview.command:dashboard_command",
    "simulate": "genie_obs.simulator.command:simulate_command",
    "demo": "genie_obs.demo:demo_command",
    "doctor": "genie_obs.doctor:doctor_command",
}


class _Commands(click.Group):
    """Imports the simulator and the demo only when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_LAZY_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _LAZY_COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = _LAZY_COMMANDS[cmd_name].partition(":")
        try:
            command: click.Command = getattr(import_module(module), name)
        except ImportError as error:
            raise ConfigError(
                f"'genie-obs {cmd_name}' needs packages that are not installed ({error.name}). "
                "Install them with: pip install 'genie-obs[local,preview]'"
            ) from error
        return command


def setting_flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of the named settings; all arrive as text and are checked together."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for setting in reversed([item for item in SETTINGS if item.name in names]):
            option = click.option(
                setting.flag, setting.name, metavar=setting.metavar, help=f"{setting.help}  [{setting.variable}]"
            )
            command = option(command)
        return command

    return decorate


def output_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json` and `--log-level`."""
    command = click.option(
        "--json", "is_json", is_flag=True, help="Print the result as JSON, on the last line of stdout."
    )(command)
    return click.option(
        "--log-level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
        envvar="GENIE_OBS_LOG_LEVEL",
        help="Default: INFO, or WARNING on a terminal, where progress is shown instead.  [GENIE_OBS_LOG_LEVEL]",
    )(command)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, package_name="genie-obs", message="genie-obs %(version)s")
def cli() -> None:
    """Observability for Databricks Genie: every question, answer, SQL statement and rating in one Delta table."""


@cli.command()
@setting_flags(*_RUN_SETTINGS)
@output_flags
def ingest(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Discover, fetch, merge, enrich, record. Safe to repeat; resumes where the last run stopped."""
    from genie_obs.job import RunContext, run_ingest

    settings = parse_settings(flags, os.environ)
    credentials = _credentials(settings)
    content_hash_key = _content_hash_key(settings)
    terminal = set_up_logging(log_level)
    with _tables(settings) as tables, _progress(terminal) as progress:
        context = RunContext(
            tables=tables,
            settings=settings,
            credentials=credentials,
            clock=SystemClock(),
            progress=progress,
            content_hash_key=content_hash_key,
        )
        record = run_ingest(context)
    if is_json:
        _print(record.to_json())
    else:
        from genie_obs.cli_output import print_run

        _print(lambda console: print_run(console, record))
    if record.workspace_errors:
        raise SystemExit(EXIT_PARTIAL)


@cli.command()
@setting_flags(*_RUN_SETTINGS)
@output_flags
def plan(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Show what `ingest` would do: due messages, calls per workspace, time. Calls nothing, writes nothing."""
    from genie_obs.cli_output import print_plan
    from genie_obs.job import check_sources
    from genie_obs.plan_report import make_plan

    settings = parse_settings(flags, os.environ)
    set_up_logging(log_level)
    with _tables(settings) as tables:
        sources = check_sources(tables, settings.scope)
        for line in sources.drift:
            logger.warning("not as this version knows it: %s", line)
        client_id = credentials_environ().get(CLIENT_ID_VARIABLE, "").strip()
        report = make_plan(tables, settings, sources.workspaces, client_id=client_id, now=SystemClock().now())
    _print(json.dumps(report.to_dict()) if is_json else lambda console: print_plan(console, report))


@cli.command()
@setting_flags(*_ENGINE_SETTINGS, "workspace_ids")
@output_flags
def status(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Show the ledger by state, coverage per workspace, freshness and the last runs."""
    from genie_obs.cli_output import print_status
    from genie_obs.job import select_workspaces
    from genie_obs.status_report import make_status

    settings = parse_settings(flags, os.environ)
    set_up_logging(log_level)
    with _tables(settings) as tables:
        workspaces = select_workspaces(tables, settings.scope)
        report = make_status(tables, settings, workspaces, SystemClock().now())
    _print(
        json.dumps(report.to_dict(), ensure_ascii=False) if is_json else lambda console: print_status(console, report)
    )


@cli.command()
@setting_flags(*_ENGINE_SETTINGS)
@output_flags
def init(*, is_json: bool, log_level: str | None, **flags: str | None) -> None:
    """Create schema and tables, or add the columns that older tables lack. Safe to repeat."""
    settings = parse_settings(flags, os.environ)
    set_up_logging(log_level)
    with _tables(settings) as tables:
        done = tables.create()
    lines = [_describe_made(name, columns) for name, columns in done.items()] or ["Everything is there already."]
    _print(json.dumps({"created": done}) if is_json else "\n".join(lines))


def _describe_made(name: str, columns: list[str]) -> str:
    from genie_obs.schema import table

    if len(columns) == len(table(name).columns):
        return f"{name}: created, {len(columns)} columns"
    return f"{name}: added {', '.join(columns)}"


@cli.command()
@setting_flags(*_ENGINE_SETTINGS, "workspace_ids")
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
def erase(  # one argument per flag
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
    from genie_obs.cli_output import print_erasable, print_receipt
    from genie_obs.erasure import Extent, parse_selector, run_erase, select_erasable
    from genie_obs.status_report import check_created

    settings = parse_settings(flags, os.environ)
    clock = SystemClock()
    selector = parse_selector(settings.scope, user=user, space=space, older_than=older_than, today=clock.now().date())
    extent = Extent.ROW if without_metrics else Extent.TEXTS_AND_ASKER if user else Extent.TEXTS
    set_up_logging(log_level)
    with _tables(settings) as tables:
        check_created(tables)
        if not yes:
            found = select_erasable(tables, selector, extent)
            _print(json.dumps(found.to_dict()) if is_json else lambda console: print_erasable(console, found))
            return
        receipt = run_erase(tables, selector, extent, now=clock.now, is_vacuumed=vacuum)
    _print(receipt.to_json() if is_json else lambda console: print_receipt(console, receipt))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; the console entry point."""
    if arguments is not None:  # the process is a notebook's or a test's
        return _main(arguments)
    forbid_memory_dumps()
    with rare_collections():
        return _main(None)


def _main(arguments: Sequence[str] | None) -> int:  # noqa: PLR0911  # one line per way to end
    try:
        with held_credentials(os.environ) as held:
            cli.main(args=None if arguments is None else list(arguments), standalone_mode=False, obj=held)
    except click.exceptions.Exit as done:
        return done.exit_code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else EXIT_CRASHED
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except ConfigError as error:
        click.echo(f"Error: {error}", err=True)
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. What was merged is kept; run the command again to go on.", err=True)
        return EXIT_CRASHED
    except GenieObsError as error:
        click.echo(f"Error: {error}", err=True)
        return EXIT_CRASHED
    except Exception as error:  # noqa: BLE001  # the CLI's top: say what happened, never dump the data
        click.echo(_crash_report(error), err=True)
        return EXIT_CRASHED
    return 0


def credentials_environ() -> Mapping[str, str]:
    """Return where a command finds credentials in variables: what `main` took out of the environment."""
    held: Mapping[str, str] | None = click.get_current_context().find_root().obj
    return os.environ if held is None else held


def set_up_logging(level: str | None) -> Console | None:
    """Send our log to stderr and return the console when stderr is a terminal; other libraries stay quiet.

    Only our own logger follows the level: foreign DEBUG output may quote requests and rows.
    """
    is_terminal = sys.stderr.isatty()
    ours = logging.getLogger("genie_obs")
    ours.setLevel((level or ("WARNING" if is_terminal else "INFO")).upper())
    ours.propagate = False
    ours.handlers.clear()
    if is_terminal:
        from rich.console import Console
        from rich.logging import RichHandler

        console = Console(stderr=True)
        ours.addHandler(RichHandler(console=console, show_path=False, markup=False, rich_tracebacks=False))
        return console
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    ours.addHandler(handler)
    return None


@contextmanager
def _tables(settings: Settings) -> Iterator[Tables]:
    from genie_obs.engine import open_engine
    from genie_obs.tables import Tables

    engine = open_engine(settings.engine)
    try:
        yield Tables(engine)
    finally:
        engine.close()


def _progress(terminal: Console | None) -> Any:
    if terminal is not None:
        from genie_obs.terminal_progress import TerminalProgress

        return TerminalProgress(terminal)
    from genie_obs.progress import LogProgress

    return LogProgress(SystemClock())


def _credentials(settings: Settings) -> Credentials:
    from genie_obs.credentials import load_credentials

    return load_credentials(credentials_environ(), _secret_reader() if settings.engine.engine == "databricks" else None)


def _content_hash_key(settings: Settings) -> Secret | None:
    from genie_obs.credentials import load_content_hash_key

    secrets = _secret_reader() if settings.engine.engine == "databricks" else None
    return load_content_hash_key(settings.content, credentials_environ(), secrets)


def _secret_reader() -> Callable[[str, str], str]:
    """Return `dbutils.secrets.get` of the runtime."""

    def read(scope: str, key: str) -> str:
        from databricks.sdk.runtime import dbutils

        return str(dbutils.secrets.get(scope, key))

    return read


def _print(result: str | Callable[[Console], None]) -> None:
    if isinstance(result, str):
        click.echo(result)
        return
    from rich.console import Console

    # Wide enough for every table where there is no terminal to fold to.
    result(Console(width=None if sys.stdout.isatty() else 160, highlight=False))


def _crash_report(error: BaseException) -> str:
    """Describe a crash by type, place and the head of its message."""
    import traceback

    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "genie_obs" in frame.filename]
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    head = (str(error).strip().splitlines() or [""])[0][:300]
    return f"Crashed: {type(error).__name__}{place}: {head}\nWhat was merged is kept; run the command again to go on."


if __name__ == "__main__":
    sys.exit(main())
