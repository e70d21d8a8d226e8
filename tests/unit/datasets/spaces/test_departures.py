"""The newest departure of a space wins, in whatever order events come; and when its space is asked for again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from genie_obs.datasets.spaces.departures import find_departures
from genie_obs.ledger.recheck import is_stale

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def went(state: str | None, hours: int, by: str | None = "ann@example.com") -> dict[str, Any]:
    at = None if state is None else NOON + hours * HOUR
    return {"workspace_id": "1", "space_id": "s1", "went_state": state, "went_at": at, "went_by": by}


def test_newest_wins_in_any_order_and_beside_what_is_stored() -> None:
    rows = [went("trashed", 1), went("restored", 2), went("deleted", 3), went("deleted", 3)]
    for order in permutations(rows):
        for split in range(len(rows)):
            found = find_departures(order[:split], order[split:])
            assert [(item.state, item.at) for item in found.values()] == [("deleted", NOON + 3 * HOUR)]


def test_restore_names_nobody_and_space_without_an_event_has_no_departure() -> None:
    assert find_departures([went(None, 0)], []) == {}
    [departure] = find_departures([], [went("restored", 1)]).values()
    assert (departure.by, departure.code) == (None, None)


@pytest.mark.parametrize(
    ("state", "went_state", "went_hours", "fetched_hours", "expected"),
    [
        ("readable", None, 0, -1, False),
        ("readable", None, 0, -24, True),
        ("readable", "trashed", -1, -2, True),
        ("readable", "trashed", -2, -1, False),
        ("forbidden", "trashed", -1, -2, False),
        ("forbidden", "trashed", -1, -24, True),
        ("forbidden", "deleted", -1, -24, False),
        ("forbidden", "restored", -1, -2, True),
        ("forbidden", "restored", -2, -1, False),
    ],
)
def test_space_is_asked_for_daily_and_after_an_event_that_may_change_the_answer(
    state: str, went_state: str | None, went_hours: int, fetched_hours: int, *, expected: bool
) -> None:
    space = {**went(went_state, went_hours), "state": state, "fetched_at": NOON + fetched_hours * HOUR}

    assert is_stale(space, NOON) is expected
