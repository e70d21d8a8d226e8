"""What a refusal means: the network, the credentials or a missing grant, and the one thing that fixes it."""

from __future__ import annotations

import re

from genie_obs.doctor.grants import assignment_fix
from genie_obs.errors import (
    ApiError,
    CredentialsRefusedError,
    NotFoundError,
    PermissionDeniedError,
    Problem,
    TransientApiError,
    UnauthenticatedError,
    UntrustedHostError,
    WorkspaceError,
    clean_text,
)
from genie_obs.genie_api.exchange import Answer, ExchangeError, NoAnswerError, NoAnswerKind, parse_json_object

# IP access lists, private access settings and network policies all answer 403, as missing grants do; their words differ.
_NETWORK_WORDS = re.compile(
    r"\bIP ACL\b|IP address\b.*\bblocked|unauthorized network access|public access is not allowed|network polic(?:y|ies)",
    re.IGNORECASE,
)

NETWORK_FIX = (
    "add the job's outgoing addresses to the workspace's (and account's) IP access list or ingress network policy, "
    "or run the job inside the allowed network; no grant helps"
)
_CHECK_CREDENTIALS = (
    "check that the client id is the service principal's application id and that its OAuth secret is current; make a new one: "
    "databricks account service-principal-secrets create <service-principal-id>"
)
_MOVED = "check the workspace's address; one that was deleted or moved redirects: leave it out with --workspace-ids"
_NOT_REACHED = "check the address, DNS, private link and firewall from where the job runs, then try again"
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


def is_network_refusal(text: str) -> bool:
    """Say whether a refusal is about where the request comes from, not about who sends it.

    `text` is what the service said. Texts of ours are never asked about.
    """
    return bool(_NETWORK_WORDS.search(text))


def text_of_answer(answer: Answer) -> str:
    """Return the message of a refusal, cleaned; empty when it is not Databricks' JSON."""
    try:
        body = parse_json_object(answer)
    except ExchangeError:
        return ""
    return clean_text(body.get("message") or body.get("error_description") or "")


def explain_workspace_error(error: WorkspaceError) -> Problem:
    """Return why a workspace gave no token or no answer, and the fix."""
    if isinstance(error, CredentialsRefusedError):
        return Problem(error.problem, NETWORK_FIX if is_network_refusal(error.api_message) else _CHECK_CREDENTIALS)
    return Problem(error.problem, _MOVED if isinstance(error, UntrustedHostError) else _NOT_REACHED)


def explain_api_error(error: ApiError, client_id: str) -> Problem:
    """Return why the list of spaces was refused, and the fix."""
    said = " ".join(str(part) for part in (error.status, error.error_code, error.api_message) if part) or "no answer"
    if is_network_refusal(error.api_message):
        return Problem(f"this network is refused: {said}", NETWORK_FIX)
    if isinstance(error, UnauthenticatedError):
        return Problem(f"not accepted: {said}", assignment_fix("<workspace-id>", client_id))
    if isinstance(error, PermissionDeniedError):
        fix = f"give service principal {client_id} the entitlements Workspace access and Databricks SQL access in this workspace"
        return Problem(f"listing spaces is refused: {said}", fix)
    if isinstance(error, NotFoundError):
        fix = "have a workspace admin enable Genie, or leave the workspace out with --workspace-ids"
        return Problem(f"there is no Genie API: {said}", fix)
    if isinstance(error, TransientApiError):
        fix = "try again later; if it persists, report the request id to Databricks support"
        return Problem(f"the service fails: {said}", fix)
    return Problem(
        f"listing spaces failed: {said}", "report it with the version of genie-obs: the API may have changed"
    )
