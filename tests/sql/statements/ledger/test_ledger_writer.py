"""The ledger is told of many batches at once: never late, and of one outcome per message at a time."""

from __future__ import annotations

import asyncio

import pytest
from tests.sql.statements.lake import TODAY, Lake, Row, fetched_message
from tests.sql.statements.merging import ASKED_AT, make_merger, outcome, pending
from tests.unit.fakes import FakeClock

from genie_obs.datasets.messages.merger import BatchMerger
from genie_obs.datasets.messages.outcomes import Outcome
from genie_obs.ledger.writer import LedgerWriter


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(ASKED_AT)


@pytest.fixture
def writer(lake: Lake, clock: FakeClock) -> LedgerWriter:
    return LedgerWriter(lake.tables, clock, max_rows=4, max_seconds=30.0)


def rows_of(*message_ids: str, **values: object) -> list[Row]:
    return [outcome(message_id=message_id, **values) for message_id in message_ids]


def states(lake: Lake) -> dict[str, str]:
    return {row["message_id"]: row["state"] for row in lake.read("message_ledger")}


def test_batches_are_merged_together(lake: Lake, writer: LedgerWriter) -> None:
    lake.fill("message_ledger", *(pending(message_id=name) for name in "abcd"))
    before = lake.version("message_ledger")
    writer.add(rows_of("a", "b"))
    writer.add(rows_of("c", state="retry"))
    assert set(states(lake).values()) == {"pending"}

    writer.merge()

    assert states(lake) == {"a": "fetched", "b": "fetched", "c": "retry", "d": "pending"}
    assert lake.version("message_ledger") == before + 1


def test_nothing_is_merged_twice_and_nothing_where_nothing_is_held(lake: Lake, writer: LedgerWriter) -> None:
    before = lake.version("message_ledger")
    writer.merge()
    writer.add([])
    writer.merge()
    assert lake.version("message_ledger") == before
    writer.add(rows_of("a"))
    writer.merge()
    writer.merge()

    assert lake.version("message_ledger") == before + 1
    assert (writer.deadline, writer.is_due(), writer.holds(("1", "a"))) == (None, False, False)


def test_merge_is_due_when_rows_are_many(writer: LedgerWriter) -> None:
    writer.add(rows_of("a", "b", "c"))
    assert not writer.is_due()

    writer.add(rows_of("d"))

    assert writer.is_due()


def test_merge_is_due_when_the_first_row_has_waited_long(writer: LedgerWriter, clock: FakeClock) -> None:
    writer.add(rows_of("a"))
    deadline = clock.monotonic() + 30.0
    clock.advance(20.0)
    writer.add(rows_of("b"))
    assert (writer.deadline, writer.is_due()) == (deadline, False)

    clock.advance(10.0)

    assert writer.is_due()


def test_second_outcome_of_a_message_is_merged_after_the_first(lake: Lake, writer: LedgerWriter) -> None:
    writer.add(rows_of("a", "b", state="retry"))
    writer.add(rows_of("a", workspace_id="2", state="retry"))
    assert states(lake) == {}

    writer.add(rows_of("a"))

    assert [(row["workspace_id"], row["message_id"], row["state"]) for row in lake.read("message_ledger")] == [
        ("1", "a", "retry"),
        ("1", "b", "retry"),
        ("2", "a", "retry"),
    ]
    writer.merge()
    assert lake.read("message_ledger")[0]["state"] == "fetched"


def merge_all(merger: BatchMerger, *outcomes: Outcome) -> None:
    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(merger.run())
            for one in outcomes:
                await merger.put(one)
            await merger.finish()

    asyncio.run(run())
    merger.close()


def answer(message_id: str, *, is_listed_only: bool = False) -> Outcome:
    details = fetched_message(message_id=message_id)
    return Outcome(ledger=outcome(message_id=message_id), details=details, is_first=True, is_listed_only=is_listed_only)


def test_ledger_is_told_of_two_batches_at_once_and_of_the_rest_at_the_end(lake: Lake) -> None:
    merger, ledger_sizes = make_merger(lake)

    merge_all(merger, *(answer(name) for name in "abcdefg"))

    assert ledger_sizes == [0, 2, 2, 4, 4, 6, 6, 7]
    assert len(states(lake)) == len(lake.read("message_details")) == merger.totals.states["fetched"] == 7


def test_beside_another_run_the_ledger_is_told_after_every_batch(lake: Lake) -> None:
    merger, ledger_sizes = make_merger(lake, is_shared=True)

    merge_all(merger, *(answer(name) for name in "abc"))

    assert ledger_sizes == [1, 2, 3, 3]


def test_rows_of_another_run_are_a_sign_that_it_is_at_work(lake: Lake) -> None:
    lake.merge_messages(fetched_message(message_id="b"))
    merger, ledger_sizes = make_merger(lake)

    merge_all(merger, *(answer(name) for name in "abcd"))

    assert ledger_sizes == [0, 2, 3, 4, 4]


def test_message_listed_again_before_the_ledger_is_told_of_it_counts_once(lake: Lake) -> None:
    merger, _ = make_merger(lake)
    listed, due = answer("a", is_listed_only=True), answer("b")

    merge_all(merger, listed, listed, due, answer("b", is_listed_only=True))

    assert states(lake) == {"a": "fetched", "b": "fetched"}
    assert (merger.totals.listed_only_count, merger.totals.states["fetched"]) == (1, 1)


def test_ledger_is_told_of_what_is_stored_when_a_run_is_cancelled(lake: Lake) -> None:
    merger, _ = make_merger(lake, batch_size=2)

    async def run() -> None:
        running = asyncio.create_task(merger.run())
        for name in "abc":
            await merger.put(answer(name))  # there is room for the third when the first two are on their way
        await merger.merge_spaces(
            [{"workspace_id": "1", "space_id": "s1", "is_new": True}]
        )  # waits for its turn behind them
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    assert (states(lake), merger.totals.states.total(), merger.totals.oldest_stored_date) == ({}, 0, TODAY)

    merger.close()

    assert states(lake) == {"a": "fetched", "b": "fetched"}
    assert merger.totals.states["fetched"] == len(lake.read("message_details")) == 2
