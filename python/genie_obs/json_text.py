"""JSON of the Genie API to values and back: by msgspec, and by the standard library where that one is more lenient.

The service's text may hold lone surrogates, legal in JSON and impossible in UTF-8, which msgspec refuses both ways. Integers of
any length stay exact; a number too large for a float, and NaN and Infinity, which are no JSON, become their text.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LENIENT_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def decode(body: bytes) -> Any:
    """Return the value of a UTF-8 document; its floats are finite.

    Raises:
        ValueError: not UTF-8, or not JSON. The error may hold the document: never show or chain it.
        RecursionError: nested about a thousand levels deep.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError:
        return json.loads(body.decode(), parse_float=_finite, parse_constant=str)


def _finite(literal: str) -> float | str:
    number = float(literal)
    return number if math.isfinite(number) else literal  # JSON could not say it again


def encode(value: object) -> str:
    """Return a value that came out of JSON as compact JSON, characters as they are; lone surrogates stay what they are.

    Raises:
        RecursionError: nested about a thousand levels deep.
        ValueError: a number of thousands of digits.
    """
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError:
        return _LENIENT_ENCODER.encode(value)


def to_json(value: Any) -> str | None:
    """Return a value as compact JSON that UTF-8 can hold; None if it is too deep, or too long a number."""
    try:
        return escape_lone_surrogates(encode(value))
    except (RecursionError, ValueError):
        return None  # nested about a thousand levels deep, or a number of thousands of digits; `find_drift` names it


def to_text(value: Any) -> str | None:
    """Return a text that UTF-8 can hold; a value of another type as its JSON, None for nothing and for JSON that is too deep."""
    if value is None:
        return None
    return escape_lone_surrogates(value) if isinstance(value, str) else to_json(value)


def escape_lone_surrogates(text: str) -> str:
    """Return text that UTF-8 can hold: each lone surrogate as the six characters of its escape."""
    if text.isascii():
        return text
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
