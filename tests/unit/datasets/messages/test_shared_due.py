"""How due messages are handed out, alone and beside another run."""

from __future__ import annotations

import pyarrow as pa
import pytest

from genie_obs.datasets.messages.shared_due import SharedDue


def due(*conversation_ids: str) -> pa.Table:
    return pa.table(
        {"message_id": [f"m{n}" for n in range(len(conversation_ids))], "conversation_id": list(conversation_ids)}
    )


def handed_out(shared: SharedDue, rows: pa.Table) -> list[list[str]]:
    return [piece["message_id"].to_pylist() for piece in shared.chunks(rows)]


def test_alone_pieces_come_in_order_and_end_between_conversations() -> None:
    shared = SharedDue(lambda: pytest.fail("nobody else is there"), chunk_rows=2, is_shared=False)
    shared.note_batch(has_met_another_run=False)

    pieces = handed_out(shared, due("a", "b", "b", "b", "c", "d", "e"))

    assert pieces == [["m0", "m1", "m2", "m3"], ["m4", "m5"], ["m6"]]


def test_nothing_due_is_no_piece() -> None:
    assert handed_out(SharedDue(due, chunk_rows=2, is_shared=False), due()) == []


def test_beside_another_run_every_message_is_still_handed_out_once() -> None:
    rows = due(*"abcdefghij")

    pieces = handed_out(SharedDue(lambda: rows, chunk_rows=1, is_shared=True), rows)

    assert sorted(pieces) == [[f"m{n}"] for n in range(10)]
    assert any(handed_out(SharedDue(lambda: rows, chunk_rows=1, is_shared=True), rows) != pieces for _ in range(20))


def test_what_another_run_has_read_meanwhile_is_left_out() -> None:
    rows = due("a", "a", "b", "b", "c")
    shared = SharedDue(lambda: rows.slice(3), chunk_rows=2, is_shared=False)
    pieces = shared.chunks(rows)
    assert next(pieces)["message_id"].to_pylist() == ["m0", "m1"]

    shared.note_batch(has_met_another_run=True)

    assert sorted(piece["message_id"].to_pylist() for piece in pieces) == [["m3"], ["m4"]]


def test_ledger_is_read_again_after_every_batch_once_another_run_was_met() -> None:
    reads: list[int] = []

    def select() -> pa.Table:
        reads.append(1)
        return due()

    shared = SharedDue(select, chunk_rows=2, is_shared=False)
    for has_met_another_run in (False, True, False):
        shared.note_batch(has_met_another_run=has_met_another_run)

    assert len(reads) == 2
