"""Enrichment: what it asks, what it merges, and what it does when the history fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.fake_tables import NOON, FakeTables

from genie_obs.datasets.statements import query_history
from genie_obs.datasets.statements.query_history import Enriched, StatementFinder, enrich
from genie_obs.datasets.statements.reading_plan import ReadingPlan
from genie_obs.errors import SourceError
from genie_obs.security.content_policy import ContentGuard, ContentSettings

TODAY = NOON.date()
HISTORY = "query.history"
PLAN = ReadingPlan(now=NOON, from_date=TODAY, changed_since=NOON - timedelta(days=7), stored_since=NOON)


def run(fake: FakeTables, told: list[tuple[str, int]] | None = None) -> Enriched:
    heard = [] if told is None else told
    return enrich(
        fake.as_tables(),
        PLAN,
        run_id="r",
        on_expected=lambda count: heard.append(("expected", count)),
        on_done=lambda count: heard.append(("done", count)),
        guard=ContentGuard(ContentSettings()),
    )


def answers(wanted: int, *, found: int = 0) -> dict[str, list[dict[str, Any]] | Exception]:
    statement = {
        "workspace_id": "1", "message_id": "m", "created_date": TODAY, "statement_id": "s", "query_execution_status": "FINISHED",
        "space_id": "s1", "content_policy": "full",
        "query_duration_ms": 1, "query_start_time": NOON, "query_end_time": NOON, "query_warehouse_id": "w", "query_read_rows": 1,
        "query_read_bytes": 1, "query_produced_rows": 1, "query_from_result_cache": False, "query_error_message": None,
    }  # fmt: skip
    times = {"created_at": NOON, "updated_timestamp": None, "ingestion_timestamp": NOON}
    return {
        "datasets/statements/select_wanted_statements": [{**statement, **times}] * wanted,
        "datasets/statements/select_statements": [statement] * found,
    }


def test_nothing_to_look_for_does_not_read_the_history() -> None:
    fake = FakeTables(answers(0))

    assert run(fake) == Enriched()
    assert [statement for statement, _ in fake.asked] == ["datasets/statements/select_wanted_statements"]


def test_statements_found_are_merged_and_the_others_counted_as_missing() -> None:
    fake = FakeTables(answers(5, found=2))

    assert run(fake) == Enriched(joined_count=2, missing_count=3)
    assert fake.executed == [("datasets/statements/merge_statements", False)]


def test_nothing_found_merges_nothing() -> None:
    fake = FakeTables(answers(5))

    assert run(fake) == Enriched(joined_count=0, missing_count=5)
    assert fake.executed == []


def test_what_is_looked_for_is_asked_in_one_reading_unless_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_history, "MAX_SLICE_MESSAGES", 4)
    told: list[tuple[str, int]] = []
    fake = FakeTables(answers(5))

    run(fake, told)

    assert told == [("expected", 5), ("done", 4), ("done", 1)]
    assert [values["days"] for statement, values in fake.asked if statement.endswith("select_statements")] == [
        [TODAY]
    ] * 2


def test_history_that_cannot_be_read_any_more_ends_the_pass() -> None:
    fake = FakeTables({**answers(5), "datasets/statements/select_statements": SourceError("gone", source=HISTORY)})

    with pytest.raises(SourceError, match="gone"):
        run(fake)


def details(**values: Any) -> dict[str, Any]:
    row = {
        "workspace_id": "1", "message_id": "m", "space_id": "s1", "statement_id": "s", "content_policy": "full",
        "created_at": NOON - timedelta(days=2), "created_date": TODAY - timedelta(days=2),
    }  # fmt: skip
    return {**row, **values}


def fill(*rows: dict[str, Any], found: int = 1) -> tuple[int, FakeTables]:
    fake = FakeTables(answers(0, found=found))
    finder = StatementFinder(fake.as_tables(), ContentGuard(ContentSettings()))
    return finder.fill(list(rows), NOON), fake


def test_first_answer_is_filled_with_what_the_history_has() -> None:
    row, other = details(), details(message_id="other")

    count, fake = fill(row, other)

    assert (count, row["query_execution_status"], row["query_warehouse_id"]) == (1, "FINISHED", "w")
    assert row["created_date"] == TODAY - timedelta(days=2)
    assert "query_execution_status" not in other
    [(_, values)] = fake.asked
    wanted = values.pop("wanted_statements")
    assert isinstance(wanted, pa.Table)
    assert wanted.num_rows == 2
    assert values == {"days": [TODAY - timedelta(days=2), TODAY - timedelta(days=1)]}


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
    fake = FakeTables(answers(0, found=1))
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
