"""Reads whole conversations: the page shows them when a row of a message is opened."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from genie_obs.preview.query.columns import columns_of
from genie_obs.preview.query.parameters import BoundSql
from genie_obs.preview.query.results import Rows


def transcript_statement(conversation_ids: Sequence[str], workspace_id: str = "") -> BoundSql:
    """Return the statement that reads conversations, of one workspace only if it is named."""
    file = resources.files("genie_obs.preview.page").joinpath("select_transcript.sql")
    sql = file.read_text(encoding="utf-8").strip()
    return BoundSql(sql, {"conversation_ids": ",".join(conversation_ids), "workspace_id": workspace_id})


def messages_of(rows: Rows) -> list[dict[str, Any]]:
    """Return rows as objects by column name. Instants are milliseconds since 1970 (UTC)."""
    names = rows.table.column_names
    columns = columns_of(rows.table, names, range(len(names)))
    return [dict(zip(names, values, strict=True)) for values in zip(*(c.values for c in columns), strict=True)]
