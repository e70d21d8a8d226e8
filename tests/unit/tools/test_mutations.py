"""The bugs of `make test-mutations` can still be put in; whether each is caught takes minutes and is asked by hand."""

from __future__ import annotations

import pytest
from tools.mutations import MUTATIONS, ROOT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guarantee)
def test_bug_can_be_put_in_and_its_test_exists(mutation: Mutation) -> None:
    text = (ROOT / "python" / "genie_obs" / mutation.file).read_text(encoding="utf-8")
    assert [text.count(old) for old, _ in mutation.changes] == [1] * len(mutation.changes)
    path, _, name = mutation.test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
