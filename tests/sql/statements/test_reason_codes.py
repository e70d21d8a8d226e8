"""An older ledger gets the column reason_code: what its sentences said becomes a code, once."""

from __future__ import annotations

from tests.sql.statements.lake import Lake, ledger_row

from genie_obs.ledger.reasons import Reason

# As versions without the column wrote them.
SAID = {
    ("settling", "changed after it was last read"): "changed",
    ("settling", "stored while EXECUTING_QUERY"): "running",
    ("retry", "404 although the space can be read; asked for once more before it counts as gone"): "absent_once",
    ("retry", "workspace 7 is not in system.access.workspaces_latest: it was deleted"): "workspace_gone",
    ("retry", "KeyError while reading the answer; please report it"): "unreadable_answer",
    ("retry", "GET /x failed: 503 after 6 attempts"): "request_failed",
    ("forbidden", "access refused; grant it"): "no_permission",
    ("deleted", "deleted in Genie"): "deleted",
    ("not_found", "deleted in Genie"): "deleted",
    ("deleted", "404 although the space can be read"): "absent",
    ("not_found", "404 although the space can be read"): "absent",
    ("abandoned", "stored, but still EXECUTING_QUERY after 7 days"): "never_final",
    ("abandoned", "given up after 20 attempts: 503"): "attempts_used_up",
    ("erased", "erased: texts"): "erased_texts",
    ("erased", "erased: texts and asker"): "erased_texts_and_asker",
    ("erased", "erased: row"): "erased_row",
    ("retry", None): "request_failed",
    ("pending", None): None,
    ("fetched", None): None,
}


def test_sentences_become_codes_and_nothing_else_changes(lake: Lake) -> None:
    rows = [ledger_row(message_id=f"{n:02}", state=state, state_reason=text) for n, (state, text) in enumerate(SAID)]
    lake.fill("message_ledger", *rows)

    lake.tables.execute("ledger/fill_reason_code")

    assert lake.read("message_ledger") == [
        {**row, "reason_code": code} for row, code in zip(rows, SAID.values(), strict=True)
    ]
    assert {code for code in SAID.values() if code} <= {reason.value for reason in Reason}


def test_code_that_is_there_stays(lake: Lake) -> None:
    known = ledger_row(state="forbidden", reason_code="withheld", state_reason="access refused")
    lake.fill("message_ledger", known)

    lake.tables.execute("ledger/fill_reason_code")

    assert lake.only("message_ledger") == known
