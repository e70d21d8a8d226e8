"""Tables that answer with prepared rows, and rows to prepare them with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pyarrow as pa

from genie_obs.lakehouse.tables import Input, Tables

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class FakeTables:
    """Answers each statement with prepared rows, or raises the prepared error, and remembers what was asked."""

    def __init__(self, answers: Mapping[str, list[dict[str, Any]] | Exception], *, has_tables: bool = True) -> None:
        self._answers = answers
        self._has_tables = has_tables
        self.asked: list[tuple[str, dict[str, Input]]] = []
        self.executed: list[tuple[str, bool]] = []  # statement, and whether its rows are expected to be new
        self.merged: list[dict[str, Any]] = []
        self.stored: dict[str, list[dict[str, Any]]] = {}  # by table

    def has_table(self, name: str) -> bool:
        return self._has_tables

    def outdated(self) -> list[str]:
        return []

    def rows(self, statement: str, **values: Input) -> list[dict[str, Any]]:
        self.asked.append((statement, values))
        answer = self._answers.get(statement, [])
        if isinstance(answer, Exception):
            raise answer
        return [dict(row) for row in answer]

    def select(self, statement: str, **values: Input) -> pa.Table:
        rows = self.rows(statement, **values)
        return pa.Table.from_pylist(rows) if rows else pa.table({})

    def execute(self, statement: str, *, expect_new: bool = False, **values: Input) -> int:
        self.executed.append((statement, expect_new))
        if statement == "ledger/merge_witnesses":
            self.merged += cast("pa.Table", values["witnessed_messages"]).to_pylist()
        return 0

    def merge_from(self, name: str, statement: str, **values: Input) -> None:
        self.asked.append((statement, values))

    def merge(self, name: str, rows: pa.Table, *, expect_new: bool = False, **values: Input) -> int:
        self.stored[name] = rows.to_pylist()
        return 0

    def as_tables(self) -> Tables:
        return cast("Tables", self)


def days(*counts: int, deletions: int = 0, missing: int | None = None) -> list[dict[str, Any]]:
    """Return the days of the audit log from the first of November on; all of their events are missing, if nothing else is said."""
    return [
        {
            "event_date": date(2026, 11, 1) + n * DAY,
            "event_count": count,
            "missing_count": count if missing is None else missing,
            "newest_ingestion": None,
            "conversation_deletion_count": deletions,
            "newest_event_time": NOON + n * HOUR,
        }
        for n, count in enumerate(counts)
    ]


def witnessed(message_id: str, *, is_creation_seen: bool = True) -> dict[str, Any]:
    return {
        "workspace_id": "1",
        "message_id": message_id,
        "space_id": "s",
        "conversation_id": "c",
        "first_event_time": NOON,
        "last_write_event_time": NOON,
        "witnesses": ["createConversationMessage"],
        "user_email": None,
        "is_creation_seen": is_creation_seen,
    }
