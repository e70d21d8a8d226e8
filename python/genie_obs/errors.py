"""Errors of the project; facts are attributes, messages say what to do.

GenieObsError
├── ConfigError                    bad settings or input (exit code 2)
├── EngineError                    the table engine failed
│   └── SourceError                a system table could not be read
├── WorkspaceError                 a whole workspace cannot be read: reported, skipped (exit code 3)
│   ├── WorkspaceUnreachableError  no usable HTTP answer
│   ├── WorkspaceRefusedError      it answers, but nothing can be read: network, token, Genie not enabled, a sign-in page
│   ├── CredentialsRefusedError    the token endpoint said no
│   └── UntrustedHostError         we would have to send the secret or token somewhere else
└── ApiError                       one Genie API call failed
    ├── BadRequestError            400
    ├── UnauthenticatedError       401, also with a renewed token
    ├── PermissionDeniedError      403
    ├── NotFoundError              404
    └── TransientApiError          every retry was used up
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from genie_obs.secret import Secret

_MAX_SERVICE_TEXT_CHARACTERS = 200
_MAX_ID_CHARACTERS = 64
# Control and format characters (bidirectional overrides), surrogates, line and paragraph separators: they can forge a log line.
_UNPRINTABLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def clean_text(text: object, *, limit: int = _MAX_SERVICE_TEXT_CHARACTERS, hidden: Iterable[Secret] = ()) -> str:
    """Return text from outside in a form that is safe in a log: no control characters, one line, at most `limit` characters.

    `hidden` lists values (tokens, secrets) that become `***` wherever the text echoes them.
    """
    cleaned = str(text)
    for secret in hidden:
        if secret:
            cleaned = cleaned.replace(secret.reveal(), str(secret))
    # Cut generously before the per-character work, so that a huge error page costs nothing.
    cleaned = cleaned[: limit * 4]
    cleaned = "".join(" " if unicodedata.category(char) in _UNPRINTABLE_CATEGORIES else char for char in cleaned)
    cleaned = " ".join(cleaned.split())
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, with its cause, and a sentence that says how to fix it ('' if no fix is known)."""

    problem: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.problem.rstrip('.')}. {self.fix}" if self.fix else self.problem


class GenieObsError(Exception):
    """Base of every error this project raises on purpose: `problem` says what is wrong, `fix` what to do about it."""

    def __init__(self, problem: str, fix: str = "") -> None:
        self.problem = problem
        self.fix = fix
        super().__init__(str(Problem(problem, fix)))


class ConfigError(GenieObsError):
    """Settings or input are wrong. `problems` lists all that was found; `problem` and `fix` are those of the first."""

    def __init__(self, problem: str | Iterable[Problem], fix: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(problem, fix),) if isinstance(problem, str) else tuple(problem)
        first = self.problems[0]
        super().__init__(first.problem, first.fix)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        return "\n".join([f"{len(self.problems)} problems:", *(f"  - {problem}" for problem in self.problems)])


