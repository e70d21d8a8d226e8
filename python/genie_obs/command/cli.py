"""The command line: `genie-obs <command>`. Results go to stdout, all else to stderr.

Exit codes: 0 done, recorded per-message failures included · 1 crashed · 2 usage or configuration · 3 finished, but a whole
workspace could not be read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from genie_obs._version import __version__
from genie_obs.command.exit_codes import EXIT_CRASHED, EXIT_USAGE
from genie_obs.errors import ConfigError, GenieObsError
from genie_obs.session.crash import describe_crash
from genie_obs.session.process import forbid_memory_dumps, held_credentials, rare_collections

# Imported when they are asked for: the simulator, the preview and rich cost every other command time.
_COMMANDS = {
    "dashboard": "genie_obs.preview.command:dashboard_command",
    "demo": "genie_obs.command.demo:demo_command",
    "doctor": "genie_obs.doctor.command:doctor_command",
    "erase": "genie_obs.command.erase:erase_command",
    "ingest": "genie_obs.command.ingest:ingest_command",
    "init": "genie_obs.command.init:init_command",
    "plan": "genie_obs.command.plan:plan_command",
    "reread": "genie_obs.command.reread:reread_command",
    "simulate": "genie_obs.simulator.command:simulate_command",
    "status": "genie_obs.command.status:status_command",
}


class _Commands(click.Group):
    """Imports a command only when it is asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        try:
            command: click.Command = getattr(import_module(module), name)
        except ImportError as error:
            raise ConfigError(
                f"'genie-obs {cmd_name}' needs packages that are not installed ({error.name})",
                "Install them with: pip install 'genie-obs[local,preview]'",
            ) from error
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, package_name="genie-obs", message="genie-obs %(version)s")
def cli() -> None:
    """Observability for Databricks Genie: every question, answer, SQL statement and rating in one Delta table."""


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
        click.echo(describe_crash(error, advice="run the command again to go on."), err=True)
        return EXIT_CRASHED
    return 0


if __name__ == "__main__":
    sys.exit(main())
