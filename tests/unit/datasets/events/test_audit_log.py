"""Discovery's own decisions: where to start reading, and in which slices."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from tests.unit.fake_tables import DAY, HOUR, NOON, FakeTables, days, witnessed

from genie_obs.config import DiscoverySettings, Scope
from genie_obs.datasets.events.audit_log import MAX_SLICE_EVENTS, Window, discover, select_audit_days, select_window

TODAY = NOON.date()
SETTINGS = DiscoverySettings(days_lookback=30, overlap_days=2)


def window(watermark: datetime | None, covered_since: datetime | None = None, *, has_tables: bool = True) -> Window:
    fake = FakeTables(
        {"runs/select_watermark": [{"watermark": watermark, "covered_since": covered_since}]}, has_tables=has_tables
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

    found = select_audit_days(fake.as_tables(), Scope(), Window(start=NOON, watermark=None), NOON)

    assert [piece.event_count for piece in found.slices] == slices
    assert found.event_count == sum(counts)
    assert all(a.until_date < b.from_date for a, b in zip(found.slices, found.slices[1:], strict=False))


def test_log_is_read_to_a_day_into_the_future_since_clocks_differ() -> None:
    fake = FakeTables({})

    select_audit_days(
        fake.as_tables(), Scope(workspace_ids=("1", "2")), Window(start=NOON - 9 * DAY, watermark=None), NOON
    )

    [(_, asked)] = fake.asked
    assert asked == {"from_date": date(2026, 11, 11), "until_date": date(2026, 11, 21), "workspace_ids": "1,2"}


def run(fake: FakeTables, watermark: datetime | None) -> tuple[datetime | None, int, int]:
    place = Window(start=NOON - DAY, watermark=watermark)
    audit_days = select_audit_days(fake.as_tables(), Scope(), place, NOON)
    found = discover(fake.as_tables(), Scope(), place, audit_days, client_id="x", now=NOON, on_done=lambda _count: None)
    return found.watermark, found.witnessed_count, found.new_message_count


@pytest.mark.parametrize(
    ("before", "newest", "after"),
    [
        (None, NOON - HOUR, NOON - HOUR),
        (NOON - DAY, NOON - HOUR, NOON - HOUR),
        (NOON - HOUR, NOON - DAY, NOON - HOUR),
        (None, NOON + HOUR, NOON),
        (NOON - HOUR, None, NOON - HOUR),
        (None, None, None),
    ],
)
def test_watermark_is_the_newest_event_and_never_goes_back_or_ahead(
    before: datetime | None, newest: datetime | None, after: datetime | None
) -> None:
    answer = [{**row, "newest_event_time": newest} for row in days(1)] if newest else []

    assert run(FakeTables({"datasets/events/select_audit_days": answer}), before)[0] == after


def seen_again(message_id: str, *, is_news: bool, witnessed_date: date = TODAY) -> dict[str, Any]:
    """Return what the ledger says of a witnessed message that it knows."""
    return {"workspace_id": "1", "message_id": message_id, "witnessed_date": witnessed_date, "is_news": is_news}


def discovery(*witnesses: dict[str, Any], known: list[dict[str, Any]] | None = None) -> FakeTables:
    return FakeTables(
        {
            "datasets/events/select_audit_days": days(2),
            "datasets/events/select_witnesses": list(witnesses),
            "ledger/select_seen_again": known or [],
        }
    )


def test_only_messages_the_ledger_does_not_know_are_new() -> None:
    fake = discovery(witnessed("m1"), witnessed("m2"), known=[seen_again("m1", is_news=True)])

    assert run(fake, None)[1:] == (2, 1)
    assert fake.executed == [("ledger/merge_witnesses", True), ("ledger/merge_witnesses", False)]
    assert [row["message_id"] for row in fake.merged] == ["m2", "m1"]


def test_known_message_keeps_the_day_the_ledger_has_and_a_new_one_gets_the_utc_day_of_its_first_event() -> None:
    early = date(2026, 11, 1)
    fake = discovery(witnessed("m1"), witnessed("m2"), known=[seen_again("m1", is_news=True, witnessed_date=early)])

    run(fake, None)

    assert {row["message_id"]: row["witnessed_date"] for row in fake.merged} == {"m1": early, "m2": NOON.date()}


def test_ledger_is_asked_with_the_days_around_the_slice() -> None:
    fake = discovery(witnessed("m1", is_creation_seen=False))

    run(fake, None)

    asked = [values for statement, values in fake.asked if statement == "ledger/select_seen_again"]
    day_before = date(2026, 10, 31)  # an event of the first day may be dated just before it in another zone
    assert [(values["from_date"], values["until_date"]) for values in asked] == [
        (day_before, date(9999, 1, 1)),
        (date(1970, 1, 1), day_before),
    ]


def test_nothing_witnessed_merges_nothing() -> None:
    fake = FakeTables({"datasets/events/select_audit_days": days(2)})

    assert run(fake, None)[1:] == (0, 0)
    assert fake.executed == []


def test_what_the_ledger_knows_already_is_not_merged_again() -> None:
    known = [seen_again("m1", is_news=False), seen_again("m2", is_news=True)]
    fake = discovery(witnessed("m1"), witnessed("m2"), known=known)

    assert run(fake, None)[1:] == (2, 0)
    assert fake.executed == [("ledger/merge_witnesses", False)]
    assert [row["message_id"] for row in fake.merged] == ["m2"]


@pytest.mark.parametrize("deletions", [0, 1])
def test_deleted_conversations_are_asked_for_only_where_the_days_have_any(deletions: int) -> None:
    fake = FakeTables({"datasets/events/select_audit_days": days(2, 3, deletions=deletions)})

    run(fake, None)

    asked = [statement for statement, _ in fake.asked]
    assert asked.count("datasets/events/select_deleted_conversations") == deletions


@pytest.mark.parametrize(
    ("watermark", "over_after", "after", "is_stopped"),
    [
        pytest.param(None, 1, NOON - 9 * HOUR, True, id="first run: up to the slice that was read"),
        pytest.param(None, 2, NOON - 8 * HOUR, True, id="first run: two slices"),
        pytest.param(None, 3, NOON - 7 * HOUR, False, id="all slices were read"),
        pytest.param(NOON - 9 * HOUR, 1, NOON - 9 * HOUR, True, id="the overlap was read"),
        pytest.param(NOON - 9 * HOUR, 2, NOON - 8 * HOUR, True, id="the overlap and more"),
        pytest.param(NOON - 5 * HOUR, 1, None, True, id="raised look-back: as if it had not been begun"),
        pytest.param(NOON - 5 * HOUR, 3, NOON - 5 * HOUR, False, id="raised look-back, read to the end"),
    ],
)
def test_discovery_that_stops_at_the_deadline_leaves_a_watermark_up_to_which_nothing_is_missing(
    watermark: datetime | None, over_after: int, after: datetime | None, is_stopped: bool
) -> None:
    answer = [
        {**row, "newest_event_time": NOON - (9 - number) * HOUR}
        for number, row in enumerate(days(*(3 * [MAX_SLICE_EVENTS])))
    ]
    fake = FakeTables({"datasets/events/select_audit_days": answer})
    place = Window(start=NOON - DAY, watermark=watermark)
    audit_days = select_audit_days(fake.as_tables(), Scope(), place, NOON)
    done: list[int] = []

    found = discover(
        fake.as_tables(), Scope(), place, audit_days, client_id="x", now=NOON, on_done=done.append,
        is_over=lambda: len(done) >= over_after,
    )  # fmt: skip

    assert (found.watermark, found.is_stopped, len(done)) == (after, is_stopped, over_after)


def test_every_run_reads_at_least_one_slice() -> None:
    fake = FakeTables({"datasets/events/select_audit_days": days(MAX_SLICE_EVENTS, 1)})
    place = Window(start=NOON - DAY, watermark=None)
    audit_days = select_audit_days(fake.as_tables(), Scope(), place, NOON)

    found = discover(
        fake.as_tables(), Scope(), place, audit_days, client_id="x", now=NOON, on_done=lambda _count: None,
        is_over=lambda: True,
    )  # fmt: skip

    assert (found.is_stopped, found.watermark) == (True, NOON)
