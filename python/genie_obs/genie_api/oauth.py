"""The OAuth token of a workspace, by the client credentials grant."""

import asyncio
import logging
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp
from yarl import URL

from genie_obs.clock import Clock
from genie_obs.errors import (
    CredentialsRefusedError,
    WorkspaceError,
    WorkspaceRefusedError,
    WorkspaceUnreachableError,
    clean_text,
)
from genie_obs.genie_api.exchange import (
    JSON_HEADERS,
    Answer,
    ExchangeError,
    RetryableStatusError,
    exchange,
    parse_json_object,
    without_frames,
)
from genie_obs.genie_api.refusals import Cause, Refusal, explain, explain_failure, is_timeout
from genie_obs.genie_api.retry import Attempts, RetryPolicy, is_retryable
from genie_obs.secret import Credentials, Secret

logger = logging.getLogger(__name__)

TOKEN_PATH = "/oidc/v1/token"  # noqa: S105 - a path
_HEADERS = {**JSON_HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
_TOKEN_FORM = b"grant_type=client_credentials&scope=all-apis"
_MAX_TOKEN_BODY_BYTES = 1 << 20
_DEFAULT_LIFETIME_SECONDS = 600.0  # when the answer does not say; Databricks says 3600
_RENEWAL_RETRY_SECONDS = 60.0
_REFUSING_STATUSES = frozenset({400, 401, 403})
_TIMEOUTS_AT_MOST = 3  # more would take minutes
_OK = 200
_CHECK_CREDENTIALS = (
    "Check the client id, that its secret has not expired, that the service principal is assigned to this workspace, "
    "and the workspace's IP access list."
)
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


class TokenSource:
    """Gives the workspace's current token and renews it in time; callers at the same time share one renewal.

    A failure is remembered. Later callers get it at once, so a workspace that refuses is asked only once.
    """

    def __init__(
        self,
        *,
        workspace_id: str,
        host: str,
        credentials: Credentials,
        session: aiohttp.ClientSession,
        clock: Clock,
        retry: RetryPolicy | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._workspace_id = workspace_id
        self._host = host
        self._credentials = credentials
        self._session = session
        self._clock = clock
        self._retry = retry or RetryPolicy()
        self._rng = rng
        self._url = URL(host + TOKEN_PATH, encoded=True)
        self._renewal = asyncio.Lock()
        self._token: Secret | None = None
        self._renew_at = 0.0  # monotonic
        self._expires_at = 0.0  # monotonic
        self._failure: Callable[[], WorkspaceError] | None = None
        self.requests = 0
        """Requests sent to the token endpoint, retries included."""

    async def token(self) -> Secret:
        """Return a token that is still valid for a while; a new one is asked for where needed.

        Raises:
            CredentialsRefusedError: the workspace does not know the service principal or its secret.
            WorkspaceUnreachableError: no answer after all retries.
            WorkspaceRefusedError: it refuses this network, or answers otherwise than a workspace.
            UntrustedHostError: the token endpoint redirects elsewhere.
        """
        if self._token is not None and self._clock.monotonic() < self._renew_at:
            return self._token
        async with self._renewal:
            if self._token is not None and self._clock.monotonic() < self._renew_at:
                return self._token  # another caller renewed it while this one waited
            if self._failure is not None:
                raise self._failure()
            return await self._renew()

    def invalidate(self, token: Secret) -> None:
        """Forget `token`, which was answered by 401; does nothing if another caller has renewed it already."""
        if token is self._token:
            self._token = None

    def try_again(self) -> None:
        """Forget that no token came; the next caller asks for one."""
        self._failure = None

    async def _renew(self) -> Secret:
        asked_at = self._clock.monotonic()
        try:
            token, lifetime_seconds = await self._fetch()
        except (WorkspaceUnreachableError, WorkspaceRefusedError):
            now = self._clock.monotonic()
            if self._token is None or now >= self._expires_at:
                raise
            # The old token is still valid, so a short outage of the token endpoint does not end the run.
            logger.warning("workspace %s: the token could not be renewed yet, using the old one", self._workspace_id)
            self._renew_at = min(now + _RENEWAL_RETRY_SECONDS, self._expires_at)
            self._failure = None
            return self._token
        self._token = token
        self._expires_at = asked_at + lifetime_seconds
        self._renew_at = self._expires_at - renewal_margin_seconds(lifetime_seconds)
        return token

    async def _fetch(self) -> tuple[Secret, float]:
        """Return a new token and its lifetime in seconds, after as many attempts as the retry policy allows."""
        attempts = Attempts(self._retry, self._clock, self._rng)
        while True:
            attempts.begin()
            try:
                return self._read_token(await self._post(attempts.count))
            except ExchangeError as error:
                failure = error
            delay = attempts.delay_seconds(failure)
            if delay is None or (is_timeout(failure) and attempts.count >= _TIMEOUTS_AT_MOST):
                raise self._give_up(explain_failure(failure, hidden=self._hidden())) from without_frames(failure)
            await self._clock.sleep(delay)

    async def _post(self, attempt: int) -> Answer:
        self.requests += 1
        started_at = self._clock.monotonic()
        status: object = "no answer"
        try:
            answer = await exchange(
                self._session,
                "POST",
                self._url,
                headers=_HEADERS,
                authorization=self._credentials.basic_header(),
                data=_TOKEN_FORM,
                max_body_bytes=_MAX_TOKEN_BODY_BYTES,
            )
            status = answer.status
        finally:
            milliseconds = (self._clock.monotonic() - started_at) * 1_000
            logger.debug("POST %s %s %.0f ms attempt %d", TOKEN_PATH, status, milliseconds, attempt)
        if is_retryable(answer.status):
            raise RetryableStatusError(answer)
        return answer

    def _read_token(self, answer: Answer) -> tuple[Secret, float]:
        refusal = explain(answer, hidden=self._hidden())
        if answer.is_redirect:
            raise self._give_up(refusal)
        if answer.status in _REFUSING_STATUSES:
            parse_json_object(answer)  # a proxy's page is no refusal; not kept, because it may quote the secret
            raise self._give_up(refusal) if refusal.cause is Cause.NETWORK else self._refuse(answer)
        body = parse_json_object(answer)
        token = _take_token(body) if answer.status == _OK else Secret("")
        if not token:
            raise self._give_up(replace(refusal, cause=Cause.NOT_GENIE), "no usable access_token")
        return token, _parse_lifetime(body.get("expires_in"))

    def _refuse(self, answer: Answer) -> WorkspaceError:
        hidden, body = self._hidden(), parse_json_object(answer)
        code = body.get("error") or body.get("error_code") or ""
        text = body.get("error_description") or body.get("message") or ""
        said = ": ".join(part for part in (clean_text(code, hidden=hidden), clean_text(text, hidden=hidden)) if part)
        problem = f"the token endpoint refused the credentials: {answer.status}{f' {said}' if said else ''}"
        return self._remember(
            lambda: CredentialsRefusedError(
                problem, _CHECK_CREDENTIALS, workspace_id=self._workspace_id, host=self._host, api_message=said
            )
        )

    def _give_up(self, refusal: Refusal, detail: str = "") -> WorkspaceError:
        refusal = replace(refusal, subject=f"the token endpoint{f' ({detail})' if detail else ''}")
        return self._remember(lambda: refusal.error(workspace_id=self._workspace_id, host=self._host))

    def _remember(self, failure: Callable[[], WorkspaceError]) -> WorkspaceError:
        # A new exception for every caller: a shared one would collect all their tracebacks.
        self._failure = failure
        return failure()

    def _hidden(self) -> tuple[Secret, ...]:
        return (self._credentials.client_secret, self._credentials.basic_pair())


def _take_token(body: dict[str, Any]) -> Secret:
    """Take the token out of an answer, so that whoever prints the answer does not show it; empty if none is usable."""
    token = body.pop("access_token", None)
    return Secret(token if isinstance(token, str) and _HEADER_SAFE.fullmatch(token) else "")


def renewal_margin_seconds(lifetime_seconds: float) -> float:
    """Return how long before its end a token is renewed.

    A tenth of its life, but at least a minute and at most half of its life: 360 s for an hour, 60 s for 5 minutes.
    """
    return min(max(60.0, lifetime_seconds / 10.0), lifetime_seconds / 2.0)


def _parse_lifetime(expires_in: Any) -> float:
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError, OverflowError):
        return _DEFAULT_LIFETIME_SECONDS
    return seconds if 0.0 < seconds < float("inf") else _DEFAULT_LIFETIME_SECONDS
