"""The planner: per conversation the cheaper of one listing and single requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genie_obs.datasets.messages.planner import (
    PAGE_SIZE,
    ConversationPlan,
    count_pages,
    is_listing_cheaper,
    plan_conversations,
    share_workers,
)
from genie_obs.ledger.rows import ConversationSize, ConversationSizes

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def due_table(*messages: tuple[str, str, str]) -> pa.Table:
    """Return due rows of (space, conversation, message)."""
    rows: list[dict[str, Any]] = [
        {
            "workspace_id": "1",
            "space_id": space,
            "conversation_id": conversation,
            "message_id": message,
            "witnessed_date": NOON.date(),
            "first_event_time": NOON,
            "last_write_event_time": None,
            "user_email": None,
            "state": "pending",
            "attempts": 0,
            "created_date": None,
            "is_deletion_seen": False,
            "is_absence_seen": False,
            "is_refusal_seen": False,
            "conversation_date": NOON.date(),
        }
        for space, conversation, message in messages
    ]
    return pa.Table.from_pylist(rows)


def plans(due: pa.Table, sizes: ConversationSizes | None = None) -> list[ConversationPlan]:
    return list(plan_conversations(due, sizes or {}))


@pytest.mark.parametrize(
    ("messages", "pages"), [(0, 1), (1, 1), (PAGE_SIZE, 1), (PAGE_SIZE + 1, 2), (10 * PAGE_SIZE, 10)]
)
def test_listing_has_a_page_per_hundred_messages(messages: int, pages: int) -> None:
    assert count_pages(messages) == pages


@pytest.mark.parametrize(
    ("due", "known", "is_listed"),
    [
        (1, 1, False),
        (1, 0, False),
        (2, 2, True),
        (2, 100, True),
        (2, 101, False),
        (3, 200, True),
        (150, 0, True),
        (0, 0, False),
    ],
)
def test_listing_is_chosen_only_when_it_takes_fewer_calls(due: int, known: int, is_listed: bool) -> None:
    assert is_listing_cheaper(due, known) == is_listed


@settings(deadline=None)
@given(st.integers(1, 3_000), st.integers(0, 10_000))
def test_plan_never_takes_more_calls_than_asking_for_each(due: int, known: int) -> None:
    [plan] = plans(
        due_table(*(("s", "c", f"m{n}") for n in range(min(due, 40)))),
        {("1", "c"): ConversationSize(message_count=known)},
    )

    assert 1 <= plan.expected_calls <= len(plan.due)


def test_each_conversation_gets_its_plan_in_the_order_given() -> None:
    due = due_table(("s1", "c1", "m1"), ("s1", "c1", "m2"), ("s2", "c2", "m3"), ("s1", "c3", "m4"))

    found = [
        (plan.space_id, plan.conversation_id, list(plan.due), plan.is_listed, plan.expected_calls)
        for plan in plans(due)
    ]

    assert found == [
        ("s1", "c1", ["m1", "m2"], True, 1),
        ("s2", "c2", ["m3"], False, 1),
        ("s1", "c3", ["m4"], False, 1),
    ]


def test_large_conversation_with_few_due_messages_is_asked_one_by_one() -> None:
    size = ConversationSize(message_count=500, final_message_ids=frozenset({"m0"}))

    [plan] = plans(due_table(("s", "c", "m1"), ("s", "c", "m2")), {("1", "c"): size})

    assert (plan.is_listed, plan.expected_calls, plan.final_message_ids) == (False, 2, frozenset({"m0"}))


def test_size_of_another_workspace_is_not_used() -> None:
    [plan] = plans(due_table(("s", "c", "m1"), ("s", "c", "m2")), {("2", "c"): ConversationSize(message_count=500)})

    assert plan.is_listed


def test_nothing_due_needs_no_plan() -> None:
    assert plans(due_table(("s", "c", "m")).slice(0, 0)) == []


def test_conversation_longer_than_one_batch_of_rows_stays_one_plan() -> None:
    [plan] = plans(due_table(*(("s", "c", f"m{n}") for n in range(4_500))))

    assert (len(plan.due), plan.is_listed, plan.expected_calls) == (4_500, True, 45)


def test_due_message_keeps_what_the_ledger_says() -> None:
    [plan] = plans(due_table(("s", "c", "m")))

    message = plan.due["m"]
    assert (message.workspace_id, message.first_event_time, message.state) == ("1", NOON, "pending")


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        ({}, {}),
        ({"1": 5}, {"1": 64}),
        ({"1": 1_000, "2": 1_000}, {"1": 64, "2": 64}),
        ({"1": 1_000, "2": 500, "3": 1}, {"1": 64, "2": 32, "3": 16}),
        ({"1": 3, "2": 2}, {"1": 64, "2": 43}),
    ],
)
def test_workers_are_shared_in_proportion_to_what_is_due(due: dict[str, int], expected: dict[str, int]) -> None:
    workspace_ids = pa.chunked_array([[name] * count for name, count in due.items()], pa.string())

    assert share_workers(workspace_ids, 64) == expected
    assert share_workers(pc.dictionary_encode(workspace_ids), 64) == expected


def test_no_workspace_gets_more_workers_than_are_allowed() -> None:
    assert share_workers(pa.chunked_array([["1", "2"]]), 3) == {"1": 3, "2": 3}
