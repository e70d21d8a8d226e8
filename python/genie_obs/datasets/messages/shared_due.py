"""Due messages handed out in pieces, so that two runs at once read little twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc


class SharedDue:
    """The due messages of one workspace after another, handed out in pieces that end between two conversations.

    Alone, a run takes piece after piece. Beside another run it draws them at random and leaves out what the ledger, read
    again after every batch, no longer calls due: two runs then read little twice, and need not know of each other.
    """

    def __init__(self, select_due: Callable[[], pa.Table], *, piece_rows: int, is_shared: bool) -> None:
        self._select_due = select_due
        self._piece_rows = piece_rows
        self.is_shared = is_shared  # another run is at work
        self._still_due: pa.ChunkedArray | None = None

    def note_batch(self, *, has_met_another_run: bool) -> None:
        """Read the ledger again where another run is at work; called after a batch, by who owns the tables."""
        self.is_shared |= has_met_another_run
        if self.is_shared:
            self._still_due = self._select_due()["message_id"]

    def pieces(self, due: pa.Table) -> Iterator[pa.Table]:
        """Yield the due messages of one workspace, conversations together; what is left out was read by another run."""
        left = list(_cut(due, self._piece_rows))
        while left:
            piece = left.pop(random.randrange(len(left)) if self.is_shared else 0)  # noqa: S311  # to keep two runs apart
            if self._still_due is not None:
                piece = piece.filter(pc.is_in(piece["message_id"], value_set=self._still_due))
            if piece.num_rows:
                yield piece


def _cut(due: pa.Table, piece_rows: int) -> Iterator[pa.Table]:
    start = 0
    conversations = due["conversation_id"]
    while start < due.num_rows:
        end = min(start + piece_rows, due.num_rows)
        while end < due.num_rows and conversations[end].as_py() == conversations[end - 1].as_py():
            end += 1
        yield due.slice(start, end - start)
        start = end
