"""Histories in which the campaign once found a difference, shrunk; each named by what went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.faults.acts import Act, Before, Meanwhile
from tests.faults.job_process import Point
from tests.faults.machine import History

from genie_obs.simulator import FaultRule


@pytest.fixture
def history() -> Iterator[History]:
    """A small account without oddities; in the end it comes to rest and is compared with the truth."""
    history = History()
    history.begin(seed=0, quirks=False, message_count=3, workspace_count=1)
    yield history
    history.close()


def test_rating_after_a_run_whose_clock_was_ahead_is_not_lost(history: History) -> None:
    history.run_with_a_clock_that_jumps(before=Before(), seconds=7200, after=0, dies_at=None, given={})
    history.life_goes_on(Before(minutes=20))
    history.life_goes_on(Before((Act("rate", 0, 1),)))

    history.finish()


def test_outage_in_the_middle_of_a_run_is_made_up_for(history: History) -> None:
    faults = [
        FaultRule(operation="*", status=503, skip=3, times=12),
        FaultRule(operation="list_messages", action="truncate"),
    ]
    history.run_with_faults(before=Before(), faults=faults, meanwhile=[], given={})

    history.finish()


def test_run_record_counts_what_waited_for_the_tables_when_the_workspace_was_lost(history: History) -> None:
    history.life_goes_on(Before(questions=40))
    faults = [FaultRule(operation="get_message", status=401, skip=20, times=100)]

    history.run_with_faults(
        before=Before(), faults=faults, meanwhile=[], given={"batch_size": "1", "max_concurrency": "64"}
    )

    history.finish()


def test_message_of_50_megabytes_is_stored_as_it_is(history: History) -> None:
    history.run_with_faults(
        before=Before((Act("ask_at_length"),)),
        faults=[FaultRule(operation="*", status=503, times=2)],
        meanwhile=[Meanwhile(1, Act("ask"))],
        given={},
    )

    history.finish()

    assert max(len(row["content"]) for row in history.read("message_details")) > 49_000_000


def test_deletion_is_marked_when_the_run_that_stored_the_message_died_before_the_ledger_said_so(
    history: History,
) -> None:
    killed = Point(statement="ledger/merge_outcomes", moment="before")
    history.run_killed_at_a_command(before=Before(), dies_at=killed, faults=[], meanwhile=[], given={})
    history.run_with_faults(before=Before((Act("delete"),)), faults=[], meanwhile=[], given={})

    history.finish()

    assert any(row["is_deleted"] for row in history.read("message_details"))


def test_check_of_a_right_that_fails_does_not_end_the_run(history: History) -> None:
    history.life_goes_on(Before((Act("continue", 0, 2), Act("delete_conversation"), Act("ask"))))
    faults = [FaultRule(operation="list_conversations", action="gzip_bomb", times=20)]
    history.run_with_faults(before=Before(), faults=faults, meanwhile=[], given={})
    assert history.faults_hit

    history.finish()


def test_second_check_of_a_space_that_was_closed_does_not_end_the_run_when_it_fails(history: History) -> None:
    for pick in range(2):
        history.life_goes_on(Before((Act("deny", pick, 1),)))
    history.run_with_faults(before=Before(), faults=[], meanwhile=[], given={})
    for pick in range(2):
        history.life_goes_on(Before((Act("allow", pick),)))
    faults = [FaultRule(operation="list_conversations", status=503, times=200)]
    history.run_with_faults(before=Before(minutes=1500), faults=faults, meanwhile=[], given={})

    history.finish()


@pytest.mark.parametrize("after_requests", [4, 5, 6])
def test_messages_of_a_space_that_was_closed_after_its_right_was_checked_are_not_taken_for_gone(
    history: History, after_requests: int
) -> None:
    history.life_goes_on(Before((Act("deny"), Act("deny", 1)), questions=6))
    history.run_with_faults(before=Before(), faults=[], meanwhile=[], given={})
    reopened = Before((Act("allow"), Act("allow", 1)), minutes=1500)
    closed_again = [Meanwhile(after_requests, Act("deny")), Meanwhile(after_requests, Act("deny", 1))]

    history.run_with_faults(before=reopened, faults=[], meanwhile=closed_again, given={"max_concurrency": "1"})

    history.finish()
