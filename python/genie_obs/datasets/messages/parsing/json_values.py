"""Single values of the API's JSON to values of a column: never an error, None for what is no such value."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_SECONDS_BELOW = 100_000_000_000  # the documentation's examples are in seconds, the service sends milliseconds
_EARLIEST_MS = 946_684_800_000  # 2000-01-01
_LATEST_MS = 4_102_444_800_000  # 2100-01-01
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64_BOUND = 1 << 63
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")


def to_mapping(value: Any) -> Mapping[str, Any]:
    """Return an object, empty in place of anything else."""
    return value if isinstance(value, dict) else {}


def to_int64(value: Any) -> int | None:
    """Return an int64, which the service sends as a number or as a string."""
    if isinstance(value, str):
        value = int(value) if _INTEGER.fullmatch(value) else None
    elif isinstance(value, float):
        value = int(value) if math.isfinite(value) and value.is_integer() else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_INT64_BOUND <= value < _INT64_BOUND else None


def to_milliseconds(value: Any) -> int | None:
    """Return an instant in milliseconds since 1970 UTC; sent as milliseconds, seconds or RFC 3339, between 2000 and 2100."""
    number = to_int64(value)
    if number is None:
        return _rfc3339_ms(value)
    milliseconds = number * 1_000 if number < _SECONDS_BELOW else number
    return milliseconds if _EARLIEST_MS <= milliseconds < _LATEST_MS else None


def _rfc3339_ms(value: Any) -> int | None:
    """Read a time as text, which newer APIs of Databricks send; the one of Genie's messages has not been seen to."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if instant is None:
        return None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    try:
        milliseconds = (instant - _EPOCH) // timedelta(milliseconds=1)
    except OverflowError:  # an offset that leads out of the calendar
        return None
    return milliseconds if _EARLIEST_MS <= milliseconds < _LATEST_MS else None
