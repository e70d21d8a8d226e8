"""When a space is asked for again: once a day, and at once after an event that may have changed the answer."""

from __future__ import annotations

from datetime import datetime

from genie_obs.clock import CLOCKS_DIFFER_BY
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.ledger.states import RECHECK_AFTER


def is_stale(space: Row, now: datetime) -> bool:
    """Say whether a stored space must be asked for again; instants are UTC.

    A space that cannot be read and was deleted for good is not asked for: only its restore, or the daily listing, brings it back.
    """
    is_gone = space["state"] == "forbidden" and space["went_state"] in {"trashed", "deleted"}
    if is_gone and space["went_state"] == "deleted":
        return False
    went_since = space["went_at"] is not None and space["fetched_at"] <= space["went_at"] + CLOCKS_DIFFER_BY
    return bool(space["fetched_at"] <= now - RECHECK_AFTER or (went_since and not is_gone))
