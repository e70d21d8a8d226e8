"""One HTTP request and its answer: no redirect is followed, and no more of the body is read than allowed.

It knows nothing of Genie, OAuth or retries. What aiohttp raises becomes one of a few errors of our own.
"""

import asyncio
import traceback
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from genie_obs import json_text
from genie_obs._version import __version__
from genie_obs.secret import Secret

USER_AGENT = f"genie-obs/{__version__}"
"""Stands in `system.access.audit.user_agent` of what we read: so our own reads are not taken for a user's."""
JSON_HEADERS: Mapping[str, str] = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}

_AnyError = TypeVar("_AnyError", bound=BaseException)
_GZIP_WINDOW_BITS = 31
_AUTHORIZATION = "Authorization"
_CONTENT_TYPE = "Content-Type"


class NoAnswerKind(StrEnum):
    """Why no HTTP answer came."""

    DNS = "DNS"
    REFUSED = "refused"
    TLS = "TLS"
    TIMEOUT = "time-out"
    LOST = "connection lost"


@dataclass(slots=True)
class Answer:
    """What came back; its body may hold a token or a user's text."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)  # decompressed
    wire_bytes: int  # size of the body as it was sent, compressed

    @property
    def is_redirect(self) -> bool:
        """Whether it points to another address; nobody follows it."""
        return 300 <= self.status < 400  # noqa: PLR2004  # the redirect class


class ExchangeError(Exception):
    """A request had no usable answer. The text is safe to show; `answer` is what came back, None if nothing did."""

    answer: Answer | None = None


class NoAnswerError(ExchangeError):
    """No complete HTTP answer came: the host was not found, not reached, or fell silent."""

    def __init__(self, kind: NoAnswerKind, text: str) -> None:
        self.kind = kind
        super().__init__(text)


class NotJsonError(ExchangeError):
    """An answer came, but its body is no complete JSON object; usually it is a proxy's page, or the connection was cut."""

    def __init__(self, text: str, answer: Answer | None = None) -> None:
        self.answer = answer
        super().__init__(text)


class RetryableStatusError(ExchangeError):
    """An answer came, and its status says to try again."""

    answer: Answer

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"the service answered {answer.status}")


