"""Tables may have more columns than this version knows: a newer one made them, or somebody did by hand. They are written all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from deltalake import Schema
from tests.sql.statements.lake import NOON, TODAY, Lake, audit_event, fetched_message, space_row
from tests.sql.statements.ledger.test_merge_witnesses import witness
from tests.sql.statements.merging import outcome, pending

from genie_obs.erasure.receipt import Receipt
from genie_obs.lakehouse.statements import our_tables
from genie_obs.runs.record import RunRecord

FUTURE = Schema.from_arrow(pa.schema([pa.field("column_of_tomorrow", pa.string())])).fields


@pytest.fixture
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("newer")
    made = Lake(folder)
    made.close()
    for name in our_tables():
        made._delta(name).alter.add_columns(list(FUTURE))
    lake = Lake(folder)
    yield lake
    lake.close()


def test_every_table_is_written_whatever_columns_it_has_besides(newer: Lake) -> None:
    newer.fill("access/audit", audit_event())
    newer.store_events()
    newer.tables.execute("datasets/events/merge_split_events", event_dates=[TODAY])
    newer.merge_witnesses(witness(), expect_new=True)
    newer.merge_outcomes(outcome(message_id="m2"))
    newer.merge_messages(fetched_message(), expect_new=True)
    newer.merge_spaces(space_row())
    RunRecord(run_id="r", started_at=NOON, engine="local").store(newer.tables, is_new=True)
    Receipt(erasure_id="e", started_at=NOON, engine="local", requested_by="me").save(newer.tables)

    counts = {name: len(newer.read(name)) for name in our_tables()}
    assert counts == {**dict.fromkeys(our_tables(), 1), "message_ledger": 2}
    assert newer.read("message_ledger")[0]["state"] == pending()["state"]
    assert {row["column_of_tomorrow"] for name in our_tables() for row in newer.read(name)} == {None}
