"""Rows of spaces, from several workspaces and of one space more than once, become one row each."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from tests.sql.statements.lake import DAY, NOON, Lake, Row, space_row
from tests.sql.statements.merging import make_merger

from genie_obs.datasets.spaces.store import merge_spaces


def space(workspace_id: str = "1", **values: Any) -> Row:
    return {"workspace_id": workspace_id, "space_id": "s1", "fetched_at": NOON, "is_new": True, **values}


def test_spaces_that_come_while_others_are_merged_are_merged_together(lake: Lake) -> None:
    merger, _ = make_merger(lake)
    before = lake.version("space_details")

    async def run() -> None:
        await asyncio.gather(*(merger.merge_spaces([space(name)]) for name in "1234"))

    asyncio.run(run())
    merger.close()

    assert [row["workspace_id"] for row in lake.read("space_details")] == ["1", "2", "3", "4"]
    assert lake.version("space_details") == before + 2


def test_rows_are_merged_although_who_handed_them_over_is_cancelled(lake: Lake) -> None:
    merger, _ = make_merger(lake)
    tables_are_free = threading.Event()

    async def run() -> None:
        merger._thread.submit(tables_are_free.wait)
        merging = asyncio.create_task(merger.merge_spaces([space("1")]))
        waiting = asyncio.create_task(merger.merge_spaces([space("2")]))
        for _ in range(3):
            await asyncio.sleep(0)
        merging.cancel()
        waiting.cancel()
        await asyncio.gather(merging, waiting, return_exceptions=True)
        tables_are_free.set()
        await merger.merge_spaces([])

    asyncio.run(run())
    merger.close()

    assert [row["workspace_id"] for row in lake.read("space_details")] == ["1", "2"]


def test_space_that_changes_again_before_it_is_merged_is_one_row(lake: Lake) -> None:
    merger, _ = make_merger(lake)

    async def run() -> None:
        await asyncio.gather(
            merger.merge_spaces([space("1")]),
            merger.merge_spaces([space("2", title="Sales", state="readable")]),
            merger.merge_spaces([space("2", state="forbidden", is_new=False)]),
        )

    asyncio.run(run())
    merger.close()

    assert [(row["title"], row["state"]) for row in lake.read("space_details")] == [
        (None, None),
        ("Sales", "forbidden"),
    ]


def test_space_that_another_run_stored_first_takes_the_newer_values(lake: Lake) -> None:
    lake.merge_spaces(space_row(title="Old"))

    merge_spaces(lake.tables, [space(title="New", fetched_at=NOON + DAY), space("2", title="Other")])

    assert [row["title"] for row in lake.read("space_details")] == ["New", "Other"]
