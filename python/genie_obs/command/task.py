"""The entry point of a Databricks wheel task: `runtime` runs `ingest` on the job's own Spark session.

Databricks' launcher calls it without arguments, with the task's parameters in `sys.argv`. It ignores what is returned, so a run
that did not succeed has to raise: else its task is shown as succeeded.
"""

from __future__ import annotations

import difflib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from genie_obs._version import __version__
from genie_obs.clock import SystemClock
from genie_obs.command.exit_codes import EXIT_CRASHED, EXIT_PARTIAL, EXIT_USAGE
from genie_obs.config import Settings, parse_settings
from genie_obs.errors import ConfigError, GenieObsError, Problem
from genie_obs.pipeline.run import run_ingest
from genie_obs.progress import LogProgress
from genie_obs.runs.record import RunRecord
from genie_obs.session.crash import describe_crash, frames_of
from genie_obs.session.flags import ALL_SETTINGS, LOG_LEVELS, setting_flags
from genie_obs.session.job import open_job
from genie_obs.session.output import set_up_logging
from genie_obs.session.process import held_credentials
from genie_obs.settings import hide_passwords

logger = logging.getLogger(__name__)

PARTIAL_OK = "partial_ok"
LOG_LEVEL = "log_level"

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")
_BLANK_ALLOWED: dict[str, object] = {"is_flag": False, "flag_value": ""}


class RunFailedError(RuntimeError):
    """The run did not do its work; `exit_code` is what `genie-obs ingest` would have ended with."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class RunPartialError(RunFailedError):
    """Everything that can be read was read and recorded, but a whole workspace could not be."""


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What only the wheel task can be told, beside the settings."""

    is_partial_ok: bool = False  # do not raise when a whole workspace could not be read
    log_level: str = "INFO"


def runtime() -> None:
    """Run `ingest` with the task's parameters; also where an event loop already runs.

    Raises:
        RunPartialError: after all is recorded, if a workspace could not be read and `partial_ok` is not set.
        RunFailedError: if parameters are wrong (nothing was written then) or the run failed.
    """
    try:
        with held_credentials(os.environ) as environ:
            record, options = run_task(sys.argv[1:], environ)
    except ConfigError as error:
        raise RunFailedError(f"Wrong parameters or configuration: {error}", exit_code=EXIT_USAGE) from None
    except GenieObsError as error:
        raise RunFailedError(f"The run failed: {error}", exit_code=EXIT_CRASHED) from None
    except Exception as error:  # noqa: BLE001  # the job's top: say where and why; a chained traceback may quote rows
        for line in frames_of(error):
            logger.error("  %s", line)  # noqa: TRY400  # never the traceback: it may quote rows
        raise RunFailedError(
            describe_crash(error, advice="the next run goes on from there."), exit_code=EXIT_CRASHED
        ) from None
    if record.workspace_errors and not options.is_partial_ok:
        raise RunPartialError(_describe_partial(record), exit_code=EXIT_PARTIAL)


def run_task(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[RunRecord, TaskOptions]:
    """Run `ingest` once with the parameters of a task, and return its record, which is also stored.

    Raises:
        ConfigError: before anything is written.
        GenieObsError: if the tables fail.
    """
    parameters = parse_parameters(arguments)
    options = parse_options(parameters, environ)
    # The job's own session is the default, whatever the environment says about where we are.
    settings = parse_settings(parameters, {"GENIE_OBS_ENGINE": "databricks", **_without_blanks(environ)})
    set_up_logging(options.log_level)
    logger.info("genie-obs %s%s", __version__, _given(parameters))
    clock = SystemClock()
    with (
        _JobProgress(clock) as progress,
        open_job(settings, environ, clock=clock, progress=progress) as job,
    ):
        record = run_ingest(job)
    _tell(record, settings)
    return record, options


@click.command(
    "runtime",
    context_settings={
        "token_normalize_func": lambda token: token.replace("_", "-"),
        "ignore_unknown_options": True,
        "allow_extra_args": True,
    },
    add_help_option=False,
)
@setting_flags(*ALL_SETTINGS, **_BLANK_ALLOWED)
@click.option("--partial-ok", PARTIAL_OK, is_flag=False, flag_value="true")
@click.option("--log-level", LOG_LEVEL, **_BLANK_ALLOWED)  # type: ignore[arg-type]  # options of click by name
@click.pass_context
def _parameters(ctx: click.Context, /, **values: str | None) -> dict[str, str]:
    """Return the parameters given by name; a job passes every parameter, also those left blank."""
    if unknown := _unknown(ctx.args):
        known = sorted(parameter.opts[0] for parameter in ctx.command.params)
        raise ConfigError(
            [Problem(f"{name!r} is no parameter of this task", _suggestion(name, known)) for name in unknown]
        )
    return {name: value for name, value in values.items() if value is not None}


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.replace("_", "-"), known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}."


