"""Discovery's own decisions: what is stored, what the ledger is told, and how far it has read."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from tests.unit.fake_tables import DAY, HOUR, NOON, FakeTables, days, witnessed

from genie_obs.config import Scope
from genie_obs.datasets.events.audit_log import MAX_SLICE_EVENTS, Window, select_audit_days
from genie_obs.datasets.events.discovery import discover
from genie_obs.security.content_policy import ContentGuard, ContentSettings, parse_policies

TODAY = NOON.date()
KEEPS_EVERYTHING = ContentGuard(ContentSettings())
NEW_EVENTS = "datasets/events/select_new_events"


def run(
    fake: FakeTables, watermark: datetime | None, guard: ContentGuard = KEEPS_EVERYTHING
) -> tuple[datetime | None, int, int]:
    place = Window(start=NOON - 30 * DAY, watermark=watermark)
    audit_days = select_audit_days(fake.as_tables(), Scope(), place, NOON)
    found = discover(
        fake.as_tables(), Scope(), place, audit_days, guard=guard, client_id="x", now=NOON, on_done=lambda _count: None
    )
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
    place = Window(start=NOON - 30 * DAY, watermark=watermark)
    audit_days = select_audit_days(fake.as_tables(), Scope(), place, NOON)
    done: list[int] = []

    found = discover(
        fake.as_tables(), Scope(), place, audit_days, guard=KEEPS_EVERYTHING, client_id="x", now=NOON, on_done=done.append,
        is_over=lambda: len(done) >= over_after,
    )  # fmt: skip

    assert (found.watermark, found.is_stopped, len(done)) == (after, is_stopped, over_after)


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


@pytest.mark.parametrize(("missing", "count"), [(0, 0), (1, 1)])
def test_audit_log_is_scanned_only_for_events_that_are_not_stored(missing: int, count: int) -> None:
    fake = FakeTables({"datasets/events/select_audit_days": days(5, missing=missing)})

    run(fake, None)

    assert [statement for statement, _ in fake.asked].count(NEW_EVENTS) == count


def test_under_another_policy_what_the_service_said_is_protected_before_it_is_stored() -> None:
    event = {"event_id": "e1", "workspace_id": "1", "space_id": "s1"}
    errors = [{**event, "error_message": "no"}, {**event, "space_id": "s2", "error_message": "no"}]
    fake = FakeTables({"datasets/events/select_audit_days": days(2), NEW_EVENTS: errors})
    guard = ContentGuard(ContentSettings(content_policy=parse_policies("full; 1/s1=metrics_only")))

    run(fake, None, guard)

    assert [row["error_message"] for row in fake.stored["genie_events"]] == ["[not kept]", "no"]


@pytest.mark.parametrize(("apart", "count"), [(0, 0), (1, 1)])
def test_rows_of_one_action_are_joined_only_where_there_are_any(apart: int, count: int) -> None:
    odd = {"service": "aibiGenie", "action": "doSomething", "unknown_count": 3, "apart_count": apart}
    fake = FakeTables({"datasets/events/select_audit_days": days(2), "datasets/events/select_odd_events": [odd]})

    run(fake, None)

    assert [statement for statement, _ in fake.executed].count("datasets/events/merge_split_events") == count
