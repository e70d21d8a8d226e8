"""What an entry point opens, tables and credentials, and what is closed when it is done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from genie_obs.clock import Clock
from genie_obs.config import Settings
from genie_obs.progress import RunProgress
from genie_obs.security.credentials import SecretReader, load_content_hash_key, load_credentials, under_either_name

if TYPE_CHECKING:
    from genie_obs.lakehouse.tables import Tables
    from genie_obs.secret import Credentials, Secret


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run works with."""

    tables: Tables
    settings: Settings
    credentials: Credentials
    clock: Clock
    progress: RunProgress
    content_hash_key: Secret | None = None  # only content policy `hashed` needs one


@contextmanager
def open_tables(settings: Settings) -> Iterator[Tables]:
    """Open the engine of the settings for a block.

    Raises:
        ConfigError: if the lakehouse folder is none, or packages of the engine are not installed.
        EngineError: if the session cannot be opened.
    """
    from genie_obs.lakehouse.engines.engine import open_engine
    from genie_obs.lakehouse.tables import Tables

    engine = open_engine(settings.engine)
    try:
        yield Tables(engine)
    finally:
        engine.close()


@contextmanager
def open_job(
    settings: Settings, environ: Mapping[str, str], *, clock: Clock, progress: RunProgress
) -> Iterator[RunContext]:
    """Read the credentials, then open the tables, for one run of the job.

    Args:
        settings: checked settings.
        environ: where credentials are looked for first; the secret scope is next, on Databricks only.
        clock: the machine's clock.
        progress: told where the run is.

    Raises:
        ConfigError: if credentials or packages are missing; nothing is opened then.
        EngineError: if the session cannot be opened.
    """
    secrets = secret_reader(settings)
    credentials = load_credentials(environ, secrets)
    content_hash_key = load_content_hash_key(settings.content, environ, secrets)
    with open_tables(settings) as tables:
        yield RunContext(
            tables=tables,
            settings=settings,
            credentials=credentials,
            clock=clock,
            progress=progress,
            content_hash_key=content_hash_key,
        )


def secret_reader(settings: Settings) -> SecretReader | None:
    """Return `dbutils.secrets.get` of the runtime; None where there is no secret scope to read."""
    if settings.engine.engine != "databricks":
        return None

    def read(scope: str, key: str) -> str:
        from databricks.sdk.runtime import dbutils

        return str(dbutils.secrets.get(scope, key))

    return under_either_name(read)


def credentials_environ() -> Mapping[str, str]:
    """Return where a command finds credentials in variables: what `main` took out of the environment."""
    held: Mapping[str, str] | None = click.get_current_context().find_root().obj
    return os.environ if held is None else held
