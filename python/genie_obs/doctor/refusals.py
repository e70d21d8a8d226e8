"""What a refusal means: the network, the credentials or a missing grant, and the one thing that fixes it."""

from __future__ import annotations

import json
import re

from genie_obs.errors import (
    ApiError,
    CredentialsRefusedError,
    NotFoundError,
    PermissionDeniedError,
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
# Our own advice follows the service's words and names IP access lists, too.
_OUR_ADVICE = re.compile(r"\. (?:Check|Correct|Grant) .*", re.DOTALL)

_NO_ANSWER_FIXES = {
    NoAnswerKind.DNS: "check the address, the DNS of private link, and on serverless compute the network policy: allow this host",
    NoAnswerKind.REFUSED: "check the address, the firewall and private link from where the job runs",
    NoAnswerKind.TIMEOUT: "check the firewall, private link, and on serverless compute the network policy: allow this host",
    NoAnswerKind.LOST: "check the firewall or proxy between the job and the workspace; with a proxy: --proxy http://host:port",
}


def describe_no_answer(error: ExchangeError, host: str) -> tuple[str, str]:
    """Return what kept an HTTP answer from coming, and its fix."""
    if not isinstance(error, NoAnswerError):
        return f"{host} answers, but not like a workspace: {error}", "check the address, and for a proxy in between"
    if error.kind is NoAnswerKind.TLS:
        fix = "where a proxy inspects TLS, trust its authority: SSL_CERT_FILE=/path/to/ca-bundle.pem; else check the address"
        return f"{host}: {error}", fix
    return f"{host} is not reachable: {error}", _NO_ANSWER_FIXES[error.kind]


def is_network_refusal(text: str) -> bool:
    """Say whether a refusal is about where the request comes from, not about who sends it."""
    return bool(_NETWORK_WORDS.search(text))


def network_fix() -> str:
    """Return what lets this network in."""
    return (
        "add the job's outgoing addresses to the workspace's (and account's) IP access list or ingress network policy, "
        "or run the job inside the allowed network; no grant helps"
    )


def text_of_answer(answer: Answer) -> str:
    """Return the message of a refusal, cleaned; empty when it is not Databricks' JSON."""
    try:
        body = parse_json_object(answer)
    except ExchangeError:
        return ""
    return clean_text(body.get("message") or body.get("error_description") or "")


def explain_workspace_error(error: WorkspaceError) -> tuple[str, str]:
    """Return what a workspace's refusal was, without advice, and the fix."""
    said = _OUR_ADVICE.sub("", error.problem)
    if is_network_refusal(said):
        return said, network_fix()
    if isinstance(error, CredentialsRefusedError):
        fix = (
            "check that the client id is the service principal's application id and that its OAuth secret is current; make a new one: "
            "databricks account service-principal-secrets create <service-principal-id>"
        )
        return said, fix
    if isinstance(error, UntrustedHostError):
        return (
            said,
            "check the workspace's address; one that was deleted or moved redirects: leave it out with --workspace-ids",
        )
    return said, "check the address, DNS, private link and firewall from where the job runs, then try again"


def explain_api_error(error: ApiError, client_id: str) -> tuple[str, str]:
    """Return why the list of spaces was refused, and the fix."""
    said = " ".join(str(part) for part in (error.status, error.error_code, error.api_message) if part) or "no answer"
    if is_network_refusal(error.api_message):
        return f"this network is refused: {said}", network_fix()
    if isinstance(error, UnauthenticatedError):
        return f"not accepted: {said}", assignment_fix("<workspace-id>", client_id)
    if isinstance(error, PermissionDeniedError):
        fix = f"give service principal {client_id} the entitlements Workspace access and Databricks SQL access in this workspace"
        return f"listing spaces is refused: {said}", fix
    if isinstance(error, NotFoundError):
        return (
            f"there is no Genie API: {said}",
            "have a workspace admin enable Genie, or leave the workspace out with --workspace-ids",
        )
    if isinstance(error, TransientApiError):
        return (
            f"the service fails: {said}",
            "try again later; if it persists, report the request id to Databricks support",
        )
    return f"listing spaces failed: {said}", "report it with the version of genie-obs: the API may have changed"


def assignment_fix(workspace_id: str, client_id: str) -> str:
    """Return the command that assigns the service principal to a workspace."""
    return (
        f"assign service principal {client_id} to this workspace: databricks account workspace-assignment update "
        f'{workspace_id} <service-principal-id> --json \'{{"permissions": ["USER"]}}\''
    )


def grant_command(host: str, space_id: str, client_id: str) -> str:
    """Return the command that grants CAN MANAGE on a space, to be run by someone who manages it."""
    entry = {"service_principal_name": client_id, "permission_level": "CAN_MANAGE"}
    body = json.dumps({"access_control_list": [entry]})
    url = host if "://" in host else f"https://{host}"
    return f"DATABRICKS_HOST={url} databricks api patch /api/2.0/permissions/genie/{space_id} --json '{body}'"
