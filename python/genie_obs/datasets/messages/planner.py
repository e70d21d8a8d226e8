"""The fetch planner: for each conversation the cheaper of listing its messages and asking for each alone.

A listing costs one call per 100 messages that the conversation has, due or not; asking alone costs one call per due message:

| messages known | due | listing | alone | chosen |
|---:|---:|---:|---:|---|
| 4 | 4 | 1 call | 4 calls | listing |
| 4 | 1 | 1 call | 1 call | alone: the same, and a smaller answer |
| 500 | 3 | 5 calls | 3 calls | alone |
| 500 | 40 | 5 calls | 40 calls | listing |
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.lakehouse.arrow_rows import to_rows
from genie_obs.ledger.rows import ConversationSize, ConversationSizes, DueMessage

PAGE_SIZE = 100  # largest page third-party clients are known to get
_ROWS_AT_ONCE = 2_000
_LEAST_WORKERS = 16  # else a workspace with little to do, but slow answers, would be the last to end


@dataclass(slots=True, kw_only=True)
class ConversationPlan:
    """How the due messages of one conversation are fetched."""

    space_id: str
    conversation_id: str
    due: dict[str, DueMessage] = field(default_factory=dict)  # by message_id
    final_message_ids: frozenset[str] = (
        frozenset()
    )  # as far as they are known: a listing shows them too, and they are skipped
    is_listed: bool = False
    expected_calls: int = 0

    def without(self, settled: set[str]) -> ConversationPlan:
        """Return the plan for the rest, after some of its messages got an outcome. Its calls were counted already."""
        left = {message_id: message for message_id, message in self.due.items() if message_id not in settled}
        return replace(self, due=left, final_message_ids=self.final_message_ids | settled, expected_calls=0)


_UNKNOWN_SIZE = ConversationSize()
_DUE_COLUMNS = [item.name for item in fields(DueMessage)]


def is_listing_cheaper(due_count: int, message_count: int) -> bool:
    """Say whether listing the conversation takes fewer calls than one call per due message.

    `message_count` is what the ledger knows of the conversation, which may be less than it has, but not less than `due_count`.
    """
    return count_pages(max(due_count, message_count)) < due_count


def count_pages(message_count: int) -> int:
    """Return how many pages a listing of so many messages has."""
    return max(1, math.ceil(message_count / PAGE_SIZE))


def share_workers(workspace_ids: pa.ChunkedArray, max_concurrency: int) -> dict[str, int]:
    """Return how many conversations of each workspace are read at once, given the workspace of every due message.

    The workspace with the most due messages gets `max_concurrency`, the others in proportion, at least 16. So all of them work back
    through the days at about the same pace. A batch of outcomes then touches few days, and the days are what a MERGE costs by.

    For example, with `max_concurrency` 64 and 1,000, 500 and 1 due messages: 64, 32 and 16 conversations at once. The first two take
    about the same time, so the second ends no later than if it had 64.
    """
    counts = {item["values"]: item["counts"] for item in pc.value_counts(workspace_ids).to_pylist()}
    most = max(counts.values(), default=0)
    return {
        workspace_id: min(max_concurrency, max(_LEAST_WORKERS, math.ceil(max_concurrency * count / most)))
        for workspace_id, count in counts.items()
    }


def plan_conversations(due: pa.Table, sizes: ConversationSizes) -> Iterator[ConversationPlan]:
    """Yield a plan for each conversation of one workspace; `due` has conversations together, in the order to fetch them.

    Rows become objects some thousands at a time: a large backlog stays Arrow, which takes less memory, until its turn comes.
    """
    for (space_id, conversation_id), messages in groupby(
        _iterate(due), key=lambda message: (message.space_id, message.conversation_id)
    ):
        wanted = {message.message_id: message for message in messages}
        size = sizes.get((next(iter(wanted.values())).workspace_id, conversation_id), _UNKNOWN_SIZE)
        is_listed = is_listing_cheaper(len(wanted), size.message_count)
        yield ConversationPlan(
            space_id=space_id,
            conversation_id=conversation_id,
            due=wanted,
            final_message_ids=size.final_message_ids,
            is_listed=is_listed,
            expected_calls=count_pages(max(len(wanted), size.message_count)) if is_listed else len(wanted),
        )


def _iterate(due: pa.Table) -> Iterator[DueMessage]:
    rows = due.select(_DUE_COLUMNS)
    for start in range(0, rows.num_rows, _ROWS_AT_ONCE):
        for row in to_rows(rows.slice(start, _ROWS_AT_ONCE)):
            yield DueMessage(**row)
