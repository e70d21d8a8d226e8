"""The receipt of an erasure, as stored in `erasures` and printed by `--json`. It describes what was erased, and holds none of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

import pyarrow as pa

from genie_obs._version import __version__
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables


@dataclass(kw_only=True)
class Receipt:
    """One row of `erasures`; the columns are documented in its declaration. Instants are UTC."""

    erasure_id: str
    started_at: datetime
    engine: str
    requested_by: str
    finished_at: datetime | None = None
    status: str = "running"
    run_id: str | None = None
    version: str = __version__
    user_hash: str | None = None
    space_id: str | None = None
    before_date: date | None = None
    workspace_ids: list[str] | None = None
    is_row_erased: bool = False
    message_count: int = 0
    stored_count: int = 0
    space_count: int = 0
    unknown_asker_count: int = 0
    versions_before: list[str] = field(default_factory=list)
    versions_after: list[str] = field(default_factory=list)
    is_vacuumed: bool = False

    def save(self, tables: Tables) -> None:
        """Write the receipt as it is now; safe to repeat."""
        tables.merge("erasures", pa.Table.from_pylist([asdict(self)], table("erasures").arrow_schema()))

    def to_json(self) -> str:
        """Return the receipt as one line of JSON; instants in ISO 8601."""
        return json.dumps(asdict(self), default=lambda value: value.isoformat(), ensure_ascii=False)


def hash_user(erasure_id: str, user: str) -> str:
    """Return what a receipt shows instead of the erased person."""
    return hashlib.sha256(f"{erasure_id}:{user}".encode()).hexdigest()
