"""Checks of every workspace over HTTP: reached, token issued, token accepted, CAN MANAGE on its spaces, clocks agree.

Uses the job's own client, so that what passes here passes there. Per workspace: one unauthenticated request (it tells the
network from permissions, and carries the service's clock), one token, the list of spaces, and one request per space.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from genie_obs.clock import Clock
from genie_obs.config import FetchSettings
from genie_obs.doctor.refusals import (
    assignment_fix,
    describe_no_answer,
    explain_api_error,
    explain_workspace_error,
    grant_command,
    is_network_refusal,
    network_fix,
    text_of_answer,
)
from genie_obs.doctor.report import Check, Status, fail, ok, skip, warn
from genie_obs.errors import ApiError, CredentialsRefusedError, WorkspaceError
from genie_obs.genie_api.api import ApiSettings, GenieApi, open_session
from genie_obs.genie_api.exchange import USER_AGENT, Answer, ExchangeError, exchange
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TokenSource, redirect_error
from genie_obs.genie_api.retry import RetryPolicy
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.secret import Credentials
from genie_obs.security.hosts import trusted_host

_PROBE_PATH = "/oidc/.well-known/oauth-authorization-server"  # public on every workspace
_MAX_BODY_BYTES = 1 << 20
_WORKSPACES_AT_ONCE = 8
_REQUESTS_AT_ONCE = 8  # per workspace: a check must not use up what people ask Genie with
_RETRY = RetryPolicy(max_attempts=3, deadline_seconds=45.0)
_SKEW_WORTH_A_WORD = timedelta(seconds=60)  # the header has whole seconds, and the network takes its time
_FORBIDDEN = 403


@dataclass(frozen=True, kw_only=True)
class WorkspaceQuestions:
    """What is to be asked of the workspaces; `spaces` are those earlier runs know, as rows of space_details."""

    workspaces: Sequence[Row]
    spaces: Sequence[Row]
    space_ids: frozenset[str]  # only these; empty means all
    credentials: Credentials | None
    settings: FetchSettings
    is_loopback: bool  # tables and simulated workspaces are on this machine


@dataclass(kw_only=True)
class _Findings:
    """What one workspace answered."""

    workspace: Row
    checks: list[Check] = field(default_factory=list)
    skew: timedelta | None = None  # our clock less the service's
    is_refused: bool = False  # the token endpoint does not know the credentials
    has_token: bool = False

    @property
    def name(self) -> str:
        label = self.workspace["workspace_name"]
        workspace_id = self.workspace["workspace_id"]
        return f"workspace {label} ({workspace_id})" if label else f"workspace {workspace_id}"

    def fail(self, detail: str, fix: str) -> None:
        self.checks.append(fail(self.name, detail, fix=fix, is_partial=True))


async def check_workspaces(questions: WorkspaceQuestions, clock: Clock) -> list[Check]:
    """Ask every workspace, some at a time, and return the checks in the order of the workspaces, clocks last."""
    api_settings = ApiSettings(timeout_seconds=questions.settings.timeout_seconds, breaker_failures=1)
    turn = asyncio.Semaphore(_WORKSPACES_AT_ONCE)
    connections = _WORKSPACES_AT_ONCE * _REQUESTS_AT_ONCE
    async with open_session(api_settings, connections, proxy=questions.settings.proxy) as session:

        async def ask(workspace: Row) -> _Findings:
            async with turn:
                return await _WorkspaceCheck(questions, session, api_settings, clock).run(workspace)

        findings = await asyncio.gather(*(ask(workspace) for workspace in questions.workspaces))
    _blame_the_secret(findings, questions.credentials)
    checks = [check for item in findings for check in item.checks]
    return [*_all_or_some(checks, findings), *_check_clocks(findings)]


class _WorkspaceCheck:
    """Asks one workspace, step by step; the first step that fails ends it."""

    def __init__(
        self, questions: WorkspaceQuestions, session: aiohttp.ClientSession, settings: ApiSettings, clock: Clock
    ) -> None:
        self._questions = questions
        self._session = session
        self._settings = settings
        self._clock = clock

    async def run(self, workspace: Row) -> _Findings:
        found = _Findings(workspace=workspace)
        host = self._host(found)
        if host is None or not await self._reach(found, host):
            return found
        if self._questions.credentials is None:
            found.checks.append(skip(found.name, "reachable; token and spaces not checked without credentials"))
            return found
        await self._ask_with_token(found, host, self._questions.credentials)
        return found

    def _host(self, found: _Findings) -> str | None:
        row = found.workspace
        if row["status"] not in {None, "RUNNING"}:
            found.checks.append(warn(found.name, f"is {row['status']}, not RUNNING: its messages wait"))
            return None
        try:
            rules = self._questions.settings.host_rules(is_loopback=self._questions.is_loopback)
            return trusted_host(row["workspace_url"] or "", rules, workspace_id=row["workspace_id"])
        except WorkspaceError as error:
            found.fail(error.problem, error.fix or "correct its address; it comes from system.access.workspaces_latest")
            return None

    async def _reach(self, found: _Findings, host: str) -> bool:
        """Say whether the workspace itself answers, whoever asks."""
        url = URL(host + _PROBE_PATH, encoded=True)
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
        started = self._clock.monotonic()
        try:
            answer = await exchange(self._session, "GET", url, headers=headers, max_body_bytes=_MAX_BODY_BYTES)
        except ExchangeError as error:
            found.fail(*describe_no_answer(error, host))
            return False
        found.skew = self._skew(answer, self._clock.monotonic() - started)
        if answer.is_redirect:
            moved = redirect_error(answer, workspace_id=found.workspace["workspace_id"], host=host)
            found.fail(*explain_workspace_error(moved))
            return False
        if answer.status == _FORBIDDEN and is_network_refusal(text := text_of_answer(answer)):
            found.fail(f"refuses this network: {text}", network_fix())
            return False
        return True

    def _skew(self, answer: Answer, took_seconds: float) -> timedelta | None:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
        except (ValueError, TypeError, IndexError):
            return None
        theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
        return self._clock.now() - theirs - timedelta(seconds=took_seconds / 2)

    async def _ask_with_token(self, found: _Findings, host: str, credentials: Credentials) -> None:
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
            reason, fix = explain_workspace_error(error)
            found.is_refused = not is_network_refusal(reason)
            found.fail(f"reachable, no token: {reason}", fix)
            return
        except WorkspaceError as error:
            found.fail(*explain_workspace_error(error))
            return
        found.has_token = True
        await self._ask_for_spaces(found, self._api(found, host, tokens), credentials.client_id)

    def _api(self, found: _Findings, host: str, tokens: TokenSource) -> GenieApi:
        concurrency = min(self._questions.settings.max_concurrency, _REQUESTS_AT_ONCE)
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

    async def _ask_for_spaces(self, found: _Findings, api: GenieApi, client_id: str) -> None:
        try:
            listed = {
                space["space_id"]: space async for space in api.list_spaces() if isinstance(space.get("space_id"), str)
            }
            wanted = self._wanted(found, listed)
            answers = await asyncio.gather(*(api.can_manage(space_id) for space_id in wanted))
        except ApiError as error:
            detail, fix = explain_api_error(error, client_id)
            found.fail(f"token issued, {detail}", fix)
            return
        except WorkspaceError as error:
            found.fail(*explain_workspace_error(error))
            return
        lacking = [space_id for space_id, may in zip(wanted, answers, strict=True) if not may]
        found.checks.append(self._verdict(found, len(wanted), len(lacking), client_id))
        host = str(found.workspace["workspace_url"])
        found.checks.extend(
            _space_check(space_id, listed.get(space_id), host=host, client_id=client_id) for space_id in lacking
        )

    def _wanted(self, found: _Findings, listed: Iterable[str]) -> list[str]:
        workspace_id, only = found.workspace["workspace_id"], self._questions.space_ids
        known = {row["space_id"] for row in self._questions.spaces if row["workspace_id"] == workspace_id}
        return sorted(space_id for space_id in known | set(listed) if not only or space_id in only)

    def _verdict(self, found: _Findings, wanted_count: int, lacking_count: int, client_id: str) -> Check:
        reached = "reachable, token issued and accepted"
        if not wanted_count:
            return warn(
                found.name,
                f"{reached}; no Genie space is visible",
                fix=f"if it has some: grant service principal {client_id} CAN MANAGE on each, or make it a workspace admin",
            )
        if lacking_count:
            return ok(found.name, f"{reached}; CAN MANAGE on {wanted_count - lacking_count} of {wanted_count} spaces")
        return ok(found.name, f"{reached}; CAN MANAGE on all {wanted_count} spaces")


def _space_check(space_id: str, listed: Row | None, *, host: str, client_id: str) -> Check:
    grant = grant_command(host, space_id, client_id)
    if listed is None:
        detail = "not visible: not shared with the service principal, or deleted"
        return fail(f"space {space_id}", detail, fix=f"unless it was deleted: {grant}", is_partial=True)
    detail = "visible, but without CAN MANAGE: messages of other people cannot be read"
    return fail(f"space {space_id}", detail, fix=grant, is_partial=True)


def _blame_the_secret(findings: Sequence[_Findings], credentials: Credentials | None) -> None:
    """Where some workspaces accept the credentials, the secret is right and those that refuse lack the assignment."""
    if credentials is None or not any(item.has_token for item in findings):
        return
    for item in findings:
        if item.is_refused:
            fix = assignment_fix(str(item.workspace["workspace_id"]), credentials.client_id)
            item.checks = [replace(check, fix=fix) for check in item.checks]


def _all_or_some(checks: list[Check], findings: Sequence[_Findings]) -> list[Check]:
    """Let failures count for the whole run where no workspace at all can be read."""
    if any(item.has_token and not _is_lost(item) for item in findings) or not any(
        check.status is Status.FAIL for check in checks
    ):
        return checks
    return [replace(check, is_partial=False) if check.status is Status.FAIL else check for check in checks]


def _is_lost(found: _Findings) -> bool:
    return bool(found.checks) and found.checks[0].status is Status.FAIL


def _check_clocks(findings: Iterable[_Findings]) -> list[Check]:
    skews = [item.skew for item in findings if item.skew is not None]
    if not skews:
        return []
    skew = max(skews, key=abs)
    seconds = abs(skew.total_seconds())
    if abs(skew) < _SKEW_WORTH_A_WORD:
        return [ok("clock", f"within {max(1, round(seconds))} s of the workspaces'")]
    direction = "ahead of" if skew > timedelta(0) else "behind"
    detail = f"this machine's clock is {seconds:,.0f} s {direction} the workspaces': ages and look-back windows are off by as much"
    return [warn("clock", detail, fix="synchronise it: timedatectl set-ntp true, or start a new job cluster")]
