"""The stored spaces: reading what is known of them, and storing what was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa

from genie_obs.config import Scope
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.recheck import is_stale


def select_spaces(tables: Tables, scope: Scope) -> list[Row]:
    """Return the spaces known so far."""
    return tables.rows("datasets/spaces/select_spaces", workspace_ids=scope.workspace_ids)


def find_stale_workspaces(spaces: Iterable[Row], workspaces: Iterable[Row], now: datetime) -> set[str]:
    """Return the workspaces with a space that must be asked for again.

    Only workspaces of the account: one that left cannot be asked, so its spaces stay as they were last seen.
    """
    present = {row["workspace_id"] for row in workspaces}
    stale = {space["workspace_id"] for space in spaces if is_stale(space, now)}
    return stale & present


def merge_spaces(tables: Tables, rows: list[Row]) -> None:
    """Store spaces that were asked for, one row per space. `is_new` marks a space that is not known to be stored."""
    for is_new in (True, False):
        asked = [row for row in rows if row["is_new"] is is_new]
        if asked:
            tables.merge(
                "space_details", pa.Table.from_pylist(asked, table("space_details").arrow_schema()), expect_new=is_new
            )
