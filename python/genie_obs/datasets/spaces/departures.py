"""Spaces that were trashed, deleted or restored, as the audit log says: the newest accepted event of a space wins.

What is known of a space's end is kept with the space, because events are not kept for ever. A space that could not be read before its
event arrived gets its new reason here, and so do its messages; nothing is asked for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from genie_obs.config import Scope
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.reasons import Reason

SpaceKey = tuple[str, str]  # workspace_id, space_id
_GONE = {"trashed": Reason.SPACE_TRASHED, "deleted": Reason.SPACE_DELETED}
_CHANGED = pa.schema(
    [
        (name, pa.string())
        for name in ("workspace_id", "space_id", "went_state", "went_by", "reason_code", "state_reason")
    ]
    + [("went_at", pa.timestamp("us", "UTC"))]
)


@dataclass(frozen=True, kw_only=True)
class Departure:
    """The last thing that the audit log says of a space's existence."""

    state: str  # trashed, deleted or restored
    at: datetime  # UTC
    by: str | None  # who did it; None if it was a restore, or is not known

    @property
    def code(self) -> Reason | None:
        """Return why the space cannot be read; None if it was restored."""
        return _GONE.get(self.state)

    @property
    def reason(self) -> str:
        """Return the sentence for people. It names nobody: who it was stands in a column that erasing empties."""
        when = f"{self.at:%Y-%m-%d %H:%M} UTC"
        if self.state == "trashed":
            return f"the space was moved to the trash at {when}; its messages are read if it is restored"
        if self.state == "deleted":
            return f"the space was deleted at {when}; its messages cannot be read any more"
        return f"the space was restored at {when}; it is asked for again"

    def columns(self) -> Row:
        """Return the columns of `space_details`."""
        return {"went_state": self.state, "went_at": self.at, "went_by": self.by}


def find_departures(spaces: Iterable[Row], events: Iterable[Row]) -> dict[SpaceKey, Departure]:
    """Return the newest departure of each space, from what is stored and from the events, in any order.

    Args:
        spaces: rows with went_state, went_at and went_by.
        events: the same columns, one row per space or more.
    """
    newest: dict[SpaceKey, Departure] = {}
    for row in (*spaces, *events):
        if row["went_at"] is None:
            continue
        key = (row["workspace_id"], row["space_id"])
        if key not in newest or row["went_at"] > newest[key].at:
            by = None if row["went_state"] == "restored" else row["went_by"]
            newest[key] = Departure(state=row["went_state"], at=row["went_at"], by=by)
    return newest


def take_departures(tables: Tables, scope: Scope, spaces: list[Row]) -> dict[SpaceKey, Departure]:
    """Return the departures, after `spaces`, their table and the ledger were told of those that are news."""
    events = tables.rows("datasets/spaces/select_departures", workspace_ids=scope.workspace_ids)
    departures = find_departures(spaces, events)
    changed = [_take(space, departures) for space in spaces if _is_news(space, departures)]
    if changed:
        rows = pa.Table.from_pylist(changed, _CHANGED)
        # The ledger first: if the run ends in between, the next one repeats both.
        tables.execute("datasets/spaces/merge_departed_messages", departures=rows)
        tables.execute("datasets/spaces/merge_departures", departures=rows)
    return departures


def _is_news(space: Row, departures: dict[SpaceKey, Departure]) -> bool:
    departure = departures.get((space["workspace_id"], space["space_id"]))
    return departure is not None and departure.at != space["went_at"]


def _take(space: Row, departures: dict[SpaceKey, Departure]) -> Row:
    """Note the departure in the row of the space, and return what is to be merged."""
    departure = departures[space["workspace_id"], space["space_id"]]
    space.update(departure.columns())
    reason = {"reason_code": departure.code or Reason.NO_PERMISSION, "state_reason": departure.reason}
    if space["state"] == "forbidden":
        space.update(reason)
    return {name: space[name] for name in ("workspace_id", "space_id")} | departure.columns() | reason
