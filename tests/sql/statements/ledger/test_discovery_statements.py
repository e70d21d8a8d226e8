"""What discovery asks besides the witnesses: days, deleted conversations, what the ledger knows, how far runs have read."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from tests.sql.statements.lake import (
    DAY,
    HOUR,
    IDS,
    NOON,
    TODAY,
    Lake,
    Row,
    audit_event,
    day,
    details_row,
    ledger_row,
    run_row,
)

from genie_obs.lakehouse.schema import table
from genie_obs.settings import ids

STORED_DAYS = pa.schema(
    [
        *table("genie_events").arrow_schema("event_date", "workspace_id"),
        ("stored_count", pa.int64()),
        ("newest_ingestion", pa.timestamp("us", tz="UTC")),
    ]
)


def audit_days(lake: Lake, *events: Row, workspace_ids: str = "") -> list[Row]:
    """Return the days of the log beside what is stored of them now."""
    lake.fill("access/audit", *events)
    values: Row = {"from_date": day(-2), "until_date": day(0), "workspace_ids": ids(workspace_ids)}
    stored = lake.select("datasets/events/select_stored_days", **values) or [{"workspace_id": ""}]
    relation = pa.Table.from_pylist(stored, STORED_DAYS)
    return lake.select("datasets/events/select_audit_days", stored_days=relation, **values)


def test_genie_events_are_counted_by_day_in_order(lake: Lake) -> None:
    days = audit_days(
        lake,
        audit_event(at=NOON),
        audit_event(at=NOON - 2 * DAY),
        audit_event(at=NOON - 2 * DAY + HOUR),
        audit_event(at=NOON - 3 * DAY),
        audit_event(at=NOON + DAY),
        audit_event(at=NOON, service_name="genie"),
        audit_event("deleteConversation", at=NOON),
        audit_event("genieDeleteConversation", at=NOON),
        audit_event("deleteConversationMessage", at=NOON),
    )

    assert days == [
        {
            "event_date": day(-2),
            "event_count": 2,
            "missing_count": 2,
            "newest_ingestion": None,
            "conversation_deletion_count": 0,
            "newest_event_time": NOON - 2 * DAY + HOUR,
        },
        {
            "event_date": day(0),
            "event_count": 4,
            "missing_count": 4,
            "newest_ingestion": None,
            "conversation_deletion_count": 2,
            "newest_event_time": NOON,
        },
    ]


def test_days_are_counted_for_the_workspaces_in_scope(lake: Lake) -> None:
    events = [audit_event(workspace_id=workspace) for workspace in ("1", "2", "12")]

    assert [row["event_count"] for row in audit_days(lake, *events, workspace_ids="12,2")] == [2]


def test_event_is_missing_until_it_is_stored_and_copies_count_once(lake: Lake) -> None:
    known, new = audit_event(), audit_event()
    other = audit_event(workspace_id="2", service_name="genieChat")
    lake.fill("access/audit", known, other)
    lake.store_events(at=NOON - HOUR)

    [stored] = audit_days(lake, known, dict(known), other)
    [grown] = audit_days(lake, known, dict(known), other, new)

    assert (stored["event_count"], stored["missing_count"], stored["newest_ingestion"]) == (3, 0, NOON - HOUR)
    assert grown["missing_count"] == 1


def test_workspace_whose_events_left_the_log_hides_no_missing_event_of_another(lake: Lake) -> None:
    gone = [audit_event(workspace_id="1") for _ in range(3)]
    lake.fill("access/audit", *gone)
    lake.store_events()

    [found] = audit_days(lake, audit_event(workspace_id="2"))

    assert found["missing_count"] == 1


def test_empty_log_has_no_days(lake: Lake) -> None:
    assert audit_days(lake) == []


def deleted_conversations(lake: Lake, *events: Row, workspace_ids: str = "") -> list[Row]:
    lake.fill("access/audit", *events)
    lake.store_events(day(-3), day(0))
    rows = lake.select(
        "datasets/events/select_deleted_conversations",
        from_date=day(-1),
        until_date=day(0),
        workspace_ids=ids(workspace_ids),
    )
    return sorted(rows, key=lambda row: (row["workspace_id"], row["conversation_id"]))


CONVERSATION = {"space_id": "s1", "conversation_id": "c1"}


def deletion(action_name: str = "deleteConversation", **values: Any) -> Row:
    return audit_event(action_name, **{"params": CONVERSATION, **values})


def test_deleted_conversation_is_one_row_with_its_last_deletion(lake: Lake) -> None:
    rows = deleted_conversations(
        lake,
        deletion(at=NOON - HOUR),
        deletion(at=NOON),
        deletion("genieDeleteConversation", params={"conversation_id": "c2"}, status_code=None),
        deletion(workspace_id="2"),
    )

    assert rows == [
        {"workspace_id": "1", "conversation_id": "c1", "deleted_at": NOON},
        {"workspace_id": "1", "conversation_id": "c2", "deleted_at": NOON},
        {"workspace_id": "2", "conversation_id": "c1", "deleted_at": NOON},
    ]


@pytest.mark.parametrize(
    "event",
    [
        deletion(status_code=403),
        deletion(params={"space_id": "s1"}),
        deletion(params={"conversation_id": ""}),
        deletion(at=NOON - 2 * DAY),
        deletion(service_name="genieChat"),
        deletion("deleteConversationMessage"),
        deletion(workspace_id="3"),
    ],
    ids=[
        "refused",
        "no conversation",
        "empty conversation",
        "another day",
        "another service",
        "a message",
        "out of scope",
    ],
)
def test_event_that_deletes_no_conversation_is_left_out(lake: Lake, event: Row) -> None:
    assert deleted_conversations(lake, event, workspace_ids="1,2") == []


def test_members_of_a_deleted_conversation_are_all_its_messages(lake: Lake) -> None:
    lake.fill(
        "message_ledger",
        ledger_row(),
        ledger_row(message_id="m2", state="forbidden", witnessed_date=day(-9), first_event_time=NOON - 9 * DAY),
        ledger_row(message_id="m3", conversation_id="c2"),
        ledger_row(message_id="m4", conversation_id=None),
        ledger_row(message_id="m5", workspace_id="2"),
    )
    schema = pa.schema(
        [("workspace_id", pa.string()), ("conversation_id", pa.string()), ("deleted_at", pa.timestamp("us", tz="UTC"))]
    )
    deleted = pa.Table.from_pylist(
        [{"workspace_id": "1", "conversation_id": id_, "deleted_at": NOON + HOUR} for id_ in ("c1", "c9")], schema
    )

    found = lake.select("ledger/select_conversation_members", deleted_conversations=deleted)
    rows = sorted(found, key=lambda row: str(row["message_id"]))

    deleted_at = {"last_write_event_time": NOON + HOUR}
    assert rows == [
        {"workspace_id": "1", **IDS, "witnessed_date": TODAY, "first_event_time": NOON, **deleted_at},
        {
            "workspace_id": "1",
            **IDS,
            "message_id": "m2",
            "witnessed_date": day(-9),
            "first_event_time": NOON - 9 * DAY,
            **deleted_at,
        },
    ]


def known(lake: Lake, *wanted: tuple[str, str], **bounds: Any) -> list[Row]:
    keys = [{"workspace_id": workspace, "message_id": message} for workspace, message in wanted]
    schema = table("message_ledger").arrow_schema("workspace_id", "message_id")
    widest = {
        "wanted_messages": pa.Table.from_pylist(keys, schema),
        "from_date": date(1970, 1, 1),
        "until_date": date(9999, 1, 1),
        "first_message_id": min(message for _, message in wanted),
        "last_message_id": max(message for _, message in wanted),
    }
    rows = lake.select("ledger/select_known", **{**widest, **bounds})
    return sorted(rows, key=lambda row: (row["workspace_id"], row["message_id"]))


def test_ledger_tells_what_it_knows_of_the_messages_asked_for(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row(), ledger_row(workspace_id="2"), ledger_row(message_id="m2"))

    assert known(lake, ("1", "m1"), ("1", "m9")) == [{"workspace_id": "1", "message_id": "m1", "witnessed_date": TODAY}]


def test_ledger_is_asked_for_a_range_of_days_the_last_one_left_out(lake: Lake) -> None:
    lake.fill("message_ledger", *(ledger_row(message_id=f"m{n}", witnessed_date=day(n)) for n in (-3, -2, -1, 0)))
    wanted = [("1", f"m{n}") for n in (-3, -2, -1, 0)]

    rows = known(lake, *wanted, from_date=day(-2), until_date=day(0))

    assert [row["message_id"] for row in rows] == ["m-1", "m-2"]


def test_bounds_of_the_ids_include_both_ends(lake: Lake) -> None:
    names = ["a", "b", "c", "é", "😀"]
    lake.fill("message_ledger", *(ledger_row(message_id=name) for name in names))

    assert [row["message_id"] for row in known(lake, *(("1", name) for name in names))] == names


def watermark(lake: Lake, *runs: Row, workspace_ids: str = "") -> tuple[Any, Any]:
    lake.fill("ingestion_runs", *runs)
    [row] = lake.select("runs/select_watermark", workspace_ids=workspace_ids)
    return row["watermark"], row["covered_since"]


def test_only_runs_that_stored_events_say_since_when_they_are_stored(lake: Lake) -> None:
    runs = [
        run_row("older version", window_start=NOON - 90 * DAY),
        run_row("a", at=NOON - 2 * DAY, window_start=NOON - 5 * DAY, late_event_count=0),
        run_row("b", at=NOON - DAY, window_start=NOON - 3 * DAY, late_event_count=7),
        run_row("died", at=NOON, watermark_after=None, late_event_count=None),
    ]
    lake.fill("ingestion_runs", *runs)

    [row] = lake.select("runs/select_watermark", workspace_ids="")

    assert (row["events_since"], row["recorded_at"]) == (NOON - 5 * DAY, NOON - DAY)


def test_without_runs_there_is_no_watermark(lake: Lake) -> None:
    assert watermark(lake) == (None, None)


def test_watermark_is_the_newest_and_cover_the_oldest_of_all_runs(lake: Lake) -> None:
    runs = [run_row("a", watermark_after=NOON, window_start=NOON - 5 * DAY), run_row("b", window_start=NOON - 9 * DAY)]

    assert watermark(lake, *runs) == (NOON, NOON - 9 * DAY)


@pytest.mark.parametrize("status", ["running", "failed", "partial"])
def test_run_that_failed_after_discovery_counts(lake: Lake, status: str) -> None:
    assert watermark(lake, run_row("a", status=status, watermark_after=NOON))[0] == NOON


def test_run_that_failed_in_discovery_does_not_count(lake: Lake) -> None:
    assert watermark(lake, run_row("a", status="failed", watermark_after=None)) == (None, None)


@pytest.mark.parametrize(
    ("wanted", "read", "counts"),
    [
        ("", None, True),
        ("", ["1"], False),
        ("1", None, True),
        ("1", ["1"], True),
        ("1", ["1", "2"], True),
        ("1,2", ["2", "1"], True),
        ("1,2", ["1"], False),
        ("1", ["12"], False),
        ("1", [], False),
    ],
)
def test_only_runs_of_the_same_or_a_wider_scope_count(
    lake: Lake, wanted: str, read: list[str] | None, counts: bool
) -> None:
    found, _ = watermark(lake, run_row("a", workspace_ids=read, watermark_after=NOON), workspace_ids=wanted)

    assert found == (NOON if counts else None)


def test_run_limited_to_spaces_has_read_the_whole_log(lake: Lake) -> None:
    assert watermark(lake, run_row("a", space_ids=["s1"], watermark_after=NOON))[0] == NOON


def test_days_of_stored_messages_are_found_by_workspace_and_message(lake: Lake) -> None:
    lake.fill(
        "message_details",
        details_row(created_date=day(-9)),
        details_row(workspace_id="2"),
        details_row(message_id="m2"),
    )
    columns = table("message_details").arrow_schema("workspace_id", "message_id")
    wanted = pa.Table.from_pylist([{"workspace_id": "1", "message_id": message} for message in ("m1", "m9")], columns)

    rows = lake.select(
        "datasets/messages/select_stored_dates", wanted_messages=wanted, first_message_id="m1", last_message_id="m9"
    )

    assert rows == [{"workspace_id": "1", "message_id": "m1", "created_date": day(-9)}]
