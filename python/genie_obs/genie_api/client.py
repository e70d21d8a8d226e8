"""GET requests to one workspace: at the limiter's pace, tried again, with its token. It knows nothing of Genie's endpoints."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
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
    clean_text,
)
from genie_obs.genie_api.exchange import (
    JSON_HEADERS,
    Answer,
    BodyTooLargeError,
    ExchangeError,
    NotJsonError,
    RetryableStatusError,
    exchange,
    parse_json_object,
    without_frames,
)
from genie_obs.genie_api.health import Health
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TokenSource
from genie_obs.genie_api.refusals import Refusal, explain, explain_failure, is_about_token, is_hopeless, is_timeout
from genie_obs.genie_api.retry import Attempts, RetryPolicy, is_retryable, retry_after_seconds
from genie_obs.secret import Secret, bearer_header
from genie_obs.security.hosts import check_origin

logger = logging.getLogger(__name__)

_OK = 200
_TOO_MANY_REQUESTS = 429
_KEEPALIVE_SECONDS = 30.0
_DNS_CACHE_SECONDS = 300
_ERRORS_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequestError,
    401: UnauthenticatedError,
    403: PermissionDeniedError,
    404: NotFoundError,
}
_LISTINGS_AT_MOST = 3  # to find out what a refusal is about
WORKSPACE_HEADER = "X-Databricks-Workspace-Id"
_REQUEST_ID_HEADERS = ("x-databricks-request-id", "x-request-id")


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """Limits of one request."""

    timeout_seconds: float = 30.0  # of one request, from connecting to the end of the body
    connect_timeout_seconds: float = 10.0
    max_body_bytes: int = 64 * 1024 * 1024  # decompressed
    page_size: int = 100
    listing_decides: bool = (
        False  # whether a workspace whose spaces cannot be listed is given up without asking for more
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
    ids: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    expects: tuple[str, ...] = ()  # an answer of Genie has one of these names
    may_be_empty: bool = False  # or none at all
    is_of_genie: bool = True  # else it says nothing of whether Genie can be read

    def target(self) -> str:
        """Return path and query, ready to send."""
        # Ids come from an audit log. All of an id is quoted, so that a slash or a question mark in it stays part of it.
        path = self.template.format_map(
            {name: quote(value, safe="", errors="replace") for name, value in self.ids.items()}
        )
        return f"{path}?{self.query}" if self.query else path


SPACES_PATH = "/api/2.0/genie/spaces"
SPACES_NAMES = ("spaces", "next_page_token")
LISTING = Call("list_spaces", SPACES_PATH, query="page_size=1", expects=SPACES_NAMES, may_be_empty=True)
"""What a workspace is asked to find out whether it answers at all."""


@dataclass(slots=True, kw_only=True)
class _Sent:
    """One request: exactly one of `body` (of a 200), `answer` without body (a refusal) and `failure` is what came of it."""

    token: Secret
    number: int  # they count up as requests are sent
    answer: Answer | None = None
    body: dict[str, Any] | None = None
    failure: ExchangeError | None = None


class WorkspaceClient:
    """Sends the calls of one workspace, and finds out whether a refusal is about the call or about the whole workspace.

    * While nobody knows whether the workspace answers, requests go one at a time; after a few without any usable answer it is given up
      (see `Health`).
    * A refusal (4xx) under a token that was renewed since is repeated. One whose words speak of the token is repeated with a new token.
    * Any other refusal counts as one of the call only if the workspace answered something after it. If nothing was asked since, the
      spaces are listed: if that is refused too, also with a new token, the workspace is given up.
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
        # One host may serve several workspaces; then this header chooses.
        self._headers = {**JSON_HEADERS, WORKSPACE_HEADER: workspace_id} if workspace_id else dict(JSON_HEADERS)
        self._session = session
        self._tokens = tokens
        self._limiter = limiter
        self._clock = clock
        self._retry = retry
        self._settings = settings
        self._stats = stats
        self._rng = rng
        self._token: Secret | None = None
        self._health = Health()
        self._asking_again = asyncio.Lock()
        self._given_up: Refusal | None = None

    def try_again(self) -> None:
        """Forget that the workspace was given up. No call may be in flight."""
        self._given_up = None
        self._health = Health()
        self._tokens.try_again()

    async def get(self, call: Call) -> dict[str, Any]:
        """Return the JSON object of a 200, after as many attempts as the retry policy allows.

        Raises:
            ApiError: this call failed; the subclass says how.
            WorkspaceError: the workspace refuses everything, gives no usable answer, or refuses the credentials.
        """
        if not all(value.strip(".") for value in call.ids.values()):
            # With an empty id, "." or ".." this would be the path of another endpoint.
            raise self._error(BadRequestError, call, attempts=0, cause="not sent, because an id is empty or only dots")
        attempts, is_repeated = self._new_attempts(), False
        while True:
            async with self._turn(call) as is_alone:
                sent = await self._send_renewing(call, attempts, is_alone=is_alone)
                if sent is None:
                    continue
                if sent.body is not None:
                    return sent.body
                if sent.failure is not None:
                    await self._wait_or_give_up(call, sent.failure, attempts)
                    continue
                # Once: calls that are all refused for their token, each for itself, would take the token from each other for ever.
                if call.is_of_genie and not is_repeated and await self._ask_again(call, sent):
                    is_repeated = True
                    continue
            raise self._refusal(call, sent, attempts)

    async def _send_renewing(self, call: Call, attempts: Attempts, *, is_alone: bool) -> _Sent | None:
        """Send one request, and once more with a new token if it may have been refused for its token. See `_send`."""
        sent = await self._send(call, attempts, is_alone=is_alone)
        if sent is None or sent.answer is None or sent.body is not None or sent.failure is not None:
            return sent
        if sent.token is self._token and not is_about_token(sent.answer):
            return sent
        self._tokens.invalidate(sent.token)
        return await self._send(call, attempts, is_alone=is_alone)

    def _turn(self, call: Call) -> AbstractAsyncContextManager[bool]:
        return self._health.turn() if call.is_of_genie else nullcontext(True)

    async def _send(self, call: Call, attempts: Attempts, *, is_alone: bool) -> _Sent | None:
        """Send one request, and note what came back. Return None, and send nothing, if doubts arose while it waited for its turn.

        Raises:
            WorkspaceError: the workspace was given up, or gives no token.
        """
        self._check_not_given_up()
        async with self._limiter.slot() as sent_at:
            # The workspace may have been given up, and the token renewed, while this call waited for its turn.
            self._check_not_given_up()
            if self._health.is_in_doubt and not is_alone:
                return None
            attempts.begin()
            token = await self._tokens.token()
            sent = _Sent(token=token, number=self._health.number())
            try:
                sent.answer = await self._attempt(call, token, attempts.count, sent_at)
                sent.body = self._read(call, sent.answer)
            except ExchangeError as error:
                sent.failure = error
        self._note(call, sent)
        return sent

    def _note(self, call: Call, sent: _Sent) -> None:
        if not call.is_of_genie:
            return
        if sent.body is not None:
            self._health.note_usable(sent.number)
        elif sent.failure is None:
            pass  # a refusal says nothing until something else was asked
        elif sent.failure.answer is not None and sent.failure.answer.status == _TOO_MANY_REQUESTS:
            self._health.note_reached()
        elif not isinstance(sent.failure, BodyTooLargeError):
            self._health.note_unusable(call.operation, is_slow=is_timeout(sent.failure))

    async def _attempt(self, call: Call, token: Secret, attempt: int, sent_at: float) -> Answer:
        """Send one request; tell the limiter what came back.

        Raises:
            ExchangeError: no answer, an unreadable one, or a status that says to try again.
        """
        self._stats.calls_by_operation[call.operation] += 1
        self._note_token(token)
        status: object = "no answer"
        try:
            answer = await exchange(
                self._session,
                "GET",
                URL(self._host + call.target(), encoded=True),
                headers=self._headers,
                authorization=bearer_header(token),
                max_body_bytes=self._settings.max_body_bytes,
            )
            status = answer.status
        finally:
            if logger.isEnabledFor(logging.DEBUG):
                milliseconds = (self._clock.monotonic() - sent_at) * 1_000
                logger.debug("GET %s %s %.0f ms attempt %d", call.template, status, milliseconds, attempt)
        self._stats.bytes_received += answer.wire_bytes
        if answer.status == _TOO_MANY_REQUESTS:
            self._stats.throttled += 1
            self._limiter.on_throttled(retry_after_seconds(answer, now=self._clock.now()), sent_at=sent_at)
        else:
            self._limiter.on_success()
        if answer.is_redirect or is_retryable(answer.status):
            raise RetryableStatusError(answer)
        return answer

    def _note_token(self, token: Secret) -> None:
        if token is not self._token:
            self._token = token
            self._stats.tokens += 1

    def _read(self, call: Call, answer: Answer) -> dict[str, Any] | None:
        """Return the body of a 200, None for a refusal.

        Raises:
            NotJsonError: the body is not what Genie sends, so the call may be tried again.
        """
        # A refusal changes what is stored (forbidden, deleted), so it counts only as JSON, as Databricks sends it. A proxy's page with
        # the same status is a disturbance.
        body = parse_json_object(answer)
        if answer.status != _OK:
            return None
        if call.expects and not any(name in body for name in call.expects) and (body or not call.may_be_empty):
            raise NotJsonError("the answer's JSON is not one of Genie", answer)
        return body

    async def _wait_or_give_up(self, call: Call, failure: ExchangeError, attempts: Attempts) -> None:
        """Wait until the next attempt is due, or raise the error of the call, or of the workspace, if there is none."""
        must_decide = call.is_of_genie and self._health.must_decide
        is_listing = call.operation == LISTING.operation
        if must_decide and (not is_listing or is_hopeless(failure)):
            await self._decide(failure)
        delay = attempts.delay_seconds(failure)
        is_busy = failure.answer is not None and failure.answer.status == _TOO_MANY_REQUESTS
        # If listing fails, the next call decides: then two different things had no answer.
        if delay is None or (must_decide and is_listing):
            if is_listing and self._settings.listing_decides and not is_busy:
                self._give_up(explain_failure(failure, hidden=self._hidden()))
            self._fail(call, failure, attempts)
        self._stats.retries += 1
        if not is_busy:
            await self._clock.sleep(delay)  # after a 429 the limiter lets every call wait, this one too

    async def _decide(self, failure: ExchangeError) -> None:
        """Give the workspace up, after several requests without a usable answer, unless listing its spaces works.

        Raises:
            WorkspaceError: if it does not.
        """
        async with self._asking_again:
            self._check_not_given_up()
            if not self._health.must_decide:
                return
            if not is_hopeless(failure) and LISTING.operation not in self._health.failed_operations:
                sent = await self._ask_listing(self._new_attempts())
                if sent.body is not None:
                    return
                if sent.failure is None and sent.answer is not None:
                    self._give_up(explain(sent.answer, hidden=self._hidden()))
            self._give_up(explain_failure(failure, hidden=self._hidden()))

    async def _ask_again(self, call: Call, refused: _Sent) -> bool:
        """Find out whether a refusal is about the call. Return whether to repeat the call, because the token was the cause.

        Raises:
            WorkspaceError: if the workspace refuses everything.
            TransientApiError: if it cannot be found out now.
        """
        async with self._asking_again:
            self._check_not_given_up()
            if refused.token is not self._token:
                return True
            if self._health.answered_since(refused.number):
                return False
            sent = refused if call.operation == LISTING.operation else await self._list(call)
            if sent.body is not None:
                return False
            self._tokens.invalidate(sent.token)
            again = await self._list(call)
            if again.answer is not None and again.body is None:
                self._give_up(explain(again.answer, hidden=self._hidden()))
            return True

    async def _list(self, call: Call) -> _Sent:
        """List the spaces, which needs no more than a workspace that can be used.

        Raises:
            TransientApiError: if there is no answer to tell by.
        """
        attempts = self._new_attempts()
        while True:
            sent = await self._ask_listing(attempts)
            if sent.failure is None:
                return sent
            if attempts.count >= _LISTINGS_AT_MOST:
                cause = "refused, and the workspace did not say whether it refuses everything"
                raise self._error(TransientApiError, call, attempts=1, answer=sent.failure.answer, cause=cause)
            await self._clock.sleep(attempts.delay_seconds(sent.failure) or 0.0)

    async def _ask_listing(self, attempts: Attempts) -> _Sent:
        sent = await self._send(LISTING, attempts, is_alone=True)
        assert sent is not None  # noqa: S101  # it does not wait for the others
        return sent

    def _new_attempts(self) -> Attempts:
        return Attempts(self._retry, self._clock, self._rng)

    def _fail(self, call: Call, failure: ExchangeError, attempts: Attempts) -> NoReturn:
        kind = TransientApiError if is_retryable(failure) else ApiError
        cause = "" if isinstance(failure, RetryableStatusError) else str(failure)
        error = self._error(kind, call, attempts=attempts.count, answer=failure.answer, cause=cause)
        raise error from without_frames(failure)

    def _refusal(self, call: Call, sent: _Sent, attempts: Attempts) -> ApiError:
        status = sent.answer.status if sent.answer is not None else 0
        return self._error(_ERRORS_BY_STATUS.get(status, ApiError), call, attempts=attempts.count, answer=sent.answer)

    def _give_up(self, refusal: Refusal) -> NoReturn:
        self._given_up = refusal
        self._check_not_given_up()
        raise AssertionError("given up")

    def _check_not_given_up(self) -> None:
        if self._given_up is not None:
            # A new error each time: a shared one would collect the tracebacks of all callers.
            raise self._given_up.error(workspace_id=self._workspace_id, host=self._host)

    def _hidden(self) -> tuple[Secret, ...]:
        return (self._token,) if self._token is not None else ()

    def _error(
        self, kind: type[ApiError], call: Call, *, attempts: int, answer: Answer | None = None, cause: str = ""
    ) -> ApiError:
        """Return the error of a call, with what the service said and `cause` in our words."""
        body: Mapping[str, Any] = {}
        if answer is not None and answer.status != _OK:  # the body of a 200 holds users' text
            try:
                body = parse_json_object(answer)
            except ExchangeError:
                body = {}
        code = body.get("error_code")
        return kind(
            method="GET",
            path_template=call.template,
            ids=call.ids,
            status=answer.status if answer is not None else None,
            error_code=clean_text(code, hidden=self._hidden()) if code else None,
            attempts=attempts,
            request_id=_request_id(answer),
            api_message=clean_text(body.get("message") or "", hidden=self._hidden()),
            cause=cause,
        )


def _request_id(answer: Answer | None) -> str | None:
    if answer is None:
        return None
    return next((answer.headers[name] for name in _REQUEST_ID_HEADERS if name in answer.headers), None)
