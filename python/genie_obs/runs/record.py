"""The record of one run, as stored in `ingestion_runs` and printed by `--json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from genie_obs._version import __version__
from genie_obs.drift import DriftCounter
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables


@dataclass(kw_only=True)
class RunRecord:
    """One row of `ingestion_runs`; the columns are documented in its declaration. Instants are UTC."""

    run_id: str
    started_at: datetime
    engine: str
    started_date: date = field(init=False)
    finished_at: datetime | None = None
    status: str = "running"
    version: str = __version__
    workspace_ids: list[str] | None = None
    space_ids: list[str] | None = None
    window_start: datetime | None = None
    watermark_before: datetime | None = None
    watermark_after: datetime | None = None
    oldest_stored_date: date | None = None
    audit_event_count: int = 0
    witnessed_count: int = 0
    new_message_count: int = 0
    due_count: int = 0
    fetched_count: int = 0
    settling_count: int = 0
    retry_count: int = 0
    forbidden_count: int = 0
    deleted_count: int = 0
    not_found_count: int = 0
    abandoned_count: int = 0
    unread_count: int = 0
    read_elsewhere_count: int = 0
    spaces_read_count: int = 0
    statements_joined_count: int = 0
    statements_missing_count: int = 0
    api_call_count: int = 0
    message_call_count: int = 0
    predicted_call_count: int = 0
    api_retry_count: int = 0
    throttled_count: int = 0
    discover_seconds: float | None = None
    fetch_seconds: float | None = None
    merge_seconds: float | None = None
    enrich_seconds: float | None = None
    total_seconds: float | None = None
    drift: DriftCounter = field(default_factory=DriftCounter)
    workspace_errors: list[str] = field(default_factory=list)
    error: str | None = None
    alive_at: datetime | None = None

    def __post_init__(self) -> None:
        self.started_date = self.started_at.astimezone(UTC).date()
        self.alive_at = self.alive_at or self.started_at

    def begin(self, tables: Tables) -> None:
        """Write the record for the first time."""
        self._merge(tables, only_new=True)

    def save(self, tables: Tables) -> None:
        """Write the record as it is now; safe to repeat."""
        self._merge(tables)

    def _merge(self, tables: Tables, *, only_new: bool = False) -> None:
        row = pa.Table.from_pylist([self.to_row()], table("ingestion_runs").arrow_schema())
        tables.execute("runs/merge_run", only_new=only_new, run_record=row, started_dates=[self.started_date])

    def to_row(self) -> dict[str, Any]:
        """Return the record's columns and their values."""
        return {**asdict(self), "drift": self.drift.lines()}

    def to_json(self) -> str:
        """Return the record as one line of JSON; instants in ISO 8601."""
        return json.dumps(self.to_row(), default=_plain, ensure_ascii=False)


def _plain(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
