"""Texts that break what quotes or encodes carelessly: each engine must store them as they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from genie_obs.schema import table
from genie_obs.tables import Tables

TEXTS = {
    "quotes": """'; DROP TABLE message_details; -- "` \\' ''""",
    "NUL": "a\x00b",
    "emoji": "😀👩‍👩‍👧 ⵣ \u202e\ufeff",
    "control": "\r\n\t\x01\x7f\u2028",
    "parameters": ":created_dates ${x} {{y}} %s ?",
    "empty": "",
}
_NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def assert_texts_are_stored(on: Tables, read: Callable[[], list[dict[str, Any]]], *, long: str) -> None:
    """Merge every text twice, so that it is inserted, then compared and found unchanged, and read the table."""
    texts = {**TEXTS, "long": long}
    rows = [
        {
            "workspace_id": "1",
            "message_id": name,
            "content": text,
            "suggested_questions": [text[:1_000], ""],
            "created_date": _NOON.date(),
            "is_terminal": True,
            "is_deleted": False,
            "api_fetch_timestamp": _NOON,
            "ingestion_timestamp": _NOON,
        }
        for name, text in texts.items()
    ]
    schema = pa.unify_schemas([table("message_details").arrow_schema(), pa.schema([("is_terminal", pa.bool_())])])
    fetched = pa.Table.from_pylist(rows, schema)

    for _ in range(2):
        on.execute("merge_messages", fetched_messages=fetched, created_dates=[_NOON.date()], latest_credible_at=_NOON)

    stored = {row["message_id"]: (row["content"], row["suggested_questions"]) for row in read()}
    assert stored == {name: (text, [text[:1_000], ""]) for name, text in texts.items()}
