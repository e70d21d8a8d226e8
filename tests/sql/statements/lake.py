"""A lakehouse on the local engine whose tables each test fills anew, and the rows they are filled with.

Rows go in and come out through `deltalake`, another implementation than the engine under test.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from genie_obs.config import EngineSettings
from genie_obs.datasets.messages.parsing.known_values import TERMINAL_STATUSES
from genie_obs.lakehouse.engines.engine import open_engine
from genie_obs.lakehouse.schema import table, tables
from genie_obs.lakehouse.statements import our_tables
from genie_obs.lakehouse.tables import Input, Tables
from genie_obs.simulator.schemas import AUDIT, QUERY_HISTORY, WORKSPACES

Row = dict[str, Any]

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
TODAY = NOON.date()
IDS = {"space_id": "s1", "conversation_id": "c1", "message_id": "m1"}
CLIENT_ID = "11111111-2222-3333-4444-555555555555"

_EVENT_NUMBERS = itertools.count(1)
_SYSTEM_TABLES = {"access/audit": AUDIT, "access/workspaces_latest": WORKSPACES, "query/history": QUERY_HISTORY}
_FLAGS = pa.schema([("is_terminal", pa.bool_())])
_KEY = ("workspace_id", "message_id", "event_id")


class Lake:
    """One engine over one folder; `fill` replaces what a table holds."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for name, schema in _SYSTEM_TABLES.items():
            partitions = ["event_date"] if name == "access/audit" else None
            write_deltalake(self._folder(name), schema.empty_table(), partition_by=partitions, mode="ignore")
        self._engine = open_engine(EngineSettings(lakehouse=root))
        self.tables = Tables(self._engine)
        self.tables.create()
        self._empty = {name: self.version(name) for name in (*our_tables(), *_SYSTEM_TABLES)}

    def close(self) -> None:
        self._engine.close()

    def clear(self) -> None:
        """Empty every table that is no longer as `clear` left it."""
        for name, version in self._empty.items():
            if self.version(name) != version:
                self.fill(name)
                self._empty[name] = self.version(name)

    def fill(self, name: str, *rows: Row) -> None:
        """Let a table hold these rows and no others; columns not given are NULL."""
        schema = _SYSTEM_TABLES.get(name) or table(name).arrow_schema()
        unknown = {column for row in rows for column in row} - set(schema.names)
        assert not unknown, f"{name} has no column {unknown}"
        write_deltalake(self._folder(name), pa.Table.from_pylist(list(rows), schema), mode="overwrite")

    def read(self, name: str) -> list[Row]:
        """Return all rows, in the order of their keys."""
        rows: list[Row] = self._delta(name).to_pyarrow_table().to_pylist()
        return sorted(rows, key=lambda row: tuple(str(row.get(column)) for column in (*_KEY, "space_id", "run_id")))

    def only(self, name: str) -> Row:
        [row] = self.read(name)
        return row

    def version(self, name: str) -> int:
        version: int = self._delta(name).version()
        return version

    def select(self, statement: str, **values: Input) -> list[Row]:
        return self.tables.rows(statement, **values)

    def merge_witnesses(self, *rows: Row, at: datetime = NOON, expect_new: bool = False) -> int:
        return self.tables.execute(
            "ledger/merge_witnesses",
            expect_new=expect_new,
            witnessed_messages=_relation("message_ledger", rows),
            witnessed_dates=[row["witnessed_date"] for row in rows],
            updated_at=at,
        )

    def merge_messages(self, *rows: Row, at: datetime = NOON + DAY, expect_new: bool = False) -> int:
        schema = pa.unify_schemas([table("message_details").arrow_schema(), _FLAGS])
        fetched = pa.Table.from_pylist(list(rows), schema)
        return self.tables.merge(
            "message_details",
            fetched,
            expect_new=expect_new,
            latest_credible_at=at,
            terminal_statuses=sorted(TERMINAL_STATUSES),
        )

    def merge_outcomes(self, *rows: Row, at: datetime = NOON + DAY) -> None:
        self.tables.execute(
            "ledger/merge_outcomes",
            message_outcomes=_relation("message_ledger", rows),
            witnessed_dates=[row["witnessed_date"] for row in rows],
            latest_credible_at=at,
        )

    def merge_each(
        self, target: str, merge: Callable[..., object], cases: Mapping[str, tuple[Row, Row]]
    ) -> dict[str, Row]:
        """Merge many independent cases at once and return the row of each: the name of a case is its message_id.

        One MERGE takes as long as another, however many rows it has, so this is what keeps these tests fast.
        """
        self.fill(target, *({**known, "message_id": name} for name, (known, _) in cases.items()))
        merge(*({**new, "message_id": name} for name, (_, new) in cases.items()))
        return {row["message_id"]: {**row, "message_id": IDS["message_id"]} for row in self.read(target)}

    def store_events(
        self,
        from_date: date = TODAY,
        until_date: date = TODAY,
        *,
        workspace_ids: tuple[str, ...] = (),
        client_id: str = CLIENT_ID,
        at: datetime = NOON,
    ) -> None:
        """Store the events of the audit log, as a run that starts at an instant does."""
        days = [from_date + n * DAY for n in range((until_date - from_date).days + 1)]
        self.tables.merge_from(
            "genie_events",
            "datasets/events/select_new_events",
            from_date=from_date,
            until_date=until_date,
            workspace_ids=workspace_ids,
            client_id=client_id,
            ingested_at=at,
            event_dates=days,
        )

    def merge_statements(self, *rows: Row) -> None:
        statements = _relation("message_details", rows)
        dates = [row["created_date"] for row in rows]
        self.tables.execute("datasets/statements/merge_statements", joined_statements=statements, created_dates=dates)

    def merge_spaces(self, *rows: Row) -> None:
        self.tables.merge("space_details", _relation("space_details", rows))

    def _folder(self, name: str) -> Path:
        return self._root / "system" / name if "/" in name else self._root / "main" / "genie_analytics" / name

    def _delta(self, name: str) -> DeltaTable:
        return DeltaTable(str(self._folder(name)))


