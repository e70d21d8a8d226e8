"""Joining the statements that messages ran: which are looked for, what the history has of them, merge_statements."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from tests.sql.statements.lake import (
    DAY,
    HOUR,
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
CHANGED_SINCE = NOON - 7 * DAY
FINAL = ["FINISHED", "FAILED", "CANCELED"]
OPEN = [None, "RUNNING", "QUEUED", "SOMETHING_NEW"]


def to_ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000)


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


def wanted(lake: Lake, *messages: Row, **values: Any) -> pa.Table:
    """Return the messages whose statement is looked for; `values` replace the usual parameters."""
    lake.fill("message_details", *messages)
    usual: dict[str, Any] = {
        "from_date": day(-30), "changed_since": CHANGED_SINCE, "changed_since_ms": to_ms(CHANGED_SINCE),
        "stored_since": datetime(9999, 1, 1, tzinfo=UTC), "run_id": "this",
    }  # fmt: skip
    return lake.tables.select("datasets/statements/select_wanted_statements", **{**usual, **values})


def found(lake: Lake, messages: list[Row], statements: list[Row], *, days: tuple[date, ...] = (TODAY,)) -> list[Row]:
    lake.fill("query/history", *statements)
    rows = wanted(lake, *messages)
    if not rows.num_rows:
        return []
    return lake.select("datasets/statements/select_statements", wanted_statements=rows, days=days)


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


@pytest.mark.parametrize(
    ("values", "is_wanted"),
    [
        ({"created_at": CHANGED_SINCE, "updated_timestamp": None}, True),
        ({"created_at": CHANGED_SINCE - SECOND, "updated_timestamp": None}, False),
        ({"created_at": NOON - 20 * DAY, "updated_timestamp": to_ms(CHANGED_SINCE)}, True),
        ({"created_at": NOON - 20 * DAY, "updated_timestamp": to_ms(CHANGED_SINCE) - 1}, False),
        ({"created_at": NOON - 20 * DAY, "updated_timestamp": None, "ingestion_timestamp": NOON}, False),
    ],
)
def test_statement_is_looked_for_seven_days_after_its_message_changed_whenever_that_was_stored(
    lake: Lake, values: Row, is_wanted: bool
) -> None:
    assert wanted(lake, wanting(**values)).num_rows == is_wanted


@pytest.mark.parametrize(
    ("values", "is_wanted"),
    [
        ({"ingestion_timestamp": NOON - 2 * HOUR}, True),
        ({"ingestion_timestamp": NOON - 3 * HOUR}, False),
        ({"ingestion_batch_id": "this"}, False),
    ],
)
def test_what_was_stored_while_nobody_looked_is_looked_for_whatever_its_age(
    lake: Lake, values: Row, is_wanted: bool
) -> None:
    old = {"created_at": NOON - 20 * DAY, "updated_timestamp": None, "ingestion_timestamp": NOON, **values}

    rows = wanted(lake, wanting(**old), stored_since=NOON - 2 * HOUR)

    assert rows.num_rows == is_wanted


def test_messages_before_a_day_are_not_looked_at(lake: Lake) -> None:
    messages = [wanting(message_id=f"m{n}", created_date=day(n)) for n in (0, -31, -30)]

    assert wanted(lake, *messages)["message_id"].to_pylist() == ["m-30", "m0"]


def test_statement_is_read_only_on_the_days_asked_for(lake: Lake) -> None:
    midnight = datetime.combine(TODAY, datetime.min.time(), NOON.tzinfo)
    starts = {"before": midnight - SECOND, "first": midnight, "last": midnight + DAY - SECOND, "after": midnight + DAY}
    messages = [wanting(message_id=name, statement_id=name) for name in starts]
    statements = [statement(statement_id=name, start_time=at) for name, at in starts.items()]

    for days, names in (((TODAY,), ["first", "last"]), ((day(1), day(-1)), ["after", "before"]), ((), [])):
        assert sorted(row["message_id"] for row in found(lake, messages, statements, days=days)) == names


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


def last_reading(lake: Lake, *runs: Row) -> tuple[Any, ...]:
    lake.fill("ingestion_runs", *runs)
    [row] = lake.select("datasets/statements/select_last_reading", run_id="this")
    return row["last_read_at"], row["first_run_at"]


def test_newest_run_that_read_the_history_is_found_and_the_first_run(lake: Lake) -> None:
    runs = [
        run_row("first", at=NOON - 9 * DAY),
        run_row("older", at=NOON - 8 * DAY, enrich_seconds=1.0),
        run_row("newest", at=NOON - 7 * DAY, enrich_seconds=1.0),
        run_row("not readable", at=NOON - 6 * DAY),
        run_row("this", enrich_seconds=1.0),
    ]

    assert last_reading(lake, *runs) == (NOON - 7 * DAY, NOON - 9 * DAY)


def test_first_run_has_no_reading_before_it(lake: Lake) -> None:
    assert last_reading(lake, run_row("this")) == (None, None)
