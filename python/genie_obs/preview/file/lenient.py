"""Reads JSON that others wrote. A value of the wrong type counts as missing; no function raises."""

from __future__ import annotations

from typing import Any


def mapping(value: object) -> dict[str, Any]:
    """Return value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list; other entries are dropped."""
    return [item for item in items(value) if isinstance(item, dict)]


def text(value: object, default: str = "") -> str:
    """Return value if it is text, else the default."""
    return value if isinstance(value, str) else default


def number(value: object) -> float | None:
    """Return value as a number if it is one, or a text that is one; else None. NaN and infinity give None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if abs(result) != float("inf") and result == result else None  # noqa: PLR0124  # NaN differs from itself


def integer(value: object, default: int) -> int:
    """Return value as a whole number if it is one, else the default."""
    found = number(value)
    return default if found is None else int(found)


def path(value: object, *keys: str) -> Any:
    """Return what is found by following keys through nested objects, or None."""
    for key in keys:
        value = mapping(value).get(key)
    return value
