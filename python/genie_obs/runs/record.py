"""The record of one run, as stored in `ingestion_runs` and printed by `--json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from genie_obs._version import __version__
from genie_obs.drift import DriftKind
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.sources import SourceState
from genie_obs.lakehouse.tables import Tables
from genie_obs.runs.dataset import StepResult

# The steps whose seconds also have a column of their own.
_SECONDS_COLUMNS = {"events": "discover_seconds", "messages": "fetch_seconds", "statements": "enrich_seconds"}


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """What one step of the run did: an element of `ingestion_runs.steps`."""

    name: str
    seconds: float
    rows: int | None = None
    calls: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One row of `ingestion_runs`; the columns are documented in its declaration. Instants are UTC.

    A record does not change: `after` returns the next one, with the result of a step added.
    Counts say what this run did. What it could not find out is NULL.
    """

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
    late_event_count: int | None = None  # NULL: the audit log was not read
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
    statements_joined_count: int | None = None  # NULL: the query history was not read
    statements_missing_count: int | None = None
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
    sources: tuple[SourceState, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    drift: tuple[str, ...] = ()
    drift_kinds: tuple[DriftKind, ...] = ()
    workspace_errors: tuple[str, ...] = ()
    error: str | None = None
    alive_at: datetime | None = None
    is_deadline_reached: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "started_date", self.started_at.astimezone(UTC).date())

    def after(self, name: str, result: StepResult, *, seconds: float) -> RunRecord:
        """Return the record with one more step. The numbers of the step are added to the columns of the same name."""
        step = StepRecord(name=name, seconds=seconds, rows=result.rows, calls=result.calls)
        numbers: dict[str, Any] = {
            column: _sum(getattr(self, column), value) for column, value in result.numbers.items()
        }
        errors = (*self.workspace_errors, *result.workspace_errors)
        if column := _SECONDS_COLUMNS.get(name):
            numbers[column] = seconds
        return replace(self, **numbers, **result.facts, steps=(*self.steps, step), workspace_errors=errors)

    def store(self, tables: Tables, *, is_new: bool = False) -> None:
        """Write the record as it is; safe to repeat. `is_new` says that the run has no stored record yet."""
        row = pa.Table.from_pylist([self.to_row()], table("ingestion_runs").arrow_schema())
        tables.merge("ingestion_runs", row, expect_new=is_new)

    def to_row(self) -> dict[str, Any]:
        """Return the record's columns and their values."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the record as one line of JSON; instants in ISO 8601."""
        return json.dumps(self.to_row(), default=_plain, ensure_ascii=False)


def describe_deadline(record: RunRecord) -> str:
    """Return a sentence about a run that stopped at its deadline."""
    count = record.unread_count
    return f"stopped at its deadline: {count:,} message{'s are' if count != 1 else ' is'} left for the next run"


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _plain(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
