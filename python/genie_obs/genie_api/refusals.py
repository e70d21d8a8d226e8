"""What an answer means with which a workspace refuses: the cause, what the service said, and the one thing to do. Pure.

The job and `doctor` use the same causes. Words only choose the cause, and so the advice. Whether a refusal is about the whole workspace
is never told by words, but by asking again: see `client.py`. So a refusal in words that nobody has seen before is treated alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from genie_obs.errors import (
    UntrustedHostError,
    WorkspaceError,
    WorkspaceRefusedError,
    WorkspaceUnreachableError,
    clean_text,
)
from genie_obs.genie_api.exchange import Answer, ExchangeError, NoAnswerError, NoAnswerKind, parse_json_object
from genie_obs.secret import Secret

_OK = range(200, 300)
_UNAUTHENTICATED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404
_SERVER_ERROR = 500
_REASON_HEADER = (
    "X-Databricks-Reason-Phrase"  # stands beside the body of a refused token (public reports of Databricks' SDKs)
)


class Cause(StrEnum):
    """Why a workspace refuses, with what it does, what to do, and whether it lasts: then a second try soon after is of no use."""

    does: str
    fix: str
    is_lasting: bool

    def __new__(cls, value: str, does: str, fix: str, is_lasting: bool) -> Cause:  # a row of the table below
        """Make a cause that knows its words."""
        cause = str.__new__(cls, value)
        cause._value_ = value
        cause.does, cause.fix, cause.is_lasting = does, fix, is_lasting
        return cause

    NETWORK = (
        "network",
        "refuses this network",
        (
            "Allow the job's outgoing addresses in the IP access lists of the workspace and the account, or in the network policy, or "
            "run the job inside the allowed network. No grant helps."
        ),
        True,
    )
    NOT_ENABLED = (
        "not_enabled",
        "has no Genie API",
        "Have a workspace admin enable Genie and its previews, or leave the workspace out with --workspace-ids.",
        True,
    )
    NO_ACCESS = (
        "no_access",
        "refuses the service principal",
        (
            "Assign the service principal to the workspace, with the entitlements Workspace access and Databricks SQL access. If it has "
            "them, check the workspace's IP access lists and private access settings."
        ),
        True,
    )
    TOKEN = (
        "token",
        "does not accept the token",
        "Check that the service principal is still assigned to this workspace, and that its secret has not expired.",
        True,
    )
    WEB_PAGE = (
        "web_page",
        "answers with a web page (sign-in, gateway or private access)",
        "Check the workspace's address (--workspace-addresses), its private access settings, and gateways and proxies on the way.",
        False,
    )
    NOT_GENIE = (
        "not_genie",
        "answers, but not as a workspace does",
        "Check that the address is the workspace's (--workspace-addresses), and whether a proxy stands in between.",
        False,
    )
    MOVED = (
        "moved",
        "redirects elsewhere",
        "Check the workspace's address; --workspace-addresses gives another one than system.access.workspaces_latest.",
        True,
    )
    SERVER = ("server", "answers only errors", "Nothing to do, if it passes. Else ask Databricks support.", False)
    SILENT = (
        "silent",
        "gives no answer",
        "Check its address, DNS, private link, and the firewall from where the job runs.",
        False,
    )


# Words of public reports and documents, in the order in which they are looked for.
_WORDS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (
        Cause.NETWORK,
        re.compile(
            r"\bIP[ -]?(ACL|access list|address(es)?)\b|\bblocked by\b.*\b(network|IP)\b|network (access|polic)|\bpublic access\b"
            r"|private (link|access|endpoint)|\bingress\b|not allowed from (this|your) (network|location)",
            re.IGNORECASE,
        ),
    ),
    (
        Cause.NOT_ENABLED,
        re.compile(
            r"FEATURE_DISABLED|ENDPOINT_NOT_FOUND|\bnot (been )?enabled\b|\bis disabled\b|\bpreview\b|no API found|not available in",
            re.IGNORECASE,
        ),
    ),
    (
        Cause.TOKEN,
        re.compile(
            r"\b(in|not )valid\b.*\btoken|\btoken\b.*\b(expired|revoked|(in|not )valid|malformed|not accepted)|invalid_token"
            r"|credential\w* (was|were|is|are) not sent",
            re.IGNORECASE,
        ),
    ),
)
_CAUSES_BY_STATUS = {_UNAUTHENTICATED: Cause.TOKEN, _NOT_FOUND: Cause.NOT_ENABLED}
_SIGN_IN = re.compile(r"log-?in|sign-?in|oauth|oidc|saml|sso|/auth|accounts\.", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a workspace refuses: `said` is what the service said, cleaned and cut; `status` is None without an HTTP answer."""

    cause: Cause
    status: int | None
    said: str
    subject: str = ""  # who refuses, if not the workspace itself

    @property
    def problem(self) -> str:
        """Return what the workspace does, with the service's own sentence."""
        quoted = f'"{self.said}"' if self.said and self.status is not None else self.said
        facts = " ".join(str(part) for part in (self.status, quoted) if part)
        return f"{self.subject} {self.cause.does}{f': {facts}' if facts else ''}".strip()

    def error(self, *, workspace_id: str, host: str) -> WorkspaceError:
        """Return the error that gives the workspace up for this run."""
        place = {"workspace_id": workspace_id, "host": host}
        if self.cause is Cause.MOVED:
            return UntrustedHostError(self.problem, self.cause.fix, **place)
        if self.cause is Cause.SILENT:
            return WorkspaceUnreachableError(self.problem, self.cause.fix, **place)
        return WorkspaceRefusedError(
            self.problem, self.cause.fix, **place, cause=self.cause.value, is_lasting=self.cause.is_lasting
        )


