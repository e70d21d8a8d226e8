"""GET requests to one workspace: at the limiter's pace, tried again, with its token. It knows nothing of Genie's endpoints."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn
from urllib.parse import quote

import aiohttp
from yarl import URL

from genie_obs.clock import Clock
from genie_obs.errors import (
    ApiError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    TransientApiError,
    UnauthenticatedError,
    WorkspaceError,
    WorkspaceUnreachableError,
    clean_text,
)
from genie_obs.genie_api.exchange import (
    JSON_HEADERS,
    Answer,
    ExchangeError,
    NoAnswerError,
    NoAnswerKind,
    RetryableStatusError,
    exchange,
    parse_json_object,
    without_frames,
)
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import UNREACHABLE_ADVICE, TokenSource, redirect_error
from genie_obs.genie_api.retry import Attempts, RetryPolicy, is_retryable, retry_after_seconds
from genie_obs.secret import Secret, bearer_header
from genie_obs.security.hosts import check_origin

logger = logging.getLogger(__name__)

_OK = 200
_UNAUTHENTICATED = 401
_TOO_MANY_REQUESTS = 429
_KEEPALIVE_SECONDS = 30.0
_DNS_CACHE_SECONDS = 300
_ERRORS_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthenticatedError,
    403: PermissionDeniedError,
    404: NotFoundError,
}
# These two change what is stored (forbidden, deleted), so they count only if the body is JSON, as Databricks sends it.
# A proxy's HTML page with the same status is a disturbance: the call is tried again.
_STATUSES_NEEDING_JSON = frozenset({403, 404})
# If the very first call ends like this, later ones will too.
_HOPELESS_KINDS = frozenset({NoAnswerKind.DNS, NoAnswerKind.REFUSED, NoAnswerKind.TLS})
_REQUEST_ID_HEADERS = ("x-databricks-request-id", "x-request-id")


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """Limits of one request, and when a workspace is given up."""

    timeout_seconds: float = 30.0  # of one request, from connecting to the end of the body
    connect_timeout_seconds: float = 10.0
    max_body_bytes: int = 64 * 1024 * 1024  # decompressed
    page_size: int = 100
    breaker_failures: int = (
        5  # after so many calls without HTTP answer in a row, or redirects, the workspace is given up
    )


@dataclass(kw_only=True)
class ApiStats:
    """What was asked of the service. Numbers only grow, so another thread may read them at any time."""

    calls_by_operation: Counter[str] = field(default_factory=Counter)  # every HTTP attempt, retries included
    retries: int = 0
    throttled: int = 0  # answers 429
    bytes_received: int = 0  # of bodies as they were sent, compressed
    tokens: int = 0  # different OAuth tokens used

    @property
    def calls(self) -> int:
        """All HTTP attempts of all operations."""
        return sum(list(self.calls_by_operation.values()))


def open_session(settings: ApiSettings, max_connections: int, *, proxy: str | None = None) -> aiohttp.ClientSession:
    """Open the HTTP session that all workspaces of a run share; close it, or use it in `async with`.

    It uses neither cookies nor the environment: for every request aiohttp would read `.netrc` and the proxy variables again,
    and it would send requests to this machine to the proxy. So a proxy is an argument.

    Args:
        settings: time-outs.
        max_connections: to all hosts together; a request's time-out includes waiting for one.
        proxy: URL of the HTTP proxy for every request, if there is one.
    """
    connector = aiohttp.TCPConnector(
        limit=max_connections, keepalive_timeout=_KEEPALIVE_SECONDS, ttl_dns_cache=_DNS_CACHE_SECONDS
    )
    timeout = aiohttp.ClientTimeout(total=settings.timeout_seconds, sock_connect=settings.connect_timeout_seconds)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        proxy=proxy,
        auto_decompress=False,
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One GET request: `ids` are the values for the path template's names, `query` is already encoded."""

    operation: str
    template: str
    ids: Mapping[str, str]
    query: str = ""

    def target(self) -> str:
        """Return path and query, ready to send."""
        # Ids come from an audit log. All of an id is quoted, so that a slash or a question mark in it stays part of it.
        path = self.template.format_map(
            {name: quote(value, safe="", errors="replace") for name, value in self.ids.items()}
        )
        return f"{path}?{self.query}" if self.query else path


