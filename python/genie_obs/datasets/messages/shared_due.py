"""Due messages handed out in chunks, so that two runs at once read few of them twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc


class SharedDue:
    """Hands out the due messages of one workspace after another, in chunks that end between two conversations.

    A run that is alone takes chunk after chunk, the newest messages first. Beside another run it takes chunks at random, and reads the
    ledger again after every batch: what the other run has read by then is no longer due, and is left out.

    For example, two runs find the same 10,000 messages due, in 10 chunks of 1,000. Each begins with a chunk of its own, most likely. When
    run A has merged its first one, the ledger says so, and run B leaves those 1,000 out when it comes to them. Towards the end both may
    read the last chunk. The runs need not know of each other.
    """

    def __init__(self, select_due: Callable[[], pa.Table], *, chunk_rows: int, is_shared: bool) -> None:
        """Make it.

        Args:
            select_due: reads from the ledger what is due by now.
            chunk_rows: messages in a chunk; a longer conversation is a chunk of its own.
            is_shared: another run is at work.
        """
        self._select_due = select_due
        self._chunk_rows = chunk_rows
        self.is_shared = is_shared
        self._still_due: pa.ChunkedArray | None = None  # ids of messages

    def note_batch(self, *, has_met_another_run: bool) -> None:
        """Read the ledger again if another run is at work. Called after every batch, by whoever owns the tables."""
        self.is_shared |= has_met_another_run
        if self.is_shared:
            self._still_due = self._select_due()["message_id"]

    def chunks(self, due: pa.Table) -> Iterator[pa.Table]:
        """Yield the due messages of one workspace, conversations together, without those that another run has read."""
        chunks = list(_cut(due, self._chunk_rows))
        while chunks:
            chunk = chunks.pop(random.randrange(len(chunks)) if self.is_shared else 0)  # noqa: S311  # to keep two runs apart
            if self._still_due is not None:
                chunk = chunk.filter(pc.is_in(chunk["message_id"], value_set=self._still_due))
            if chunk.num_rows:
                yield chunk


def _cut(due: pa.Table, chunk_rows: int) -> Iterator[pa.Table]:
    start = 0
    conversations = due["conversation_id"]
    while start < due.num_rows:
        end = min(start + chunk_rows, due.num_rows)
        while end < due.num_rows and conversations[end].as_py() == conversations[end - 1].as_py():
            end += 1
        yield due.slice(start, end - start)
        start = end
