"""Tests of statements once more, on Apache Spark: same rows in, same rows out as on the local engine.

Of the merges only the tests whose outcome an engine could decide otherwise: each costs the JVM seconds, and `test_job.py` compares
all that they write, row by row. For the same reason a push runs few of these (`every_push.py`), and `make test-all` the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.spark.spark_lake import SparkLake
from tests.sql.statements import (
    test_departures,
    test_enrichment,
    test_erasure,
    test_known_messages,
    test_merge_messages,
    test_select_rereadable,
    test_spaces_and_runs,
)
from tests.sql.statements.events import test_events
from tests.sql.statements.ledger import (
    test_discovery_statements,
    test_merge_outcomes,
    test_merge_reread,
    test_merge_witnesses,
    test_reason_codes,
    test_select_due,
    test_select_witnesses,
    test_twins,
)

_ALL = (
    test_departures,
    test_discovery_statements,
    test_known_messages,
    test_reason_codes,
    test_select_due,
    test_select_rereadable,
    test_select_witnesses,
    test_spaces_and_runs,
    test_twins,
)
_CHOSEN = {
    test_events: (
        "test_event_becomes_a_row_with_everything_it_says",
        "test_every_action_has_its_kind_and_only_unknown_ones_are_odd",
        "test_copies_of_an_event_are_one_row",
        "test_what_is_stored_already_is_not_written_again",
        "test_rows_of_one_action_that_come_in_different_runs_are_joined",
        "test_event_about_an_erased_message_brings_nothing_back",
    ),
    test_enrichment: (
        "test_statement_is_found_with_everything_the_history_tells",
        "test_newest_version_of_a_statement_counts",
        "test_only_statements_that_are_not_final_are_looked_for",
        "test_joined_statement_fills_its_columns_and_no_others",
        "test_statement_that_is_no_longer_the_answer_is_not_joined",
        "test_statement_is_looked_for_seven_days_after_its_message_changed_whenever_that_was_stored",
        "test_what_was_stored_while_nobody_looked_is_looked_for_whatever_its_age",
        "test_statement_is_read_only_on_the_days_asked_for",
        "test_newest_run_that_read_the_history_is_found_and_the_first_run",
    ),
    test_erasure: (
        "test_description_and_configuration_of_a_space_go_and_are_not_read_again",
        "test_old_messages_are_counted_until_they_are_erased",
        "test_selectors_narrow_each_other_down",
        "test_what_a_run_stored_meanwhile_is_found",
        "test_what_is_erased_is_named_again_only_where_something_is_left",
    ),
    test_merge_messages: (
        "test_new_message_is_stored_as_it_is_without_a_joined_statement",
        "test_unchanged_message_writes_nothing",
        "test_value_is_never_replaced_by_null",
        "test_list_is_never_replaced_by_an_empty_one",
        "test_terminal_status_never_goes_back",
        "test_older_answer_is_ignored",
        "test_answer_is_taken_when_the_known_one_is_yet_to_come",
        "test_deletion_marks_the_row_and_keeps_everything_else",
        "test_another_statement_clears_what_was_joined_for_the_old_one",
        "test_messages_are_told_apart_by_workspace_message_and_day",
        "test_messages_that_are_expected_to_be_new_are_inserted_and_those_that_are_there_merged",
        "test_messages_that_are_new_as_expected_cost_one_version",
    ),
    test_merge_outcomes: (
        "test_outcome_replaces_the_state_and_nothing_that_discovery_knows",
        "test_ignored_outcome_writes_nothing",
        "test_message_with_a_write_that_was_not_known_when_it_was_asked_for_is_not_final",
        "test_outcome_is_taken_when_the_known_attempt_is_yet_to_come",
        "test_message_found_only_in_a_listing_enters_the_ledger",
    ),
    test_merge_reread: (
        "test_stored_messages_settle_and_others_are_pending_with_all_their_attempts",
        "test_erased_messages_and_those_not_named_stay_as_they_are",
        "test_only_an_answer_that_was_asked_for_after_the_mark_meets_it",
    ),
    test_merge_witnesses: (
        "test_message_seen_for_the_first_time_becomes_pending",
        "test_nothing_new_writes_nothing",
        "test_another_action_joins_the_witnesses_in_order_and_changes_nothing_else",
        "test_write_after_the_last_read_reopens_a_final_message",
        "test_later_write_reopens_whatever_the_clock_of_the_job_said",
        "test_first_event_time_only_goes_down",
        "test_each_message_is_found_by_workspace_message_and_day",
    ),
}
_CHOSEN |= {module: tuple(name for name in vars(module) if name.startswith("test_")) for module in _ALL}

for _module, _names in _CHOSEN.items():
    for _name in _names:
        assert _name not in globals(), f"two tests are called {_name}; here one would hide the other"
        globals()[_name] = getattr(_module, _name)


@pytest.fixture(scope="module")
def _module_lake(spark_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkLake]:
    lake = SparkLake(tmp_path_factory.mktemp("statements"), spark_server, "statements")
    yield lake
    lake.close()


@pytest.fixture
def lake(_module_lake: SparkLake) -> SparkLake:
    _module_lake.clear()
    return _module_lake
