"""Older tables: what the sentences of the ledger said becomes a code, once, when the column is added."""

from __future__ import annotations

from tests.sql.statements.lake import Lake, ledger_row

from genie_obs.lakehouse.statements import load_statement
from genie_obs.ledger.reasons import Reason

# State and sentence as the version before wrote them, and the code that it becomes.
SENTENCES = [
    ("pending", None, None),
    ("fetched", None, None),
    ("settling", "changed after it was last read", "changed"),
    ("settling", "stored while EXECUTING_QUERY", "running"),
    ("retry", "404 although the space can be read; asked for once more before it counts as gone", "absent_once"),
    ("retry", "workspace 1 is not in system.access.workspaces_latest: it was deleted, or …", "workspace_gone"),
    ("retry", "KeyError while reading the answer; please report it", "unreadable_answer"),
    ("retry", "GET /api/… failed: 503 after 6 attempts. The next run tries again.", "request_failed"),
    ("forbidden", "access refused; grant service principal x CAN MANAGE on space y", "no_permission"),
    ("deleted", "deleted in Genie", "deleted"),
    ("deleted", "404 although the space can be read", "absent"),
    ("not_found", "404 although the space can be read", "absent"),
    ("abandoned", "stored, but still ASKING_AI after 7 days", "never_final"),
    ("abandoned", "given up after 20 attempts: 503", "attempts_used_up"),
    ("erased", "erased: texts", "erased_texts"),
    ("erased", "erased: texts and asker", "erased_texts_and_asker"),
    ("erased", "erased: row", "erased_row"),
]


def test_older_rows_get_the_reason_code_that_their_sentence_says(lake: Lake) -> None:
    rows = [
        ledger_row(message_id=f"m{n}", state=state, state_reason=sentence, reason_code=None)
        for n, (state, sentence, _) in enumerate(SENTENCES)
    ]
    lake.fill("message_ledger", *rows)

    lake.tables.execute("ledger/fill_reason_code")

    found = {row["message_id"]: row for row in lake.read("message_ledger")}
    assert [found[f"m{n}"]["reason_code"] for n in range(len(SENTENCES))] == [code for _, _, code in SENTENCES]
    assert [found[f"m{n}"]["state_reason"] for n in range(len(SENTENCES))] == [sentence for _, sentence, _ in SENTENCES]


def test_code_that_is_there_stays(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row(state="forbidden", state_reason="x", reason_code="withheld"))
    lake.tables.execute("ledger/fill_reason_code")
    assert [row["reason_code"] for row in lake.read("message_ledger")] == ["withheld"]


def test_every_code_of_the_statement_is_on_the_closed_list() -> None:
    text = load_statement("ledger/fill_reason_code")
    named = {code for _, _, code in SENTENCES if code}
    assert named <= {reason.value for reason in Reason}
    assert all(f"'{code}'" in text for code in named)