def _unknown(arguments: Sequence[str]) -> list[str]:
    """Return the names of parameters that the task does not know, without their values: those may be secret."""
    names: list[str] = []
    is_value = False
    for argument in arguments:
        if not is_value:
            names.append(argument.partition("=")[0])
        is_value = not is_value and argument.startswith("--") and "=" not in argument
    return names


def parse_parameters(arguments: Sequence[str]) -> dict[str, str]:
    """Turn `--name=value`, `--name value` and `--name` into names with underscores and their values; the last one wins.

    A value may be empty, which means not set: a job passes every parameter, also those left blank.

    Raises:
        ConfigError: listing every argument that is no parameter.
    """
    parameters: dict[str, str] = _parameters.main(args=list(arguments), standalone_mode=False)
    return parameters


def parse_options(parameters: Mapping[str, str], environ: Mapping[str, str]) -> TaskOptions:
    """Return the options of the task, from parameters or else from `GENIE_OBS_PARTIAL_OK` and `GENIE_OBS_LOG_LEVEL`.

    Raises:
        ConfigError: listing every problem found.
    """

    def given(name: str) -> str:
        return parameters.get(name, "").strip() or environ.get(f"GENIE_OBS_{name.upper()}", "").strip()

    partial_ok, log_level = given(PARTIAL_OK).lower(), given(LOG_LEVEL).upper() or "INFO"
    problems: list[Problem] = []
    if partial_ok not in _TRUE + _FALSE:
        problems.append(Problem(f"{PARTIAL_OK} {partial_ok!r} is neither yes nor no", "Use true or false."))
    if log_level not in LOG_LEVELS:
        problems.append(Problem(f"{LOG_LEVEL} {log_level!r} is no level", f"Use {', '.join(LOG_LEVELS)}."))
    if problems:
        raise ConfigError(problems)
    return TaskOptions(is_partial_ok=partial_ok in _TRUE, log_level=log_level)


class _JobProgress(LogProgress):
    """Doubles the pause between two lines of a step, so that the log of a run of hours stays short."""

    def advance(self, count: int) -> None:
        """Log how far the step is, unless there was a line in the second half of the time that the step has run."""
        shown = self._shown
        super().advance(count)
        if self._shown > shown:
            self._shown += self._shown - self._started


def _without_blanks(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith("GENIE_OBS_") and value.strip()}


def _given(parameters: Mapping[str, str]) -> str:
    """Return the parameters that were set, for the log; passwords and tokens in addresses are hidden."""
    shown = " ".join(f"{name}={hide_passwords(value)}" for name, value in sorted(parameters.items()) if value.strip())
    return f" with {shown}" if shown else ""


def _tell(record: RunRecord, settings: Settings) -> None:
    """Log how the run ended."""
    logger.info(
        "run %s %s in %.0f s: %d due, %d fetched, %d settling, %d retry, %d forbidden, %d deleted, %d not found, %d abandoned",
        record.run_id, record.status, record.total_seconds or 0.0, record.due_count, record.fetched_count, record.settling_count,
        record.retry_count, record.forbidden_count, record.deleted_count, record.not_found_count, record.abandoned_count,
    )  # fmt: skip
    logger.info(
        "%d calls (%d for messages), %d repeated, %d throttled; %d statements joined, %d still looked for",
        record.api_call_count, record.message_call_count, record.api_retry_count, record.throttled_count,
        record.statements_joined_count or 0, record.statements_missing_count or 0,
    )  # fmt: skip
    logger.info("tables are in %s.%s", settings.engine.catalog, settings.engine.schema)


def _describe_partial(record: RunRecord) -> str:
    lines = "\n".join(f"  - {line}" for line in record.workspace_errors)
    return (
        f"{len(record.workspace_errors)} workspaces could not be read, {record.unread_count} messages are left for the next run. "
        f"All others were read and recorded (run {record.run_id}).\n{lines}\n"
        "Set partial_ok=true to let such runs succeed."
    )
