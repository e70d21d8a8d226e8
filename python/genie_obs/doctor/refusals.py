"""What `doctor` says of a workspace that cannot be read. The causes are those of the job: `genie_api.refusals`."""

from __future__ import annotations

from genie_obs.doctor.grants import assignment_fix
from genie_obs.errors import (
    ApiError,
    CredentialsRefusedError,
    Problem,
    TransientApiError,
    WorkspaceError,
    WorkspaceRefusedError,
)
from genie_obs.genie_api.exchange import ExchangeError, NoAnswerError, NoAnswerKind
from genie_obs.genie_api.refusals import Cause

_ASSIGNABLE = frozenset({Cause.NO_ACCESS, Cause.TOKEN})  # an assignment to the workspace may be what lacks
_CHECK_CREDENTIALS = (
    "check that the client id is the service principal's application id and that its OAuth secret is current; make a new one: "
    "databricks account service-principal-secrets create <service-principal-id>"
)
_NO_ANSWER_FIXES = {
    NoAnswerKind.DNS: "check the address, the DNS of private link, and on serverless compute the network policy: allow this host",
    NoAnswerKind.REFUSED: "check the address, the firewall and private link from where the job runs",
    NoAnswerKind.TIMEOUT: "check the firewall, private link, and on serverless compute the network policy: allow this host",
    NoAnswerKind.LOST: "check the firewall or proxy between the job and the workspace; with a proxy: --proxy http://host:port",
}


def describe_no_answer(error: ExchangeError, host: str) -> Problem:
    """Return why no HTTP answer came, or no usable one, and the fix."""
    if not isinstance(error, NoAnswerError):
        return Problem(
            f"{host} answers, but not like a workspace: {error}", "check the address, and for a proxy in between"
        )
    if error.kind is NoAnswerKind.TLS:
        fix = "where a proxy inspects TLS, trust its authority: SSL_CERT_FILE=/path/to/ca-bundle.pem; else check the address"
        return Problem(f"{host}: {error}", fix)
    return Problem(f"{host} is not reachable: {error}", _NO_ANSWER_FIXES[error.kind])


def explain_workspace_error(error: WorkspaceError, *, workspace_id: str, client_id: str) -> Problem:
    """Return why a workspace gave no token, or nothing that can be used, and the fix: a command where one helps."""
    if isinstance(error, CredentialsRefusedError):
        return Problem(error.problem, _CHECK_CREDENTIALS)
    if isinstance(error, WorkspaceRefusedError) and error.cause in _ASSIGNABLE:
        return Problem(error.problem, f"{error.fix} To {assignment_fix(workspace_id, client_id)}")
    return Problem(error.problem, error.fix)


def explain_api_error(error: ApiError) -> Problem:
    """Return why the list of spaces could not be read, and the fix."""
    facts = (error.status, error.error_code, error.api_message or error.cause)
    said = " ".join(str(part) for part in facts if part) or "no answer"
    if isinstance(error, TransientApiError):
        fix = "try again later; if it persists, report the request id to Databricks support"
        return Problem(f"the service fails: {said}", fix)
    return Problem(
        f"listing spaces failed: {said}", "report it with the version of genie-obs: the API may have changed"
    )
