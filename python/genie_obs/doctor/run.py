"""`genie-obs doctor`: check every grant, secret, table and workspace, each failure with the one line that fixes it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from genie_obs.clock import Clock
from genie_obs.config import Settings
from genie_obs.doctor.report import Check, DoctorReport, fail, ok, skip
from genie_obs.doctor.setup import CredentialsFound, check_content_policy, check_credentials, check_versions
from genie_obs.doctor.tables import (
    check_our_tables,
    check_sources,
    not_checked,
    select_known_spaces,
)
from genie_obs.doctor.workspaces import WorkspaceQuestions, check_workspaces
from genie_obs.doctor.writing import check_target
from genie_obs.errors import ConfigError, EngineError, GenieObsError
from genie_obs.genie_api.loop import run_async
from genie_obs.lakehouse.engines.engine import Engine, open_engine
from genie_obs.security.credentials import SecretReader

_SPARK_CONNECT_PORT = 15002  # what an address without a port means
_CONNECT_SECONDS = 10.0


def run_doctor(
    settings: Settings, *, environ: Mapping[str, str], secrets: SecretReader | None, clock: Clock
) -> DoctorReport:
    """Make all checks in order and return what was found; a check that fails never keeps the others from being made.

    Args:
        settings: as `ingest` would get them.
        environ: where the credentials are looked for first.
        secrets: reader of the secret scope, on Databricks.
        clock: the machine's clock; compared with the workspaces'.
    """
    checks = [check_versions(settings.engine.engine)]
    found = check_credentials(environ, secrets)
    checks.extend(found.checks)
    checks.extend(check_content_policy(settings.content, environ, secrets))
    try:
        _check_port(settings.engine.engine)
        engine = open_engine(settings.engine)
    except GenieObsError as error:
        checks.append(_no_engine(settings, error))
        checks.extend(not_checked("not checked without the engine"))
        checks.append(skip("workspaces", "not checked without the list of workspaces"))
        return DoctorReport(tuple(checks))
    try:
        checks.extend(_check_with_engine(engine, settings, found, clock))
    finally:
        engine.close()
    return DoctorReport(tuple(checks))


def _check_with_engine(engine: Engine, settings: Settings, found: CredentialsFound, clock: Clock) -> list[Check]:
    checks = [ok("engine", f"{_without_token(settings.engine.engine)}: session opened")]
    sources = check_sources(engine, settings, clock.now())
    checks.extend(sources.checks)
    checks.append(check_target(engine, settings.engine.lakehouse))
    checks.extend(check_our_tables(engine))
    if not sources.workspaces:
        return [*checks, skip("workspaces", "not checked without the list of workspaces")]
    questions = WorkspaceQuestions(
        workspaces=sources.workspaces,
        spaces=select_known_spaces(engine, settings.scope),
        space_ids=frozenset(settings.scope.space_ids),
        credentials=found.credentials,
        settings=settings.fetch,
        is_loopback=engine.is_loopback,
    )
    return [*checks, *run_async(lambda: check_workspaces(questions, clock))]


def _check_port(engine: str) -> None:
    """Check that a Spark Connect server listens; its client would go on trying for minutes.

    Raises:
        EngineError: if it does not.
    """
    if not engine.startswith("sc://"):
        return
    address = urlsplit(engine)
    try:
        socket.create_connection(
            (address.hostname or "", address.port or _SPARK_CONNECT_PORT), _CONNECT_SECONDS
        ).close()
    except (OSError, ValueError) as error:
        raise EngineError(
            f"no connection to the server: {error}", "Check that the server is up, and its address."
        ) from error


def _no_engine(settings: Settings, error: GenieObsError) -> Check:
    given, shown = settings.engine.engine, _without_token(settings.engine.engine)
    # What to do is the second sentence of a ConfigError, and the second line of an EngineError, if it says so at all.
    detail, _, advice = str(error).replace(given, shown).partition(". " if isinstance(error, ConfigError) else "\n")
    advice = advice or "check that the server or the compute is up, and its address"
    return fail("engine", f"{shown}: {detail.splitlines()[0]}", fix=advice.splitlines()[0])


def _without_token(engine: str) -> str:
    """Return an engine's name as it may be shown: the part of an address behind the slash can hold a token."""
    return engine if not engine.startswith("sc://") else "/".join(engine.split("/")[:3])