def name_unexpected(error: BaseException) -> str:
    """Return the type and place of an unexpected error. Its text is left out, because it may quote what a person wrote."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{place}"


class BadValueError(ValueError):
    """The text of a setting cannot be read: `problem` says what is wrong with it, `fix` what to write instead."""

    def __init__(self, problem: str, fix: str) -> None:
        self.problem = problem
        self.fix = fix
        super().__init__(str(Problem(problem, fix)))


class EngineError(GenieObsError):
    """The table engine refused or lost a statement."""


class SourceError(EngineError):
    """A system table could not be read: `source` is its name, as ``schema.table``, and `state` says how."""

    def __init__(self, problem: str, fix: str = "", *, source: str, state: str = "failed") -> None:
        super().__init__(problem, fix)
        self.source = source
        self.state = state


class WorkspaceError(GenieObsError):
    """A whole workspace cannot be read; the others go on.

    `problem` and `fix` do not name the workspace, so that they fit a table cell; the text of the error does.
    `is_lasting` says that a second try soon after is of no use.
    """

    is_lasting = False

    def __init__(self, problem: str, fix: str = "", *, workspace_id: str, host: str) -> None:
        super().__init__(problem, fix)
        self.workspace_id = workspace_id
        self.host = host

    def __str__(self) -> str:
        place = (
            f"workspace {clean_text(self.workspace_id, limit=_MAX_ID_CHARACTERS)}" if self.workspace_id else "workspace"
        )
        return f"{place} ({clean_text(self.host)}): {Problem(self.problem, self.fix)}"


class WorkspaceUnreachableError(WorkspaceError):
    """The workspace gave no usable HTTP answer (DNS, refused, TLS, time-out, or only server errors)."""


class WorkspaceRefusedError(WorkspaceError):
    """The workspace answers, but refuses everything: `cause` is a value of `genie_api.refusals.Cause`."""

    def __init__(
        self, problem: str, fix: str = "", *, workspace_id: str, host: str, cause: str, is_lasting: bool
    ) -> None:
        super().__init__(problem, fix, workspace_id=workspace_id, host=host)
        self.cause = cause
        self.is_lasting = is_lasting


class CredentialsRefusedError(WorkspaceError):
    """The workspace's token endpoint refused the service principal; `api_message` is the service's own text, cleaned and cut."""

    is_lasting = True

    def __init__(self, problem: str, fix: str = "", *, workspace_id: str, host: str, api_message: str = "") -> None:
        super().__init__(problem, fix, workspace_id=workspace_id, host=host)
        self.api_message = clean_text(api_message)


class UntrustedHostError(WorkspaceError):
    """The address is not one we send credentials to: wrong scheme, user info, or a redirect elsewhere."""

    is_lasting = True


class ApiError(GenieObsError):
    """One call of the Genie API failed.

    `path_template` has placeholders, `ids` holds their values. `status` is None when no HTTP answer came.
    `api_message` is the service's own text, cleaned and cut; never the body of a successful answer. `cause` is in our words.
    """

    advice = "See the service's message; if it persists, report it with the request id."

    def __init__(
        self,
        *,
        method: str,
        path_template: str,
        ids: Mapping[str, str],
        status: int | None = None,
        error_code: str | None = None,
        attempts: int = 1,
        request_id: str | None = None,
        api_message: str = "",
        cause: str = "",
    ) -> None:
        self.method = method
        self.path_template = path_template
        self.ids = dict(ids)
        self.status = status
        self.error_code = clean_text(error_code, limit=_MAX_ID_CHARACTERS) if error_code else None
        self.attempts = attempts
        self.request_id = clean_text(request_id, limit=_MAX_ID_CHARACTERS) if request_id else None
        self.api_message = clean_text(api_message)
        self.cause = cause
        super().__init__(self._describe(), self._advice())

    def _describe(self) -> str:
        ids = ", ".join(f"{name} {clean_text(value, limit=_MAX_ID_CHARACTERS)}" for name, value in self.ids.items())
        outcome = " ".join(str(part) for part in (self.status, self.error_code) if part) or "no HTTP answer"
        attempts = f"{self.attempts} attempt{'s' if self.attempts != 1 else ''}"
        text = f"{self.method} {self.path_template}{f' ({ids})' if ids else ''} failed: {outcome} after {attempts}"
        text += f": {self.cause}" if self.cause else ""
        text += f': "{self.api_message}"' if self.api_message else ""
        text += f" [request {self.request_id}]" if self.request_id else ""
        return text

    def _advice(self) -> str:
        return self.advice


class BadRequestError(ApiError):
    """400: the service does not accept the request as it is."""

    advice = "Repeating it will not help: the id may be malformed, or the API may have changed."


class UnauthenticatedError(ApiError):
    """401, even with a token renewed for this very call."""

    advice = "Check that the service principal is still assigned to this workspace and its secret has not expired."


class _GrantableApiError(ApiError):
    """Errors that a grant on the space fixes."""

    _prefix = ""

    def _advice(self) -> str:
        space_id = self.ids.get("space_id")
        if space_id is None:
            return "Grant the service principal workspace access, or make it a workspace admin."
        space = clean_text(space_id, limit=_MAX_ID_CHARACTERS)
        return f"{self._prefix}rant the service principal CAN MANAGE on space {space}, or exclude the space."


class PermissionDeniedError(_GrantableApiError):
    """403: the service principal lacks a permission (or an IP access list blocks it, as the message then says)."""

    _prefix = "G"


class NotFoundError(_GrantableApiError):
    """404: it does not exist, or a permission is missing: Databricks hides what one may not see."""

    _prefix = "It was deleted, or the service principal may not see it: then g"

    def _advice(self) -> str:
        return (
            super()._advice()
            if "space_id" in self.ids
            else "It was deleted, or is not visible to the service principal."
        )


class TransientApiError(ApiError):
    """The call failed for a reason that may pass, and every retry was used up. A later call may succeed."""

    advice = "The next run tries again."
