"""Turns a Genie space, as the API sends it, into the values of one row. Nothing that the service sends raises an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from genie_obs.drift import DriftCounter, json_type
from genie_obs.json_text import to_text
from genie_obs.lakehouse.arrow_rows import Row

_TEXTS = ("title", "description", "warehouse_id", "parent_path", "serialized_space", "etag")
_INSTANTS = {"space_created_at": "create_time", "space_updated_at": "update_time"}


def parse_space(space: Mapping[str, Any], drift: DriftCounter) -> Row:
    """Return the columns that the API fills. A text of another type becomes its JSON; a missing value is None.

    What had to be changed is counted in `drift`.
    """
    for name in _TEXTS:
        if not isinstance(space.get(name), str | None):
            drift.add(f"space.{name}: expected string, got {json_type(space[name])}")
    row: Row = {name: to_text(space.get(name)) for name in _TEXTS}
    for column, name in _INSTANTS.items():
        row[column] = parse_instant(space.get(name))
        if row[column] is None and space.get(name) is not None:
            drift.add(f"space.{name}: expected RFC 3339 time, got {json_type(space[name])}")
    return row


def parse_instant(value: object) -> datetime | None:
    """Return an RFC 3339 time as an aware instant, None where there is none or it cannot be read."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
