"""Rows that do not fit into one message to the engine are merged in parts."""

from __future__ import annotations

import pytest
from tests.sql.statements.lake import Lake, fetched_message, space_row

from genie_obs.lakehouse import tables


@pytest.fixture(autouse=True)
def _small_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_RELATION_BYTES", 3_000)


def test_rows_are_merged_in_parts_that_fit(lake: Lake) -> None:
    before = lake.version("space_details")
    names = [f"s{number}" for number in range(8)]

    lake.merge_spaces(*(space_row(space_id=name, serialized_space="x" * 1_000) for name in names))

    assert [row["space_id"] for row in lake.read("space_details")] == names
    assert lake.version("space_details") == before + 4


def test_row_larger_than_any_part_is_merged_alone(lake: Lake) -> None:
    lake.merge_spaces(*(space_row(space_id=name, serialized_space="x" * 9_000) for name in "abc"))

    assert [len(row["serialized_space"]) for row in lake.read("space_details")] == [9_000] * 3


def test_count_is_that_of_all_parts(lake: Lake) -> None:
    lake.merge_messages(fetched_message(message_id="c"), fetched_message(message_id="g"))

    met = lake.merge_messages(*(fetched_message(message_id=name) for name in "abcdefgh"), expect_new=True)

    assert met == 2
    assert [row["message_id"] for row in lake.read("message_details")] == list("abcdefgh")
