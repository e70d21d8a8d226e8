"""Two ledger rows for one message: what two runs at once can leave behind, and how it is put right.

A row is stored under the day of the first event that was seen of its message. Two runs that see different first events, because one
arrived late in the audit log, store two rows under two days, and neither notices. For example: run 1 reads the rating of March 12,
then the question of March 2 arrives, run 2 reads both; run 1 inserts under March 12, run 2 under March 2. Whoever inserts second finds
both and keeps the earlier one. An outcome that was on its way for the other changes nothing; the message is asked for once more.
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
    """Make one row of several for each message that has them among the rows changed since an instant; return how many went."""
    later: list[Row] = []
    told: list[Row] = []
    for _, rows in groupby(tables.rows("ledger/select_twins", since=since), key=key_of):
        first, *others = rows
        later += others
        told += [{**other, "witnessed_date": first["witnessed_date"]} for other in others]
    if not later:
        return 0
    schema = table("message_ledger").arrow_schema(*_COLUMNS)
    # First what they know, then the rows: a run that dies in between finds them again.
    for row in told:  # one at a time: a MERGE wants one source row per target row, and they are few
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
