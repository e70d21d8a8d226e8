"""Pages of a list, in an arbitrary order, with opaque tokens."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from genie_obs.simulator.rest_api.responses import ApiError

T = TypeVar("T")
DEFAULT_PAGE_SIZE = 20  # docs
MAX_PAGE_SIZE = 100  # docs


def page_size_of(query: dict[str, str]) -> int:
    """Return the page size that the request asks for.

    Raises:
        ApiError: 400, if it is no number from 0 (default) to 100.
    """
    text = query.get("page_size", "0") or "0"
    if not text.isdecimal() or int(text) > MAX_PAGE_SIZE:
        raise ApiError(
            400, "INVALID_PARAMETER_VALUE", f"page_size must be between 1 and {MAX_PAGE_SIZE}, got {text[:20]!r}"
        )
    return int(text) or DEFAULT_PAGE_SIZE


def take_page(
    items: Sequence[T], key: Callable[[T], str], query: dict[str, str], *, name: str, fault: str | None = None
) -> tuple[list[T], str | None]:
    """Return one page of `items` and the next token.

    The order is arbitrary but fixed. A token holds the last key, not a number of rows. So items that are added between two pages
    neither move nor repeat others. `fault` may be `empty_page` (no items, but a token) or `repeat_page_token` (the page, with the token
    of the request as the next one).
    """
    size = page_size_of(query)
    after, nonce = _decode(query.get("page_token", ""), name)
    if fault == "empty_page":
        return [], _encode(after, nonce + 1, name)
    ordered = sorted(((_shuffled(key(item)), item) for item in items), key=lambda pair: pair[0])
    rest = [pair for pair in ordered if pair[0] > after]
    page = rest[:size]
    next_token = _encode(page[-1][0], 0, name) if len(rest) > size else None
    if fault == "repeat_page_token":
        next_token = query.get("page_token") or _encode(after, 0, name)
    return [item for _, item in page], next_token


def _shuffled(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()


def _encode(after: str, nonce: int, name: str) -> str:
    return base64.urlsafe_b64encode(f"{name}|{nonce}|{after}".encode()).decode().rstrip("=")


def _decode(token: str, name: str) -> tuple[str, int]:
    if not token:
        return "", 0
    try:
        kind, nonce, after = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split("|")
        number = int(nonce)
    except (ValueError, binascii.Error) as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", "Invalid page_token") from error
    if kind != name:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", "page_token belongs to another list")
    return after, number
