"""Checks of one workspace over HTTP: reached, token issued, token accepted, CAN MANAGE on its spaces, a known message read.

Uses the job's own client, so that what passes here passes there. It sends one request without a token, which tells the network
from permissions and carries the service's clock, one request for a token, one for the list of spaces, one per space, and
one for a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from genie_obs.clock import Clock
from genie_obs.config import FetchSettings
from genie_obs.doctor.refusals import describe_no_answer, explain_api_error, explain_workspace_error
from genie_obs.doctor.report import Check, fail, ok, skip, warn
from genie_obs.doctor.spaces import SpacesFound, SpacesWanted, check_spaces
from genie_obs.errors import (
    ApiError,
    CredentialsRefusedError,
    NotFoundError,
    PermissionDeniedError,
    Problem,
    WorkspaceError,
)
from genie_obs.genie_api.api import ApiSettings, GenieApi
from genie_obs.genie_api.exchange import USER_AGENT, Answer, ExchangeError, exchange
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TokenSource
from genie_obs.genie_api.refusals import Cause, explain
from genie_obs.genie_api.retry import RetryPolicy
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.secret import Credentials
from genie_obs.security.hosts import trusted_host

REQUESTS_AT_ONCE = 8  # per workspace: a check must not use up what people ask Genie with
_PROBE_PATH = "/oidc/.well-known/oauth-authorization-server"  # public on every workspace
_MAX_BODY_BYTES = 1 << 20
_RETRY = RetryPolicy(max_attempts=3, deadline_seconds=45.0)
_FORBIDDEN = 403
_FROM_THE_TABLE = "correct its address; it comes from system.access.workspaces_latest"


@dataclass(frozen=True, kw_only=True)
class WorkspaceQuestions:
    """What the workspaces are asked about. `spaces` are those that earlier runs met, as rows of space_details."""

    workspaces: Sequence[Row]
    spaces: Sequence[Row]
    messages: Sequence[Row]  # one of each workspace: workspace_id, space_id, conversation_id, message_id
    space_ids: frozenset[str]  # only these; empty means all
    credentials: Credentials | None
    settings: FetchSettings
    is_loopback: bool  # tables and simulated workspaces are on this machine


@dataclass(kw_only=True)
class WorkspaceFindings:
    """What one workspace answered."""

    workspace: Row
    checks: list[Check] = field(default_factory=list)
    skew: timedelta | None = None  # our clock less the service's
    is_refused: bool = False  # the token endpoint does not know the credentials
    has_token: bool = False

    @property
    def name(self) -> str:
        """Return what the lines about the workspace begin with."""
        label = self.workspace["workspace_name"]
        workspace_id = self.workspace["workspace_id"]
        return f"workspace {label} ({workspace_id})" if label else f"workspace {workspace_id}"

    def fail(self, found: Problem) -> None:
        """Add a failure that costs this workspace, not the run."""
        self.checks.append(fail(self.name, found.problem, fix=found.fix, is_partial=True))


class WorkspaceCheck:
    """Asks one workspace, step by step; the first step that fails ends it."""

    def __init__(
        self, questions: WorkspaceQuestions, session: aiohttp.ClientSession, settings: ApiSettings, clock: Clock
    ) -> None:
        self._questions = questions
        self._session = session
        self._settings = settings
        self._clock = clock

    async def run(self, workspace: Row) -> WorkspaceFindings:
        """Return what a workspace, a row of `workspaces_latest`, answered. Never raises for what it answers."""
        found = WorkspaceFindings(workspace=workspace)
        host = self._host(found)
        if host is None or not await self._reach(found, host):
            return found
        if self._questions.credentials is None:
            found.checks.append(skip(found.name, "reachable; token and spaces not checked without credentials"))
            return found
        await self._ask_with_token(found, host, self._questions.credentials)
        return found

    def _host(self, found: WorkspaceFindings) -> str | None:
        row = found.workspace
        if row["status"] not in {None, "RUNNING"}:
            found.checks.append(warn(found.name, f"is {row['status']}, not RUNNING: its messages wait"))
            return None
        try:
            settings = self._questions.settings
            rules = settings.host_rules(is_loopback=self._questions.is_loopback)
            url = settings.address_of(row["workspace_id"], row["workspace_url"])
            return trusted_host(url or "", rules, workspace_id=row["workspace_id"])
        except WorkspaceError as error:
            found.fail(Problem(error.problem, error.fix or _FROM_THE_TABLE))
            return None

    async def _reach(self, found: WorkspaceFindings, host: str) -> bool:
        """Say whether the workspace answers a request without a token."""
        url = URL(host + _PROBE_PATH, encoded=True)
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
        started = self._clock.monotonic()
        try:
            answer = await exchange(self._session, "GET", url, headers=headers, max_body_bytes=_MAX_BODY_BYTES)
        except ExchangeError as error:
            found.fail(describe_no_answer(error, host))
            return False
        found.skew = self._skew(answer, self._clock.monotonic() - started)
        refusal = explain(answer)
        if answer.is_redirect or (answer.status == _FORBIDDEN and refusal.cause is Cause.NETWORK):
            found.fail(Problem(refusal.problem, refusal.cause.fix))
            return False
        return True

    def _skew(self, answer: Answer, took_seconds: float) -> timedelta | None:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
        except (ValueError, TypeError, IndexError):
            return None
        theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
        return self._clock.now() - theirs - timedelta(seconds=took_seconds / 2)

    async def _ask_with_token(self, found: WorkspaceFindings, host: str, credentials: Credentials) -> None:
        tokens = TokenSource(
            workspace_id=found.workspace["workspace_id"],
            host=host,
            credentials=credentials,
            session=self._session,
            clock=self._clock,
            retry=_RETRY,
        )
        try:
            await tokens.token()
        except CredentialsRefusedError as error:
            refusal = self._explain(found, error, credentials)
            found.is_refused = True
            found.fail(replace(refusal, problem=f"reachable, no token: {refusal.problem}"))
            return
        except WorkspaceError as error:
            found.fail(self._explain(found, error, credentials))
            return
        found.has_token = True
        await self._ask_for_spaces(found, self._api(found, host, tokens), credentials)

    def _explain(self, found: WorkspaceFindings, error: WorkspaceError, credentials: Credentials) -> Problem:
        return explain_workspace_error(
            error, workspace_id=found.workspace["workspace_id"], client_id=credentials.client_id
        )

    def _api(self, found: WorkspaceFindings, host: str, tokens: TokenSource) -> GenieApi:
        concurrency = min(self._questions.settings.max_concurrency, REQUESTS_AT_ONCE)
        limiter = AdaptiveLimiter(
            self._clock,
            max_concurrency=concurrency,
            max_requests_per_second=self._questions.settings.max_requests_per_second,
        )
        return GenieApi(
            workspace_id=found.workspace["workspace_id"],
            host=host,
            session=self._session,
            tokens=tokens,
            limiter=limiter,
            clock=self._clock,
            retry=_RETRY,
            settings=self._settings,
        )

    async def _ask_for_spaces(self, found: WorkspaceFindings, api: GenieApi, credentials: Credentials) -> None:
        row, client_id = found.workspace, credentials.client_id
        known = {space["space_id"] for space in self._questions.spaces if space["workspace_id"] == row["workspace_id"]}
        wanted = SpacesWanted(known=known, only=self._questions.space_ids)
        try:
            spaces = await check_spaces(api, wanted, host=str(row["workspace_url"]), client_id=client_id)
        except ApiError as error:
            refusal = explain_api_error(error)
            found.fail(replace(refusal, problem=f"token issued, {refusal.problem}"))
        except WorkspaceError as error:
            refusal = self._explain(found, error, credentials)
            found.fail(replace(refusal, problem=f"token issued, {refusal.problem}"))
        else:
            found.checks.extend((self._verdict(found.name, spaces, client_id), *spaces.checks))
            await self._read_message(found, api, spaces)

    async def _read_message(self, found: WorkspaceFindings, api: GenieApi, spaces: SpacesFound) -> None:
        """Read one message that people read in Genie: only this shows that ingestion works."""
        own = (row for row in self._questions.messages if row["workspace_id"] == found.workspace["workspace_id"])
        message = next((row for row in own if row["space_id"] in spaces.readable), None)
        if message is None:
            return
        name = f"{found.name}, a message"
        try:
            await api.get_message(message["space_id"], message["conversation_id"], message["message_id"])
        except NotFoundError:
            found.checks.append(
                warn(name, "was read in Genie lately, but is not there: deleted, or hidden from managers")
            )
        except PermissionDeniedError as error:
            detail = f"refused although CAN MANAGE is held: private, or not shared with managers: {error.api_message}"
            found.checks.append(warn(name, detail))
        except ApiError as error:
            fix = "try again; a run tries such messages again by itself"
            found.checks.append(fail(name, f"cannot be read: {error.problem}", fix=fix, is_partial=True))
        except WorkspaceError as error:
            found.fail(Problem(error.problem, error.fix))
        else:
            found.checks.append(ok(name, "was read, as a run reads it"))

    def _verdict(self, name: str, spaces: SpacesFound, client_id: str) -> Check:
        reached = "reachable, token issued and accepted"
        count, lacking_count = spaces.count, len(spaces.checks)
        if not count:
            fix = (
                f"if it has some: grant service principal {client_id} CAN MANAGE on each, or make it a workspace admin"
            )
            return warn(name, f"{reached}; no Genie space is visible", fix=fix)
        if lacking_count:
            return ok(name, f"{reached}; CAN MANAGE on {count - lacking_count} of {count} spaces")
        return ok(name, f"{reached}; CAN MANAGE on all {count} spaces")
