"""Enrichment's own decisions: how far back to look, and in which slices."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.fake_tables import NOON, FakeTables

from genie_obs.datasets.statements.query_history import MAX_SLICE_MESSAGES, Enriched, StatementFinder, enrich
from genie_obs.errors import SourceError
from genie_obs.security.content_policy import ContentGuard, ContentSettings

TODAY = NOON.date()
HISTORY = "query.history"


def run(fake: FakeTables, oldest: date | None = TODAY, told: list[tuple[str, int]] | None = None) -> Enriched:
    heard = [] if told is None else told
    return enrich(
        fake.as_tables(),
        run_id="r",
        oldest_stored_date=oldest,
        now=NOON,
        on_expected=lambda count: heard.append(("expected", count)),
        on_done=lambda count: heard.append(("done", count)),
        guard=ContentGuard(ContentSettings()),
    )


def answers(floor: date | None, *days: tuple[date, int], found: int = 0) -> dict[str, list[dict[str, Any]] | Exception]:
    statement = {
        "workspace_id": "1", "message_id": "m", "created_date": TODAY, "statement_id": "s", "query_execution_status": "FINISHED",
        "space_id": "s1", "content_policy": "full",
        "query_duration_ms": 1, "query_start_time": NOON, "query_end_time": NOON, "query_warehouse_id": "w", "query_read_rows": 1,
        "query_read_bytes": 1, "query_produced_rows": 1, "query_from_result_cache": False, "query_error_message": None,
    }  # fmt: skip
    return {
        "datasets/statements/select_enrichment_floor": [{"oldest_stored_date": floor}],
        "datasets/statements/select_statement_days": [
            {"created_date": day, "message_count": count} for day, count in days
        ],
        "datasets/statements/select_wanted_statements": [statement],
        "datasets/statements/select_statements": [statement] * found,
    }


def test_nothing_stored_lately_looks_for_nothing() -> None:
    fake = FakeTables(answers(None))

    assert run(fake, oldest=None) == Enriched()
    assert [statement for statement, _ in fake.asked] == ["datasets/statements/select_enrichment_floor"]


@pytest.mark.parametrize(
    ("ours", "theirs", "floor"),
    [
        (date(2026, 11, 1), None, date(2026, 11, 1)),
        (None, date(2026, 10, 1), date(2026, 10, 1)),
        (TODAY, date(2026, 9, 1), date(2026, 9, 1)),
    ],
)
def test_look_back_covers_this_run_and_the_earlier_ones(ours: date | None, theirs: date | None, floor: date) -> None:
    fake = FakeTables(answers(theirs))

    run(fake, oldest=ours)

    assert fake.asked[0][1] == {"started_since": TODAY - timedelta(days=7), "run_id": "r"}
    assert fake.asked[1][1] == {"from_date": floor, "stored_since": NOON - timedelta(days=7)}


def test_statements_found_are_merged_and_the_others_counted_as_missing() -> None:
    fake = FakeTables(answers(TODAY, (TODAY, 5), found=2))

    assert run(fake) == Enriched(joined_count=2, missing_count=3)
    assert fake.executed == [("datasets/statements/merge_statements", False)]


def test_nothing_found_merges_nothing() -> None:
    fake = FakeTables(answers(TODAY, (TODAY, 5)))

    assert run(fake) == Enriched(joined_count=0, missing_count=5)
    assert fake.executed == []


def test_days_are_joined_in_slices_that_fit_each_from_an_hour_before_its_first_day() -> None:
    yesterday = TODAY - timedelta(days=1)
    fake = FakeTables(answers(TODAY, (yesterday, MAX_SLICE_MESSAGES), (TODAY, 1)))

    run(fake)

    wanted = [values for statement, values in fake.asked if statement == "datasets/statements/select_wanted_statements"]
    assert [values["created_dates"] for values in wanted] == [[yesterday], [TODAY]]
    asked = [values for statement, values in fake.asked if statement == "datasets/statements/select_statements"]
    assert asked[1]["started_since"] == NOON.replace(hour=0) - timedelta(hours=1)
    assert asked[1]["started_before"] == NOON + timedelta(hours=1)


def test_who_watches_is_told_how_many_are_looked_for_and_of_each_slice() -> None:
    told: list[tuple[str, int]] = []

    run(FakeTables(answers(TODAY, (TODAY - timedelta(days=1), MAX_SLICE_MESSAGES), (TODAY, 1))), told=told)

    assert told == [("expected", MAX_SLICE_MESSAGES + 1), ("done", MAX_SLICE_MESSAGES), ("done", 1)]


def test_history_that_cannot_be_read_any_more_ends_the_pass() -> None:
    fake = FakeTables(
        {**answers(TODAY, (TODAY, 5)), "datasets/statements/select_statements": SourceError("gone", source=HISTORY)}
    )

    with pytest.raises(SourceError, match="gone"):
        run(fake)


def details(**values: Any) -> dict[str, Any]:
    row = {
        "workspace_id": "1", "message_id": "m", "space_id": "s1", "statement_id": "s", "content_policy": "full",
        "created_at": NOON - timedelta(days=2), "created_date": TODAY - timedelta(days=2),
    }  # fmt: skip
    return {**row, **values}


def fill(*rows: dict[str, Any], found: int = 1) -> tuple[int, FakeTables]:
    fake = FakeTables(answers(TODAY, found=found))
    finder = StatementFinder(fake.as_tables(), ContentGuard(ContentSettings()))
    return finder.fill(list(rows), NOON), fake


def test_first_answer_is_filled_with_what_the_history_has() -> None:
    row, other = details(), details(message_id="other")

    count, fake = fill(row, other)

    assert (count, row["query_execution_status"], row["query_warehouse_id"]) == (1, "FINISHED", "w")
    assert row["created_date"] == TODAY - timedelta(days=2)
    assert "query_execution_status" not in other
    [(_, values)] = fake.asked
    midnight = NOON.replace(hour=0) - timedelta(days=2)
    wanted = values.pop("wanted_statements")
    assert isinstance(wanted, pa.Table)
    assert wanted.num_rows == 2
    assert values == {"started_since": midnight - timedelta(hours=1), "started_before": midnight + timedelta(days=2)}


@pytest.mark.parametrize(
    "row", [details(statement_id=None), details(created_at=NOON - timedelta(hours=23)), {"created_at": NOON}]
)
def test_history_is_not_asked_for_what_it_cannot_have_yet(row: dict[str, Any]) -> None:
    count, fake = fill(row)

    assert (count, fake.asked) == (0, [])


def test_statement_that_is_not_there_yet_leaves_the_row_as_it_is() -> None:
    row = details()

    assert fill(row, found=0)[0] == 0
    assert row == details()


def test_answers_are_stored_without_statements_where_the_history_is_not_read() -> None:
    fake = FakeTables(answers(TODAY, found=1))
    finder = StatementFinder(fake.as_tables(), ContentGuard(ContentSettings()), is_read=False)
    row = details()

    assert (finder.fill([row], NOON), fake.asked, row) == (0, [], details())
    assert finder.failure is None


def test_history_that_fails_is_not_asked_again_and_says_why() -> None:
    failure = SourceError("gone", source=HISTORY)
    fake = FakeTables({"datasets/statements/select_statements": failure})
    finder = StatementFinder(fake.as_tables(), ContentGuard(ContentSettings()))
    row = details()

    assert [finder.fill([row], NOON), finder.fill([row], NOON)] == [0, 0]

    assert (row, len(fake.asked)) == (details(), 1)
    assert (finder.is_read, finder.failure) == (False, failure)
