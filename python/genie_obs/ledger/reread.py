"""Marks messages in the ledger as due again, whatever state they are in."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables

_COLUMNS = ("workspace_id", "message_id", "witnessed_date")


def mark_for_rereading(tables: Tables, messages: pa.Table, *, now: datetime) -> None:
    """Let the next fetching step read these messages again. Repeating it changes nothing but the time of the mark.

    An answer that a run asked for before `now` does not take the mark away. Erased messages stay erased.

    Args:
        tables: where the ledger is.
        messages: rows of the ledger: at least workspace_id, message_id, witnessed_date.
        now: the time of the mark, UTC.
    """
    if not messages.num_rows:
        return
    schema = table("message_ledger").arrow_schema(*_COLUMNS)
    tables.execute(
        "ledger/merge_reread",
        wanted_messages=messages.select(schema.names).cast(schema),
        witnessed_dates=sorted(messages["witnessed_date"].unique().to_pylist()),
        updated_at=now,
    )
