"""Opens Spark sessions. No other module does, and pyspark is imported inside functions only.

On Databricks the runtime brings pyspark. Elsewhere it comes with the extra ``local`` or ``connect``.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genie_obs._version import __version__
from genie_obs.errors import ConfigError, EngineError, clean_text
from genie_obs.secret import Secret
from genie_obs.settings import hide_passwords

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Errors of the Databricks SDK and of Spark clients may show the settings that they were given. These hold secrets.
_SECRET_VARIABLE = re.compile(r"TOKEN|SECRET|PASSWORD|SPARK_REMOTE")
_MAX_REASON_CHARACTERS = 400
_TIME_ZONE = ("spark.sql.session.timeZone", "UTC")


def connect(url: str) -> SparkSession:
    """Open a session at a Spark Connect address, which may hold a token.

    Raises:
        ConfigError: if no Spark Connect client is installed.
        EngineError: if the server does not answer.
    """
    shown = hide_passwords(url)
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigError(
            f"--engine {shown} needs a Spark Connect client, which is not installed",
            "Install it with: pip install 'genie-obs[local]'",
        ) from error
    _keep_values_out_of_logs()
    try:
        # create, not getOrCreate: a process may hold several engines, each with its own server.
        session = SparkSession.builder.remote(url).create()
        with abandoned_on_error(session):
            session.conf.set(*_TIME_ZONE)
    except Exception as error:  # noqa: BLE001  # whatever it is, its text may repeat the token of the address
        # Only the type, and no cause: pyspark's text repeats the whole address.
        raise EngineError(
            f"Opening a Spark session at {shown} failed ({type(error).__name__})",
            "Check that the server is up, its address, and the token where it asks for one.",
        ) from None
    return session


@contextmanager
def abandoned_on_error(session: SparkSession) -> Iterator[None]:
    """Close a session of ours if the block fails. Its server is not told, because it may not answer.

    pyspark repeats a call without an answer for minutes. It makes such calls when a session is stopped, and when the process ends.
    """
    try:
        yield
    except BaseException:
        session.client.close()
        raise


def _keep_values_out_of_logs() -> None:
    # pyspark and Databricks Connect log failed statements, values included, to stderr by themselves.
    logging.getLogger("SQLQueryContextLogger").disabled = True


def is_on_databricks() -> bool:
    """Say whether this process runs on Databricks compute."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def ambient_session() -> SparkSession:
    """Return the session of the job or notebook; outside Databricks, one on a workspace's compute.

    Raises:
        ConfigError: if Databricks Connect is not installed.
        EngineError: if no session can be opened.
    """
    _keep_values_out_of_logs()
    try:
        session = _runtime_session() if is_on_databricks() else _remote_session()
        session.conf.set(*_TIME_ZONE)
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001  # the SDK, gRPC and Databricks Connect raise many kinds of errors
        hidden = [Secret(value) for name, value in os.environ.items() if _SECRET_VARIABLE.search(name)]
        reason = clean_text(error, limit=_MAX_REASON_CHARACTERS, hidden=hidden)
        raise EngineError(
            f"--engine databricks: no Spark session here. {type(error).__name__}: {reason}",
            "Run this as a Databricks job, sign in as docs/connect.md says, or use --engine local.",
        ) from None
    return session


def _runtime_session() -> SparkSession:
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def _remote_session() -> SparkSession:
    """Open a session on a workspace's compute from outside, through Databricks Connect.

    The Databricks SDK finds workspace, sign-in and compute in variables or in a profile. If no compute is named, it is serverless.
    """
    try:
        from databricks.connect import DatabricksSession
    except ImportError as error:
        raise ConfigError(
            "--engine databricks outside Databricks needs Databricks Connect and Python 3.12",
            "Install both with: pip install 'genie-obs[connect]'",
        ) from error
    from databricks.sdk.core import Config

    builder = DatabricksSession.builder.userAgent(f"genie-obs/{__version__}")
    if "SPARK_REMOTE" not in os.environ:
        found = Config()
        if not found.cluster_id and not found.serverless_compute_id:
            builder = builder.serverless()
    session: SparkSession = builder.getOrCreate()
    return session
