"""Turns JSON of the Genie API into values and back: with msgspec, or with the standard library where msgspec is too strict.

The service's text may hold lone surrogates. JSON allows them, UTF-8 does not, and msgspec refuses them both ways. Integers of any
length stay exact. A number too large for a float becomes its text, and so do NaN and Infinity, which are not JSON.
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
    """Return the value of a UTF-8 document. Its floats are finite.

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
    return number if math.isfinite(number) else literal  # JSON cannot write infinity


def encode(value: object) -> str:
    """Return a value that came from JSON as compact JSON. Characters are not escaped, and lone surrogates stay.

    Raises:
        RecursionError: nested about a thousand levels deep.
        ValueError: a number of thousands of digits.
    """
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError:
        return _LENIENT_ENCODER.encode(value)


def to_json(value: Any) -> str | None:
    """Return a value as compact JSON that UTF-8 can hold; None if it is nested too deep, or holds a number that is too long."""
    try:
        return escape_lone_surrogates(encode(value))
    except (RecursionError, ValueError):
        return None  # nested about a thousand levels deep, or a number of thousands of digits; `find_drift` names it


def to_text(value: Any) -> str | None:
    """Return a text that UTF-8 can hold. A value of another type becomes its JSON; None and JSON that is too deep become None."""
    if value is None:
        return None
    return escape_lone_surrogates(value) if isinstance(value, str) else to_json(value)


def escape_lone_surrogates(text: str) -> str:
    """Return text that UTF-8 can hold: each lone surrogate becomes an escape of six characters."""
    if text.isascii():
        return text
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
