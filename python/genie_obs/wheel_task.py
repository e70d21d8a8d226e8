"""The entry point of a Databricks wheel task: `runtime` runs `ingest` on the job's own Spark session.

Databricks' launcher calls it without arguments, with the task's parameters in `sys.argv`, and ignores what it returns: a run
that must not look green has to raise.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genie_obs import __version__
from genie_obs.cli import EXIT_CRASHED, EXIT_PARTIAL, EXIT_USAGE, set_up_logging
from genie_obs.clock import SystemClock
from genie_obs.config import SETTINGS, Settings, parse_settings
from genie_obs.credentials import load_content_hash_key, load_credentials
from genie_obs.engine import open_engine
from genie_obs.errors import ConfigError, GenieObsError
from genie_obs.job import RunContext, run_ingest
from genie_obs.process import held_credentials
from genie_obs.progress import LogProgress
from genie_obs.run_record import RunRecord
from genie_obs.tables import Tables

logger = logging.getLogger(__name__)

PARTIAL_OK = "partial_ok"
LOG_LEVEL = "log_level"

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")
_MAX_MESSAGE_CHARACTERS = 300


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
    except Exception as error:  # noqa: BLE001 - the job's top: say where and why; a chained traceback may quote rows
        _log_frames(error)
        raise RunFailedError(_describe_crash(error), exit_code=EXIT_CRASHED) from None
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
    settings = parse_settings(_with_runtime_engine(parameters, environ), environ)
    set_up_logging(options.log_level)
    logger.info("genie-obs %s%s", __version__, _given(parameters))
    secrets = _read_secret if settings.engine.engine == "databricks" else None
    credentials = load_credentials(environ, secrets)
    content_hash_key = load_content_hash_key(settings.content, environ, secrets)
    clock = SystemClock()
    engine = open_engine(settings.engine)
    try:
        with _JobProgress(clock) as progress:
            record = run_ingest(
                RunContext(
                    tables=Tables(engine),
                    settings=settings,
                    credentials=credentials,
                    clock=clock,
                    progress=progress,
                    content_hash_key=content_hash_key,
                )
            )
    finally:
        engine.close()
    _tell(record, settings)
    return record, options


def parse_parameters(arguments: Sequence[str]) -> dict[str, str]:
    """Turn `--name=value`, `--name value` and `--name` into names with underscores and their values; the last one wins.

    A value may be empty, which means not set: a job passes every parameter, also those left blank.

    Raises:
        ConfigError: listing every argument that is no parameter.
    """
    known = {setting.name for setting in SETTINGS} | {PARTIAL_OK, LOG_LEVEL}
    parameters: dict[str, str] = {}
    problems: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        flag, equals, value = argument.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or name not in known:
            problems.append(f"{flag!r} is no parameter of this task; known are {', '.join(sorted(known))}")
            continue
        if not equals:
            # A switch has no value; every other name takes the next argument.
            value = rest.pop(0) if rest and not rest[0].startswith("--") else ("true" if name == PARTIAL_OK else "")
        parameters[name] = value
    if problems:
        raise ConfigError(problems)
    return parameters


def parse_options(parameters: Mapping[str, str], environ: Mapping[str, str]) -> TaskOptions:
    """Return the options of the task, from parameters or else from `GENIE_OBS_PARTIAL_OK` and `GENIE_OBS_LOG_LEVEL`.

    Raises:
        ConfigError: listing every problem found.
    """

    def given(name: str) -> str:
        return parameters.get(name, "").strip() or environ.get(f"GENIE_OBS_{name.upper()}", "").strip()

    partial_ok, log_level = given(PARTIAL_OK).lower(), given(LOG_LEVEL).upper() or "INFO"
    problems: list[str] = []
    if partial_ok not in _TRUE + _FALSE:
        problems.append(f"{PARTIAL_OK} {partial_ok!r}: use true or false")
    if log_level not in _LOG_LEVELS:
        problems.append(f"{LOG_LEVEL} {log_level!r}: use {', '.join(_LOG_LEVELS)}")
    if problems:
        raise ConfigError(problems)
    return TaskOptions(is_partial_ok=partial_ok in _TRUE, log_level=log_level)


class _JobProgress(LogProgress):
    """Doubles the pause after each line of a step: the log of a run of hours stays short enough to read."""

    def advance(self, count: int) -> None:
        """Log how far the step is, if it has been quiet for as long as the step has run."""
        shown = self._shown
        super().advance(count)
        if self._shown > shown:
            self._shown += self._shown - self._started


def _with_runtime_engine(parameters: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Let the job's own session be the default, whatever the environment says about where we are."""
    engine = parameters.get("engine", "").strip() or environ.get("GENIE_OBS_ENGINE", "").strip()
    return {**parameters, "engine": engine or "databricks"}


def _read_secret(scope: str, key: str) -> str:
    from databricks.sdk.runtime import dbutils

    return str(dbutils.secrets.get(scope, key))


def _given(parameters: Mapping[str, str]) -> str:
    """Return the parameters that were set, for the log; credentials are never among them."""
    shown = " ".join(f"{name}={value}" for name, value in sorted(parameters.items()) if value.strip())
    return f" with {shown}" if shown else ""


def _tell(record: RunRecord, settings: Settings) -> None:
    """Log the end of the story."""
    logger.info(
        "run %s %s in %.0f s: %d due, %d fetched, %d settling, %d retry, %d forbidden, %d deleted, %d not found, %d abandoned",
        record.run_id, record.status, record.total_seconds or 0.0, record.due_count, record.fetched_count, record.settling_count,
        record.retry_count, record.forbidden_count, record.deleted_count, record.not_found_count, record.abandoned_count,
    )  # fmt: skip
    logger.info(
        "%d calls (%d for messages), %d repeated, %d throttled; %d statements joined, %d still looked for",
        record.api_call_count, record.message_call_count, record.api_retry_count, record.throttled_count,
        record.statements_joined_count, record.statements_missing_count,
    )  # fmt: skip
    logger.info("tables are in %s.%s", settings.engine.catalog, settings.engine.schema)


def _describe_partial(record: RunRecord) -> str:
    lines = "\n".join(f"  - {line}" for line in record.workspace_errors)
    return (
        f"{len(record.workspace_errors)} workspaces could not be read, {record.unread_count} messages are left for the next run. "
        f"All others were read and recorded (run {record.run_id}).\n{lines}\n"
        "Set partial_ok=true to let such runs succeed."
    )


def _describe_crash(error: Exception) -> str:
    head = (str(error).strip().splitlines() or [""])[0][:_MAX_MESSAGE_CHARACTERS]
    return f"Crashed: {type(error).__name__}: {head}\nWhat was merged is kept; the next run goes on from there."


def _log_frames(error: Exception) -> None:
    """Log where a crash happened: file, line and function, no values."""
    for frame in traceback.extract_tb(error.__traceback__)[-12:]:
        logger.error("  at %s:%s in %s", Path(frame.filename).name, frame.lineno, frame.name)
