"""What requests came to, and a merger that writes it."""

from __future__ import annotations

import pyarrow as pa
from tests.sql.statements.lake import HOUR, IDS, NOON, TODAY, Lake, Row, ledger_row
from tests.unit.fakes import FakeClock

from genie_obs.datasets.messages.merger import BatchMerger
from genie_obs.datasets.messages.shared_due import SharedDue
from genie_obs.datasets.statements.query_history import StatementFinder
from genie_obs.security.content_policy import ContentGuard, ContentSettings

ASKED_AT = NOON + 2 * HOUR


def outcome(**values: object) -> Row:
    """Return what a request two hours after the question came to."""
    return {
        "workspace_id": "1",
        **IDS,
        "witnessed_date": TODAY,
        "first_event_time": NOON,
        "last_write_event_time": NOON,
        "witnesses": ["api:list"],
        "state": "fetched",
        "reason_code": None,
        "state_reason": None,
        "http_status": 200,
        "attempts": 2,
        "next_attempt_at": None,
        "last_attempt_at": ASKED_AT,
        "created_date": TODAY,
        "updated_at": ASKED_AT,
        **values,
    }


def pending(**values: object) -> Row:
    never = {"http_status": None, "attempts": 0, "last_attempt_at": None, "created_date": None, "updated_at": NOON}
    return ledger_row(state="pending", **{**never, **values})


def make_merger(lake: Lake, *, batch_size: int = 1, is_shared: bool = False) -> tuple[BatchMerger, list[int]]:
    """Return a merger and a list that gets the number of rows in the ledger after each batch."""
    ledger_sizes: list[int] = []
    nothing = pa.table({"message_id": pa.array([], pa.string())})
    merger = BatchMerger(
        lake.tables,
        batch_size=batch_size,
        clock=FakeClock(ASKED_AT),
        statements=StatementFinder(lake.tables, ContentGuard(ContentSettings())),
        shared=SharedDue(lambda: nothing, chunk_rows=batch_size, is_shared=is_shared),
        on_merged=lambda _: ledger_sizes.append(len(lake.read("message_ledger"))),
    )
    return merger, ledger_sizes