def _relation(target: str, rows: Sequence[Row]) -> pa.Table:
    """Return rows with those columns that any of them has, as the job hands them over."""
    names = {column for row in rows for column in row}
    return pa.Table.from_pylist(list(rows), table(target).arrow_schema(*names))


def audit_event(action_name: str = "getConversationMessage", *, at: datetime = NOON, **values: Any) -> Row:
    """Return an audit row; `email`, `subject`, `params`, `status_code` and `result` fill the nested columns."""
    event = {
        "workspace_id": "1",
        "service_name": "aibiGenie",
        "user_agent": "Mozilla/5.0",
        "event_time": at,
        "event_date": at.date(),
        "action_name": action_name,
        "event_id": f"event-{next(_EVENT_NUMBERS)}",
        "user_identity": {"email": values.pop("email", "ana@example.com"), "subject_name": values.pop("subject", None)},
        "request_params": list(values.pop("params", {}).items()),
        "response": {
            "status_code": values.pop("status_code", 200),
            "error_message": None,
            "result": values.pop("result", None),
        },
    }
    return {**event, **values}


def ledger_row(**values: Any) -> Row:
    """Return the ledger row of a message that was fetched an hour after it was asked."""
    return {
        "workspace_id": "1",
        **IDS,
        "witnessed_date": TODAY,
        "first_event_time": NOON,
        "last_write_event_time": NOON,
        "witnesses": ["createConversationMessage"],
        "user_email": "ana@example.com",
        "state": "fetched",
        "reason_code": None,
        "state_reason": None,
        "http_status": 200,
        "attempts": 1,
        "next_attempt_at": None,
        "last_attempt_at": NOON + HOUR,
        "created_date": TODAY,
        "updated_at": NOON + HOUR,
        **values,
    }


def details_row(**values: Any) -> Row:
    """Return a complete row of message_details: every column has a value."""
    return {
        "workspace_id": "1",
        **IDS,
        "workspace_name": "sales",
        "space_name": "Orders",
        "user_id": "77",
        "user_email": "ana@example.com",
        "content": "How many orders?",
        "status": "COMPLETED",
        "created_timestamp": 1_795_176_000_000,
        "updated_timestamp": 1_795_176_030_000,
        "created_at": NOON,
        "created_date": TODAY,
        "query_sql": "SELECT COUNT(*) FROM orders",
        "query_title": "Orders",
        "query_description": "Counts orders",
        "statement_id": "st1",
        "query_row_count": 1,
        "statement_ids": ["st0", "st1"],
        "answer_text": "There are 7.",
        "clarification_text": "Which year?",
        "suggested_questions": ["And per month?"],
        "attachments_count": 3,
        "attachments_json": '[{"query": {}}]',
        "feedback_rating": "POSITIVE",
        "feedback_comment": "nice",
        "error_type": "SOME_EXCEPTION",
        "error_message": "went wrong",
        "query_execution_status": "FINISHED",
        "query_duration_ms": 1_200,
        "query_start_time": NOON + SECOND,
        "query_end_time": NOON + 2 * SECOND,
        "query_warehouse_id": "w1",
        "query_read_rows": 100,
        "query_read_bytes": 4_096,
        "query_produced_rows": 1,
        "query_from_result_cache": False,
        "query_error_message": "statement failed",
        "content_policy": "full",
        "is_deleted": False,
        "api_fetch_timestamp": NOON + HOUR,
        "ingestion_timestamp": NOON + HOUR,
        "ingestion_batch_id": "run1",
        **values,
    }


QUERY_COLUMNS = tuple(
    name
    for name in table("message_details").arrow_schema().names
    if name.startswith("query_") and name not in {"query_sql", "query_title", "query_description", "query_row_count"}
)


def fetched_message(**values: Any) -> Row:
    """Return what a later run hands over for `details_row`: the same answer, fetched an hour later."""
    later = {
        "is_terminal": True,
        "api_fetch_timestamp": NOON + 2 * HOUR,
        "ingestion_timestamp": NOON + 2 * HOUR,
        "ingestion_batch_id": "run2",
    }
    row = {**details_row(), **later, **values}
    return {name: value for name, value in row.items() if name not in QUERY_COLUMNS}


def space_row(**values: Any) -> Row:
    return {
        "workspace_id": "1",
        "space_id": "s1",
        "title": "Orders",
        "description": "All orders",
        "warehouse_id": "w1",
        "parent_path": "/Workspace/Shared",
        "serialized_space": '{"version":2}',
        "space_created_at": NOON - 9 * DAY,
        "space_updated_at": NOON - DAY,
        "etag": "e1",
        "content_policy": None,
        "state": "readable",
        "state_reason": None,
        "http_status": 200,
        "fetched_at": NOON,
        "updated_at": NOON,
        "reason_code": None,
        "went_state": None,
        "went_at": None,
        "went_by": None,
        **values,
    }


def run_row(run_id: str = "run1", *, at: datetime = NOON, **values: Any) -> Row:
    """Return a run that read everything and ended well."""
    return {
        "run_id": run_id,
        "started_date": at.date(),
        "started_at": at,
        "finished_at": at + MINUTE,
        "status": "succeeded",
        "window_start": at - 30 * DAY,
        "watermark_after": at - MINUTE,
        **values,
    }


def every_table() -> tuple[str, ...]:
    return tuple(declared.name for declared in tables())


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)
