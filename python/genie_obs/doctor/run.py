"""`genie-obs doctor`: check every grant, secret, table and workspace, each failure with the one line that fixes it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from genie_obs.clock import Clock
from genie_obs.config import Settings
from genie_obs.doctor.our_tables import check_our_tables, select_known_spaces
from genie_obs.doctor.report import Check, DoctorReport, fail, ok, skip
from genie_obs.doctor.setup import CredentialsFound, check_content_policy, check_credentials, check_versions
from genie_obs.doctor.system_tables import check_system_tables
from genie_obs.doctor.workspace import WorkspaceQuestions
from genie_obs.doctor.workspaces import check_workspaces
from genie_obs.doctor.writing import check_target
from genie_obs.errors import EngineError, GenieObsError
from genie_obs.genie_api.loop import run_async
from genie_obs.lakehouse.engines.engine import Engine, open_engine
from genie_obs.security.credentials import SecretReader
from genie_obs.settings import hide_passwords

_SPARK_CONNECT_PORT = 15002  # what an address without a port means
_CONNECT_SECONDS = 10.0
_SERVER_FIX = "check that the server or the compute is up, and its address"
_NEED_THE_ENGINE = ("system tables", "target schema", "our tables")
_NO_WORKSPACES = skip("workspaces", "not checked without the list of workspaces")


def run_doctor(
    settings: Settings, *, environ: Mapping[str, str], secrets: SecretReader | None, clock: Clock
) -> DoctorReport:
    """Make all checks in order and return what was found. After a check that fails the others are still made.

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
        checks.append(fail("engine", error.problem, fix=error.fix or _SERVER_FIX))
        checks.extend(skip(name, "not checked without the engine") for name in _NEED_THE_ENGINE)
        return DoctorReport((*checks, _NO_WORKSPACES))
    try:
        checks.extend(_check_with_engine(engine, settings, found, clock))
    finally:
        engine.close()
    return DoctorReport(tuple(checks))


def _check_with_engine(engine: Engine, settings: Settings, found: CredentialsFound, clock: Clock) -> list[Check]:
    checks = [ok("engine", f"{hide_passwords(settings.engine.engine)}: session opened")]
    sources = check_system_tables(engine, settings, clock.now())
    checks.extend(sources.checks)
    checks.append(check_target(engine, settings.engine.lakehouse))
    checks.extend(check_our_tables(engine))
    if not sources.workspaces:
        return [*checks, _NO_WORKSPACES]
    questions = WorkspaceQuestions(
        workspaces=sources.workspaces,
        spaces=select_known_spaces(engine, settings.scope),
        messages=sources.messages,
        space_ids=frozenset(settings.scope.space_ids),
        credentials=found.credentials,
        settings=settings.fetch,
        is_loopback=engine.is_loopback,
    )
    return [*checks, *run_async(lambda: check_workspaces(questions, clock))]


def _check_port(engine: str) -> None:
    """Check that a Spark Connect server listens: without that, its client would try for minutes.

    Raises:
        EngineError: if it does not.
    """
    if not engine.startswith("sc://"):
        return
    shown = hide_passwords(engine)
    try:
        address = urlsplit(engine)
        place = (address.hostname or "", address.port or _SPARK_CONNECT_PORT)
        socket.create_connection(place, _CONNECT_SECONDS).close()
    except ValueError:  # its text quotes the address
        raise EngineError(f"the address {shown} cannot be read", "Use sc://host:port.") from None
    except OSError as error:
        raise EngineError(f"no connection to {shown}: {error}", _SERVER_FIX) from error