class BodyTooLargeError(ExchangeError):
    """The body, decompressed, is larger than allowed."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"answer larger than {limit_bytes} bytes")


async def exchange(
    session: aiohttp.ClientSession,
    method: str,
    url: URL,
    *,
    headers: Mapping[str, str],
    max_body_bytes: int,
    authorization: Secret | None = None,
    data: bytes | None = None,
) -> Answer:
    """Send one request and read its whole answer, within the session's time-outs.

    Args:
        session: may hold connections to several hosts.
        method: GET or POST.
        url: already encoded.
        headers: without the credentials.
        max_body_bytes: of the answer, decompressed.
        authorization: value of the Authorization header, if there is one.
        data: the request's body.

    Raises:
        NoAnswerError: nothing came back, or not everything.
        NotJsonError: the body was cut off or cannot be decompressed.
        BodyTooLargeError: the body is larger than `max_body_bytes`.
    """
    try:
        async with session.request(
            method,
            url,
            headers=headers,
            data=data,
            middlewares=(_authorize_by(authorization),) if authorization is not None else (),
            allow_redirects=False,
            auto_decompress=False,
        ) as response:
            raw = await _read_bounded(response, max_body_bytes)
            body = _decompress(raw, response.headers.get("Content-Encoding", ""), max_body_bytes)
            return Answer(response.status, response.headers, body, len(raw))
    except aiohttp.ClientPayloadError as error:
        raise NotJsonError("the answer's body was cut off") from without_frames(error)
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        raise _name_failure(error) from without_frames(error)


def _authorize_by(authorization: Secret) -> aiohttp.ClientMiddlewareType:
    """Return what puts the Authorization header on a request, and takes it off again when the answer begins.

    Before and after, no variable holds the header as plain text. Errors lose the frames in which one held it meanwhile.
    """

    async def send(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.headers[_AUTHORIZATION] = authorization.reveal()
        try:
            return await handler(request)
        except BaseException as error:
            if not isinstance(error, aiohttp.ClientError | OSError | asyncio.CancelledError):
                error.add_note(f"in the HTTP library: {traceback.extract_tb(error.__traceback__)[-1]}")
            without_frames(error)
            raise
        finally:
            del request.headers[_AUTHORIZATION]

    return send


def without_frames(error: _AnyError) -> _AnyError:
    """Return an error without traceback, and its causes without theirs.

    A frame that it came through may hold the request as it was sent, or the answer.
    """
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = link.__context__ = None
        link = link.__cause__
    return error


async def _read_bounded(response: aiohttp.ClientResponse, max_body_bytes: int) -> bytes:
    """Return the body as it was sent; if it is too long, the connection is closed, as the rest of it is still to come."""
    length = response.content_length
    if length is None:
        chunks: list[bytes] = []
        size = 0
        while size <= max_body_bytes and (chunk := await response.content.readany()):
            size += len(chunk)
            chunks.append(chunk)
        if size <= max_body_bytes:
            return b"".join(chunks)
    elif length <= max_body_bytes:
        return await response.read()
    response.close()
    raise BodyTooLargeError(max_body_bytes)


def _decompress(raw: bytes, encoding: str, max_body_bytes: int) -> bytes:
    """Undo gzip up to a size; aiohttp's own decompression has no limit."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"} or not raw:
        return raw
    if encoding not in {"gzip", "x-gzip"}:
        raise NotJsonError("the answer's content encoding is not one we asked for")
    body = bytearray()
    while raw:  # a gzip body may have several members
        member = zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
        try:
            body += member.decompress(raw, max_body_bytes - len(body) + 1)
        except zlib.error:
            raise NotJsonError("the answer's gzip data is damaged") from None
        if len(body) > max_body_bytes:
            raise BodyTooLargeError(max_body_bytes)
        if not member.eof:
            raise NotJsonError("the answer's body was cut off")
        raw = member.unused_data
    return bytes(body)


def parse_json_object(answer: Answer) -> dict[str, Any]:
    """Return the answer's JSON object.

    Raises:
        NotJsonError: another content type, invalid UTF-8, malformed, cut off, or not an object. Its text holds nothing of
            the body.
    """
    content_type = answer.headers.get(_CONTENT_TYPE)
    if content_type is not None and "json" not in content_type.lower():
        raise NotJsonError("the answer is not JSON but another content type", answer)
    try:
        parsed = json_text.decode(answer.body)
    except (ValueError, RecursionError):
        # From None: the error of the standard library holds the whole document, and so users' text.
        raise NotJsonError("the answer's body is not valid JSON", answer) from None
    if not isinstance(parsed, dict):
        raise NotJsonError("the answer's JSON is not an object", answer)
    return parsed


# The first that fits counts, as aiohttp's classes overlap. The kinds of time-out have different remedies.
_FAILURES: tuple[tuple[type[Exception], NoAnswerKind, str], ...] = (
    (aiohttp.ClientConnectorCertificateError, NoAnswerKind.TLS, "the TLS certificate is not trusted"),
    (aiohttp.ClientSSLError, NoAnswerKind.TLS, "the TLS handshake failed"),
    (aiohttp.ConnectionTimeoutError, NoAnswerKind.TIMEOUT, "time-out while connecting"),
    (TimeoutError, NoAnswerKind.TIMEOUT, "time-out while waiting for the answer"),
    (aiohttp.ClientConnectorDNSError, NoAnswerKind.DNS, "the host name cannot be resolved (DNS)"),
)


def _name_failure(error: Exception) -> NoAnswerError:
    """Return an error that says in one line why no answer came."""
    for kind_of_error, kind, text in _FAILURES:
        if isinstance(error, kind_of_error):
            return NoAnswerError(kind, text)
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return NoAnswerError(NoAnswerKind.REFUSED, "the connection was refused")
    return NoAnswerError(NoAnswerKind.LOST, f"the connection failed or was closed ({type(error).__name__})")