def explain(answer: Answer, *, hidden: Iterable[Secret] = ()) -> Refusal:
    """Return why an answer is a refusal of the whole workspace, if it is one. `hidden` are values that must not be quoted."""
    body = _json_of(answer)
    said = clean_text(_words_of(answer, body), hidden=hidden)
    return Refusal(cause=_cause_of(answer, body, said), status=answer.status, said=said)


def explain_failure(failure: ExchangeError, *, hidden: Iterable[Secret] = ()) -> Refusal:
    """Return why a workspace without a usable answer is given up."""
    if failure.answer is not None:
        return explain(failure.answer, hidden=hidden)
    cause = Cause.SILENT if isinstance(failure, NoAnswerError) else Cause.NOT_GENIE
    return Refusal(cause=cause, status=None, said=clean_text(failure))


def is_about_token(answer: Answer) -> bool:
    """Say whether a new token may help: after 401, and after a refusal whose words speak of the token."""
    if answer.status == _UNAUTHENTICATED:
        return True
    return answer.status == _FORBIDDEN and _cause_in(_words_of(answer, _json_of(answer))) is Cause.TOKEN


def is_hopeless(failure: ExchangeError) -> bool:
    """Say whether nobody can be reached at all: asking for something else would end alike."""
    return isinstance(failure, NoAnswerError) and failure.kind in {
        NoAnswerKind.DNS,
        NoAnswerKind.REFUSED,
        NoAnswerKind.TLS,
    }


def is_timeout(failure: ExchangeError) -> bool:
    """Say whether nothing came until the time-out."""
    return isinstance(failure, NoAnswerError) and failure.kind is NoAnswerKind.TIMEOUT


def _cause_of(answer: Answer, body: Mapping[str, Any] | None, said: str) -> Cause:
    if answer.is_redirect:
        return Cause.WEB_PAGE if _SIGN_IN.search(answer.headers.get("Location", "")) else Cause.MOVED
    if answer.status >= _SERVER_ERROR:
        return Cause.SERVER
    code = str(body.get("error_code") or "") if body else ""
    if answer.status not in _OK and (found := _cause_in(f"{code} {said}")):
        return found
    if body is None:
        return Cause.WEB_PAGE
    return Cause.NOT_GENIE if answer.status in _OK else _CAUSES_BY_STATUS.get(answer.status, Cause.NO_ACCESS)


def _cause_in(words: str) -> Cause | None:
    return next((cause for cause, pattern in _WORDS if pattern.search(words)), None)


def _words_of(answer: Answer, body: Mapping[str, Any] | None) -> str:
    """Return what the service says of its refusal. The body of a 200 may hold users' texts, so of that only a page's title."""
    if answer.is_redirect:
        return f"redirect to {_host_of(answer.headers.get('Location', ''))}, which is not followed"
    if body is None:
        title = _TITLE.search(answer.body)
        return title[1].decode("utf-8", errors="replace") if title else answer.headers.get("Content-Type", "")
    if answer.status in _OK:
        return ""
    parts = (
        body.get("message") or body.get("error_description") or body.get("error"),
        answer.headers.get(_REASON_HEADER),
    )
    return next((str(part) for part in parts if part), "")


def _host_of(location: str) -> str:
    try:
        return urlsplit(location).hostname or "itself"
    except ValueError:
        return "an unreadable address"


def _json_of(answer: Answer) -> Mapping[str, Any] | None:
    try:
        return parse_json_object(answer)
    except ExchangeError:
        return None
