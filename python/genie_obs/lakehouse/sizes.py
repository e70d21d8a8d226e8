"""How large rows are, before they are handed to an engine."""

from __future__ import annotations

from collections.abc import Iterable


def text_bytes(values: Iterable[object]) -> int:
    """Return how many bytes the texts among the values of a row take as UTF-8, those in lists included."""
    size = 0
    for value in values:
        if isinstance(value, str):
            size += len(value) if value.isascii() else len(value.encode())
        elif isinstance(value, list):
            size += text_bytes(value)
    return size
