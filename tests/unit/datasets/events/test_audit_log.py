"""Where a run starts to read the audit log, which days it reads, and in which slices."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from tests.unit.fake_tables import DAY, HOUR, NOON, FakeTables, days

from genie_obs.config import DiscoverySettings, Scope
from genie_obs.datasets.events.audit_log import MAX_SLICE_EVENTS, Window, select_audit_days, select_window

TODAY = NOON.date()
NO_EVENTS = {"events_since": None, "recorded_at": None}
SETTINGS = DiscoverySettings(days_lookback=30, overlap_days=2)


def window(watermark: datetime | None, covered_since: datetime | None = None, *, has_tables: bool = True) -> Window:
    fake = FakeTables(
        {"runs/select_watermark": [{"watermark": watermark, "covered_since": covered_since, **NO_EVENTS}]},
        has_tables=has_tables,
    )
    return select_window(fake.as_tables(), Scope(), SETTINGS, NOON)


@pytest.mark.parametrize("has_tables", [True, False])
def test_first_run_starts_at_the_look_back(has_tables: bool) -> None:
    assert window(None, has_tables=has_tables) == Window(start=NOON - 30 * DAY, watermark=None)


@pytest.mark.parametrize("outage", [HOUR, 3 * DAY, 200 * DAY])
def test_later_run_starts_at_the_watermark_less_the_overlap_however_long_ago(outage: timedelta) -> None:
    watermark = NOON - outage

    assert window(watermark, NOON - 400 * DAY) == Window(start=watermark - 2 * DAY, watermark=watermark)


def test_watermark_in_the_future_does_not_skip_anything() -> None:
    assert window(NOON + 5 * DAY, NOON - 400 * DAY).start == NOON - 2 * DAY


@pytest.mark.parametrize(("covered_days", "start_days"), [(5, 30), (28, 30), (29, 2), (31, 2)])
def test_look_back_raised_later_is_read_once(covered_days: int, start_days: int) -> None:
    assert window(NOON, NOON - covered_days * DAY).start == NOON - start_days * DAY


@pytest.mark.parametrize(
    ("counts", "slices"),
    [
        ([], []),
        ([5], [5]),
        ([1, 2, 3], [6]),
        ([MAX_SLICE_EVENTS, 1], [MAX_SLICE_EVENTS, 1]),
        ([MAX_SLICE_EVENTS - 1, 1, 1], [MAX_SLICE_EVENTS, 1]),
        ([1, 3 * MAX_SLICE_EVENTS, 1], [1, 3 * MAX_SLICE_EVENTS, 1]),
    ],
)
def test_log_is_cut_into_slices_that_fit_or_are_one_day(counts: list[int], slices: list[int]) -> None:
    fake = FakeTables({"datasets/events/select_audit_days": days(*counts)})

    found = select_audit_days(fake.as_tables(), Scope(), Window(start=NOON - 30 * DAY, watermark=None), NOON)

    assert [piece.event_count for piece in found.slices] == slices
    assert found.event_count == sum(counts)
    assert all(a.until_date < b.from_date for a, b in zip(found.slices, found.slices[1:], strict=False))


def test_log_is_read_to_a_day_into_the_future_since_clocks_differ() -> None:
    fake = FakeTables({})

    select_audit_days(
        fake.as_tables(), Scope(workspace_ids=("1", "2")), Window(start=NOON - 9 * DAY, watermark=None), NOON
    )

    asked = dict(fake.asked)["datasets/events/select_audit_days"]
    del asked["stored_days"]
    assert asked == {"from_date": date(2026, 11, 11), "until_date": date(2026, 11, 21), "workspace_ids": ("1", "2")}


# A run at noon of November 20, with an overlap of two days: the window begins on November 18.
LATER = Window(
    start=NOON - 2 * DAY, watermark=NOON, events_since=NOON - 60 * DAY, recorded_at=NOON - HOUR
)  # fmt: skip


def day(offset: int, *, missing: int = 0, ingested: datetime | None = None) -> dict[str, Any]:
    return {
        "event_date": TODAY + offset * DAY,
        "event_count": 10,
        "missing_count": missing,
        "newest_ingestion": ingested,
        "conversation_deletion_count": 0,
        "newest_event_time": NOON + offset * DAY,
    }


def slices(window: Window, *rows: dict[str, Any]) -> list[tuple[int, int, list[int]]]:
    """Return the slices: first day, last day, days with events that are not stored; counted from today."""
    found = select_audit_days(
        FakeTables({"datasets/events/select_audit_days": list(rows)}).as_tables(), Scope(), window, NOON
    )
    return [
        (
            (piece.from_date - TODAY).days,
            (piece.until_date - TODAY).days,
            [(missing - TODAY).days for missing in piece.missing_dates],
        )
        for piece in found.slices
    ]


def test_days_of_the_window_are_read_and_only_those_with_missing_events_are_stored() -> None:
    assert slices(LATER, day(-2), day(-1), day(0, missing=3)) == [(-2, 0, [0])]


def test_day_before_the_window_is_read_only_if_it_has_grown() -> None:
    rows = [day(-9), day(-8, missing=1), day(-7, missing=2), day(-6), day(-5, missing=3), day(-4), day(0)]

    assert slices(LATER, *rows) == [(-8, -7, [-8, -7]), (-5, -5, [-5]), (0, 0, [])]


def test_events_of_days_before_the_window_are_late() -> None:
    fake = FakeTables(
        {"datasets/events/select_audit_days": [day(-9, missing=1), day(-5, missing=3), day(0, missing=7)]}
    )

    found = select_audit_days(fake.as_tables(), Scope(), LATER, NOON)

    assert (found.late_event_count, found.event_count, found.newest_event_time) == (4, 10, NOON)


@pytest.mark.parametrize(("ingested", "is_read"), [(NOON, True), (NOON - HOUR, False), (NOON - 2 * HOUR, False)])
def test_late_events_that_a_dead_run_stored_are_recorded(ingested: datetime, is_read: bool) -> None:
    assert ((-9, -9, []) in slices(LATER, day(-9, ingested=ingested), day(0))) is is_read


@pytest.mark.parametrize(
    ("events_since", "first_day"),
    [(None, -2), (NOON - 5 * DAY, -5), (NOON - 30 * DAY, -30), (NOON - 200 * DAY, -30)],
)
def test_late_events_are_looked_for_in_days_that_were_read_within_thirty_days(
    events_since: datetime | None, first_day: int
) -> None:
    fake = FakeTables({})

    select_audit_days(
        fake.as_tables(), Scope(), Window(start=NOON - 2 * DAY, watermark=NOON, events_since=events_since), NOON
    )

    for _, asked in fake.asked:
        assert asked["from_date"] == TODAY + first_day * DAY
