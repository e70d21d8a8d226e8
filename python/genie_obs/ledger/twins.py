"""Two ledger rows for one message: how two runs at once can make them, and how one of them is removed.

A row is stored under the day of the first event that was seen of its message. An event may arrive late in the audit log. Then two runs
at once see different first events and store two rows under two days. For example, run 1 reads the rating of March 12. Then the question
of March 2 arrives, and run 2 reads both. Run 1 inserts under March 12, run 2 under March 2. The run that inserts second finds both rows
and keeps the earlier one. An outcome for the removed row changes nothing; the message is asked for once more.
"""

from __future__ import annotations

import logging
from datetime import datetime
from itertools import groupby

import pyarrow as pa

from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.lookup import WITNESS_COLUMNS
from genie_obs.ledger.rows import key_of

logger = logging.getLogger(__name__)

_COLUMNS = (*WITNESS_COLUMNS, "witnessed_date")


def join_twins(tables: Tables, *, since: datetime, now: datetime) -> int:
    """Keep one row of each message that has several among the rows changed since an instant. Return how many rows were removed."""
    later: list[Row] = []
    known: list[Row] = []
    for _, rows in groupby(tables.rows("ledger/select_twins", since=since), key=key_of):
        first, *others = rows
        later += others
        known += [{**other, "witnessed_date": first["witnessed_date"]} for other in others]
    if not later:
        return 0
    schema = table("message_ledger").arrow_schema(*_COLUMNS)
    # First keep what the rows know, then remove them: if the run dies in between, the next one finds them again.
    for row in known:  # one at a time: a MERGE takes one source row per target row, and they are few
        witness = pa.Table.from_pylist([row], schema)
        tables.execute(
            "ledger/merge_witnesses",
            witnessed_messages=witness,
            witnessed_dates=[row["witnessed_date"]],
            updated_at=now,
        )
    dates = sorted({row["witnessed_date"] for row in later})
    tables.execute("ledger/merge_twins", twins=pa.Table.from_pylist(later, schema), witnessed_dates=dates)
    logger.warning("%d messages had two rows in the ledger, as two runs found them at once; one is kept", len(later))
    return len(later)
