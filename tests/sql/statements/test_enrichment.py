"""Joining the statements that messages ran: which are looked for, what the history has of them, merge_statements."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from tests.sql.statements.lake import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    QUERY_COLUMNS,
    SECOND,
    TODAY,
    Lake,
    Row,
    day,
    details_row,
    run_row,
)

NOT_JOINED: Row = dict.fromkeys(QUERY_COLUMNS)
STORED_SINCE = NOON - 7 * DAY
FINAL = ["FINISHED", "FAILED", "CANCELED"]
OPEN = [None, "RUNNING", "QUEUED", "SOMETHING_NEW"]


def wanting(**values: Any) -> Row:
    """Return a stored message whose statement is not joined yet."""
    return details_row(**{**NOT_JOINED, **values})


def statement(**values: Any) -> Row:
    """Return a row of system.query.history; `warehouse_id` fills the nested column."""
    row = {
        "workspace_id": "1",
        "statement_id": "st1",
        "execution_status": "FINISHED",
        "compute": {"type": "WAREHOUSE", "cluster_id": None, "warehouse_id": values.pop("warehouse_id", "w1")},
        "error_message": None,
        "total_duration_ms": 1_200,
        "start_time": NOON + SECOND,
        "end_time": NOON + 2 * SECOND,
        "update_time": NOON + 3 * SECOND,
        "read_rows": 100,
        "produced_rows": 1,
        "read_bytes": 4_096,
        "from_result_cache": False,
    }
    return {**row, **values}


def found(
    lake: Lake,
    messages: list[Row],
    statements: list[Row],
    *,
    created_dates: tuple[date, ...] = (TODAY,),
    stored_since: datetime = STORED_SINCE,
    started_since: datetime = NOON - DAY,
    started_before: datetime = NOON + DAY,
) -> list[Row]:
    lake.fill("message_details", *messages)
    lake.fill("query/history", *statements)
    wanted = lake.tables.select(
        "datasets/statements/select_wanted_statements", created_dates=created_dates, stored_since=stored_since
    )
    if not wanted.num_rows:
        return []
    return lake.select(
        "datasets/statements/select_statements",
        wanted_statements=wanted,
        started_since=started_since,
        started_before=started_before,
    )


JOINED: Row = {
    "query_execution_status": "FINISHED",
    "query_duration_ms": 1_200,
    "query_start_time": NOON + SECOND,
    "query_end_time": NOON + 2 * SECOND,
    "query_warehouse_id": "w1",
    "query_read_rows": 100,
    "query_read_bytes": 4_096,
    "query_produced_rows": 1,
    "query_from_result_cache": False,
    "query_error_message": None,
}


def test_statement_is_found_with_everything_the_history_tells(lake: Lake) -> None:
    rows = found(lake, [wanting()], [statement()])

    place = {"space_id": "s1", "content_policy": "full"}
    assert rows == [
        {"workspace_id": "1", "message_id": "m1", "created_date": TODAY, "statement_id": "st1", **place, **JOINED}
    ]


def test_empty_history_finds_nothing(lake: Lake) -> None:
    assert found(lake, [wanting()], []) == []


def test_newest_version_of_a_statement_counts(lake: Lake) -> None:
    versions = [
        statement(update_time=NOON + 5 * SECOND, total_duration_ms=5),
        statement(update_time=NOON + 9 * SECOND, total_duration_ms=9),
        statement(update_time=None, total_duration_ms=0),
        statement(update_time=NOON + 7 * SECOND, total_duration_ms=7),
    ]

    [row] = found(lake, [wanting()], versions)

    assert row["query_duration_ms"] == 9


def test_version_that_ended_counts_when_updates_are_equal(lake: Lake) -> None:
    versions = [statement(execution_status="RUNNING", end_time=None), statement(total_duration_ms=9)]

    [row] = found(lake, [wanting()], versions)

    assert (row["query_execution_status"], row["query_duration_ms"]) == ("FINISHED", 9)


def test_same_statement_id_in_another_workspace_is_another_statement(lake: Lake) -> None:
    assert found(lake, [wanting()], [statement(workspace_id="2")]) == []


def test_two_messages_with_one_statement_both_get_it(lake: Lake) -> None:
    rows = found(lake, [wanting(), wanting(message_id="m2")], [statement()])

    assert sorted(row["message_id"] for row in rows) == ["m1", "m2"]


def test_only_statements_that_are_not_final_are_looked_for(lake: Lake) -> None:
    messages = [wanting(message_id=str(status), query_execution_status=status) for status in (*OPEN, *FINAL)]

    rows = found(lake, messages, [statement()])

    assert sorted(row["message_id"] for row in rows) == sorted(map(str, OPEN))


def test_status_that_is_known_already_is_not_joined_again(lake: Lake) -> None:
    assert found(lake, [wanting(query_execution_status="RUNNING")], [statement(execution_status="RUNNING")]) == []


def test_statement_without_a_status_is_not_joined(lake: Lake) -> None:
    assert found(lake, [wanting()], [statement(execution_status=None)]) == []


def test_answer_without_a_statement_is_not_looked_for(lake: Lake) -> None:
    assert found(lake, [wanting(statement_id=None)], [statement(statement_id=None)]) == []


@pytest.mark.parametrize(("age", "count"), [(timedelta(days=7), 1), (timedelta(days=7, seconds=1), 0)])
def test_statement_is_looked_for_seven_days_after_its_message_was_stored(
    lake: Lake, age: timedelta, count: int
) -> None:
    assert len(found(lake, [wanting(ingestion_timestamp=NOON - age)], [statement()])) == count


def test_statement_that_started_before_the_days_looked_at_is_not_read(lake: Lake) -> None:
    assert found(lake, [wanting()], [statement()], started_since=NOON + MINUTE) == []


def test_statement_that_started_after_the_time_looked_at_is_not_read(lake: Lake) -> None:
    assert found(lake, [wanting()], [statement()], started_before=NOON + SECOND) == []


def test_only_the_days_asked_for_are_joined(lake: Lake) -> None:
    messages = [wanting(message_id=f"m{n}", created_date=day(n)) for n in (-2, -1, 0)]

    rows = found(lake, messages, [statement()], created_dates=(day(-2), day(0)))

    assert sorted(row["message_id"] for row in rows) == ["m-2", "m0"]


def joined(**values: Any) -> Row:
    return {"workspace_id": "1", "message_id": "m1", "created_date": TODAY, "statement_id": "st1", **JOINED, **values}


def test_joined_statement_fills_its_columns_and_no_others(lake: Lake) -> None:
    lake.fill("message_details", wanting())

    lake.merge_statements(joined())

    assert lake.only("message_details") == {**wanting(), **JOINED}


def test_joined_statement_never_replaces_a_value_by_null(lake: Lake) -> None:
    lake.fill("message_details", details_row())

    lake.merge_statements(joined(**{**NOT_JOINED, "query_execution_status": "FAILED"}))

    assert lake.only("message_details") == details_row(query_execution_status="FAILED")


@pytest.mark.parametrize("now", ["st2", None])
def test_statement_that_is_no_longer_the_answer_is_not_joined(lake: Lake, now: str | None) -> None:
    lake.fill("message_details", wanting(statement_id=now))
    version = lake.version("message_details")

    lake.merge_statements(joined())

    assert lake.version("message_details") == version


def test_statement_of_a_message_that_is_not_stored_stores_nothing(lake: Lake) -> None:
    lake.merge_statements(joined())

    assert lake.read("message_details") == []


def statement_days(lake: Lake, *messages: Row) -> list[tuple[date, int]]:
    lake.fill("message_details", *messages)
    rows = lake.select("datasets/statements/select_statement_days", from_date=day(-30), stored_since=STORED_SINCE)
    return [(row["created_date"], row["message_count"]) for row in rows]


def test_days_with_statements_to_look_for_are_counted_in_order(lake: Lake) -> None:
    messages = [
        wanting(message_id="m1", created_date=day(0)),
        wanting(message_id="m2", created_date=day(-3), query_execution_status="RUNNING"),
        wanting(message_id="m3", created_date=day(-3)),
        wanting(message_id="too old", created_date=day(-31)),
        wanting(message_id="no statement", created_date=day(-4), statement_id=None),
        wanting(message_id="given up", created_date=day(-5), ingestion_timestamp=STORED_SINCE - SECOND),
        *(wanting(message_id=status, created_date=day(-6), query_execution_status=status) for status in FINAL),
    ]

    assert statement_days(lake, *messages) == [(day(-3), 2), (day(0), 1)]


def test_nothing_stored_has_no_days(lake: Lake) -> None:
    assert statement_days(lake) == []


def floor(lake: Lake, *runs: Row) -> date | None:
    lake.fill("ingestion_runs", *runs)
    [row] = lake.select("datasets/statements/select_enrichment_floor", started_since=day(-7), run_id="this")
    oldest: date | None = row["oldest_stored_date"]
    return oldest


@pytest.mark.parametrize(
    ("runs", "oldest"),
    [
        ([], None),
        ([run_row("a", oldest_stored_date=day(-3)), run_row("b", oldest_stored_date=day(-9))], day(-9)),
        ([run_row("stored nothing"), run_row("b", oldest_stored_date=day(-2))], day(-2)),
        ([run_row("stored nothing")], None),
        ([run_row("long ago", at=NOON - 8 * DAY, oldest_stored_date=day(-40))], None),
        ([run_row("a week ago", at=NOON - 7 * DAY, oldest_stored_date=day(-40))], day(-40)),
        ([run_row("this", status="running", oldest_stored_date=day(-5))], None),
        ([run_row("partial", status="partial", oldest_stored_date=day(-4))], day(-4)),
        ([run_row("failed", status="failed"), run_row("b", oldest_stored_date=day(-2))], date(1970, 1, 1)),
        ([run_row("silent", status="running"), run_row("b", oldest_stored_date=day(-2))], date(1970, 1, 1)),
        ([run_row("killed", status="killed"), run_row("b", oldest_stored_date=day(-2))], date(1970, 1, 1)),
    ],
    ids=lambda value: "+".join(run["run_id"] for run in value) if isinstance(value, list) else "",
)
def test_enrichment_looks_back_as_far_as_recent_runs_may_have_stored(
    lake: Lake, runs: list[Row], oldest: date | None
) -> None:
    assert floor(lake, *runs) == oldest


def test_enrichment_window_covers_a_statement_that_started_just_before_its_day(lake: Lake) -> None:
    midnight = datetime.combine(TODAY, datetime.min.time(), NOON.tzinfo)

    rows = found(lake, [wanting()], [statement(start_time=midnight - MINUTE)], started_since=midnight - HOUR)

    assert len(rows) == 1
