"""Names and ids that come from outside: what they may look like, and how a name is quoted in SQL."""

from __future__ import annotations

import re

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_identifier(text: str) -> bool:
    """Say whether text may be used as the name of a catalog, a schema or a table."""
    return bool(_IDENTIFIER.fullmatch(text))


def is_id(text: str) -> bool:
    """Say whether text looks like an id of Databricks: of a workspace, a space or a message."""
    return bool(_ID.fullmatch(text))


def quote_identifier(text: str) -> str:
    """Return text as a quoted identifier of SQL.

    Raises:
        ValueError: if it is not a plain identifier.
    """
    if not is_identifier(text):
        raise ValueError(f"{text!r} is not an identifier")
    return f"`{text}`"