class WorkspaceClient:
    """Sends the calls of one workspace.

    The workspace is given up after `breaker_failures` calls in a row without an answer, or so many redirects in a row.
    """

    def __init__(
        self,
        *,
        workspace_id: str,
        host: str,
        session: aiohttp.ClientSession,
        tokens: TokenSource,
        limiter: AdaptiveLimiter,
        clock: Clock,
        retry: RetryPolicy,
        settings: ApiSettings,
        stats: ApiStats,
        rng: Callable[[], float],
    ) -> None:
        self._workspace_id = workspace_id
        # Checked here again: the token is sent to this address alone.
        self._host = check_origin(host, workspace_id=workspace_id)
        self._session = session
        self._tokens = tokens
        self._limiter = limiter
        self._clock = clock
        self._retry = retry
        self._settings = settings
        self._stats = stats
        self._rng = rng
        self._token: Secret | None = None
        self._has_answered = False
        self._unanswered_calls = 0
        self._redirects = 0  # in a row
        self._given_up: Callable[[], WorkspaceError] | None = None

    async def get(self, call: Call) -> dict[str, Any]:
        """Return the JSON object of a 200, after as many attempts as the retry policy allows.

        Raises:
            ApiError: this call failed; the subclass says how.
            WorkspaceError: the workspace is unreachable, only redirects, or refuses the credentials.
        """
        if not all(value.strip(".") for value in call.ids.values()):
            # With an empty id, "." or ".." this would be the path of another endpoint.
            raise self._error(BadRequestError, call, attempts=0, text="not sent: an id is empty or only dots")
        url = URL(self._host + call.target(), encoded=True)
        attempts = Attempts(self._retry, self._clock, self._rng)
        is_renewed = False
        while True:
            self._check_not_given_up()
            async with self._limiter.slot() as sent_at:
                attempts.begin()
                # The workspace may have been given up, and the token renewed, while this call waited for its turn.
                self._check_not_given_up()
                token = await self._tokens.token()
                try:
                    answer = await self._attempt(call, url, token, attempts.count, sent_at)
                    if answer.status != _UNAUTHENTICATED or is_renewed:
                        return self._read(call, answer, attempts.count)
                    failure = None
                except ExchangeError as error:
                    failure = error
            if failure is None:
                is_renewed = True
                self._tokens.invalidate(token)
                continue
            await self._wait_or_give_up(call, failure, attempts)

    async def _attempt(self, call: Call, url: URL, token: Secret, attempt: int, sent_at: float) -> Answer:
        """Send one request; tell the limiter what came back, and count failures and redirects in a row.

        Raises:
            ExchangeError: no answer, an unreadable one, or a status that says to try again.
            UntrustedHostError: the workspace answers only by redirects.
        """
        self._stats.calls_by_operation[call.operation] += 1
        self._note_token(token)
        status: object = "no answer"
        try:
            answer = await exchange(
                self._session,
                "GET",
                url,
                headers=JSON_HEADERS,
                authorization=bearer_header(token),
                max_body_bytes=self._settings.max_body_bytes,
            )
            status = answer.status
        except NoAnswerError:
            raise
        except ExchangeError:
            self._note_answer()
            raise
        finally:
            if logger.isEnabledFor(logging.DEBUG):
                milliseconds = (self._clock.monotonic() - sent_at) * 1_000
                logger.debug("GET %s %s %.0f ms attempt %d", call.template, status, milliseconds, attempt)
        self._note_answer()
        self._stats.bytes_received += answer.wire_bytes
        if answer.status == _TOO_MANY_REQUESTS:
            self._stats.throttled += 1
            self._limiter.on_throttled(retry_after_seconds(answer, now=self._clock.now()), sent_at=sent_at)
        else:
            self._limiter.on_success()
        self._note_redirect(answer)
        if answer.is_redirect or is_retryable(answer.status):
            raise RetryableStatusError(answer)
        return answer

    def _note_redirect(self, answer: Answer) -> None:
        """Give the workspace up after `breaker_failures` redirects in a row: it was moved. A single one comes from a proxy."""
        self._redirects = self._redirects + 1 if answer.is_redirect else 0
        # If the retry policy allows fewer attempts than that, those of one call are enough.
        if self._redirects >= min(self._settings.breaker_failures, self._retry.max_attempts):
            self._given_up = partial(redirect_error, answer, workspace_id=self._workspace_id, host=self._host)
            self._check_not_given_up()

    def _note_answer(self) -> None:
        self._has_answered = True
        self._unanswered_calls = 0

    def _note_token(self, token: Secret) -> None:
        if token is not self._token:
            self._token = token
            self._stats.tokens += 1

    def _read(self, call: Call, answer: Answer, attempts: int) -> dict[str, Any]:
        """Return the body of a 200; raise the error of any other status.

        Raises:
            ApiError: the error of the status.
            NotJsonError: the body is not what Databricks sends, so the call may be tried again.
        """
        if answer.status == _OK:
            return parse_json_object(answer)
        if answer.status in _STATUSES_NEEDING_JSON:
            parse_json_object(answer)
        raise self._error(_ERRORS_BY_STATUS.get(answer.status, ApiError), call, attempts=attempts, answer=answer)

    async def _wait_or_give_up(self, call: Call, failure: ExchangeError, attempts: Attempts) -> None:
        """Wait until the next attempt is due, or raise the error of the call if there is none."""
        delay = attempts.delay_seconds(failure)
        if delay is None:
            self._give_up(call, failure, attempts)
        self._stats.retries += 1
        if failure.answer is None or failure.answer.status != _TOO_MANY_REQUESTS:
            await self._clock.sleep(delay)  # after a 429 the limiter lets every call wait, this one too

    def _give_up(self, call: Call, failure: ExchangeError, attempts: Attempts) -> NoReturn:
        if isinstance(failure, NoAnswerError):
            self._note_unanswered(failure)
        kind = TransientApiError if is_retryable(failure) else ApiError
        text = "" if isinstance(failure, RetryableStatusError) else str(failure)
        error = self._error(kind, call, attempts=attempts.count, answer=failure.answer, text=text)
        raise error from without_frames(failure)

    def _note_unanswered(self, failure: NoAnswerError) -> None:
        self._unanswered_calls += 1
        is_never_there = not self._has_answered and failure.kind in _HOPELESS_KINDS
        if is_never_there or self._unanswered_calls >= self._settings.breaker_failures:
            self._given_up = partial(
                WorkspaceUnreachableError,
                f"{failure}, after all retries",
                UNREACHABLE_ADVICE,
                workspace_id=self._workspace_id,
                host=self._host,
            )
            self._check_not_given_up()

    def _check_not_given_up(self) -> None:
        if self._given_up is not None:
            raise self._given_up()  # a new error each time: a shared one would collect the tracebacks of all callers

    def _error(
        self, kind: type[ApiError], call: Call, *, attempts: int, answer: Answer | None = None, text: str = ""
    ) -> ApiError:
        """Return the error of a call; its message is `text`, or the service's own if that is empty."""
        body: Mapping[str, Any] = {}
        if answer is not None and answer.status != _OK:  # the body of a 200 holds users' text
            try:
                body = parse_json_object(answer)
            except ExchangeError:
                body = {}
        hidden = (self._token,) if self._token is not None else ()
        code = body.get("error_code")
        return kind(
            method="GET",
            path_template=call.template,
            ids=call.ids,
            status=answer.status if answer is not None else None,
            error_code=clean_text(code, hidden=hidden) if code else None,
            attempts=attempts,
            request_id=_request_id(answer),
            api_message=text or clean_text(body.get("message") or "", hidden=hidden),
        )


def _request_id(answer: Answer | None) -> str | None:
    if answer is None:
        return None
    return next((answer.headers[name] for name in _REQUEST_ID_HEADERS if name in answer.headers), None)
