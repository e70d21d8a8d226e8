"""Looking messages up in the ledger: which part of it is read."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.unit.fake_tables import NOON, FakeTables, witnessed

from genie_obs.ledger.lookup import select_known


@pytest.mark.parametrize(("is_creation_seen", "look_ups"), [(True, 1), (False, 2)])
def test_old_part_of_the_ledger_is_read_only_for_messages_whose_creation_was_not_seen(
    is_creation_seen: bool, look_ups: int
) -> None:
    fake = FakeTables({})

    assert (
        select_known(
            fake.as_tables(),
            pa.Table.from_pylist([witnessed("m1", is_creation_seen=is_creation_seen)]),
            recent_since=NOON.date(),
        )
        == {}
    )

    assert [statement for statement, _ in fake.asked] == ["ledger/select_known"] * look_ups


def test_ledger_that_does_not_exist_yet_knows_nothing() -> None:
    fake = FakeTables({}, has_tables=False)

    witnesses = pa.Table.from_pylist([witnessed("m1")])
    assert select_known(fake.as_tables(), witnesses, recent_since=NOON.date()) == {}
    assert fake.asked == []
