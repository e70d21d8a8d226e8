"""The due messages of one workspace are a view of the list of all."""

from __future__ import annotations

import pyarrow as pa
import pytest

from genie_obs.ledger.due import due_of_workspace

DUE = pa.table(
    {"workspace_id": pa.array(["1", "1", "20", "3", "3"]).dictionary_encode(), "message_id": ["a", "b", "c", "d", "e"]}
)


@pytest.mark.parametrize(
    ("workspace_id", "messages"), [("1", ["a", "b"]), ("20", ["c"]), ("3", ["d", "e"]), ("2", []), ("", [])]
)
def test_due_of_workspace_is_what_belongs_to_it(workspace_id: str, messages: list[str]) -> None:
    assert due_of_workspace(DUE, workspace_id)["message_id"].to_pylist() == messages


def test_due_of_workspace_of_nothing_is_nothing() -> None:
    assert due_of_workspace(DUE.slice(0, 0), "1").num_rows == 0


def test_due_of_workspace_copies_no_text() -> None:
    found = due_of_workspace(DUE, "3")["message_id"].chunk(0)

    assert found.buffers()[2].address == DUE["message_id"].chunk(0).buffers()[2].address
