"""Histories in which the campaign once found a difference, shrunk; each named by what went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.faults.acts import Act, Before
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
