"""Shows that the tests can fail: puts one bug per guarantee into a copy of the package and runs the test that must catch it.

    python -m tools.mutations

It ends with code 1 if the text of a bug is no longer in the package, if a test fails without the bug, or if no test catches
the bug.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A bug: which text in a file of the package is replaced by which, and the test that must then fail."""

    guarantee: str
    file: str
    changes: tuple[tuple[str, str], ...]
    test: str


MUTATIONS = (
    Mutation(
        guarantee="the watermark moves only when discovery is committed",
        file="datasets/events/step.py",
        changes=(
            (
                "    found = discover(",
                '    run.results["events"] = StepResult(facts={"watermark_after": days.newest_event_time})\n    found = discover(',
            ),
        ),
        test="tests/integration/test_concurrency.py::test_run_that_died_before_discovery_was_committed_does_not_move_the_watermark",
    ),
    Mutation(
        guarantee="events that come late are found",
        file="datasets/events/audit_log.py",
        changes=(("    return max(since, now - LATE_WITHIN).date()", "    return window.start.date()"),),
        test="tests/integration/test_events.py::test_message_whose_events_come_days_late_is_found_also_by_the_run_after_one_that_died",
    ),
    Mutation(
        guarantee="an action logged as two rows counts once",
        file="datasets/events/store.py",
        changes=(('    if any(row["apart_count"] for row in odd):', "    if False:"),),
        test="tests/integration/test_events.py::test_actions_logged_as_two_rows_leave_no_message_without_its_place",
    ),
    Mutation(
        guarantee="a terminal status is never undone",
        file="datasets/messages/table.sql",
        changes=(("CASE WHEN old.status IN (:terminal_statuses) AND", "CASE WHEN FALSE AND"),),
        test="tests/sql/statements/test_merge_messages.py::test_terminal_status_never_goes_back",
    ),
    Mutation(
        guarantee="no value is lost to a NULL",
        file="lakehouse/merge.py",
        changes=(('    kept = f"COALESCE(new.{column}, old.{column})"', '    kept = f"new.{column}"'),),
        test="tests/sql/statements/test_merge_messages.py::test_value_is_never_replaced_by_null",
    ),
    Mutation(
        guarantee="a passing disturbance is tried again",
        file="genie_api/retry.py",
        changes=(("frozenset({429, 500, 502, 503, 504})", "frozenset({429})"),),
        test="tests/unit/genie_api/test_api.py::test_passing_disturbance_is_retried",
    ),
    Mutation(
        guarantee="a mark to read again is met only by an answer that was asked for after it",
        file="ledger/merge_outcomes.sql",
        changes=(("l.reason_code <=> 'reread' AND", "FALSE AND"),),
        test="tests/integration/commands/test_reread.py::test_mark_made_while_a_run_holds_an_older_answer_is_met_by_the_next_run",
    ),
    Mutation(
        guarantee="what was erased is never read again",
        file="ledger/merge_reread.sql",
        changes=(("WHEN MATCHED AND l.state <> 'erased' THEN", "WHEN MATCHED THEN"),),
        test="tests/sql/statements/ledger/test_merge_reread.py::test_erased_messages_and_those_not_named_stay_as_they_are",
    ),
    Mutation(
        guarantee="one 404 is no proof that a message is gone",
        file="datasets/messages/outcomes.py",
        changes=(("    if due.is_deletion_seen or due.is_absence_seen:\n", "    if True:\n"),),
        test="tests/unit/datasets/messages/test_outcomes.py::test_first_404_that_nothing_else_tells_of_is_asked_again",
    ),
    Mutation(
        guarantee="our own reads are no activity",
        file="datasets/events/mentioned_messages.rule.sql",
        changes=(("  AND NOT e.is_own\n", ""),),
        test="tests/integration/test_job.py::test_own_reads_trigger_nothing_and_are_no_witnesses",
    ),
    Mutation(
        guarantee="a token never follows a redirect",
        file="genie_api/exchange.py",
        changes=(("allow_redirects=False", "allow_redirects=True"),),
        test="tests/unit/genie_api/test_api.py::test_redirect_is_refused_and_the_token_goes_nowhere_else",
    ),
    Mutation(
        guarantee="a proxy's page deletes nothing",
        file="genie_api/client.py",
        changes=(("_STATUSES_NEEDING_JSON = frozenset({403, 404})", "_STATUSES_NEEDING_JSON = frozenset()"),),
        test="tests/unit/genie_api/test_api.py::test_passing_disturbance_is_retried",
    ),
    Mutation(
        guarantee="a traceback with local variables shows no token",
        file="genie_api/exchange.py",
        changes=(("            without_frames(error)\n            raise\n", "            raise\n"),),
        test="tests/unit/genie_api/test_tracebacks.py::test_bug_of_the_http_library_shows_nothing",
    ),
    Mutation(
        guarantee="the content policy is applied before anything is written",
        file="datasets/messages/conversation.py",
        changes=(
            (
                '        protected = self.content_guard.protect(message, table("message_details").texts, policy)',
                "        protected = message",
            ),
        ),
        test="tests/integration/test_privacy.py::test_policy_is_applied_before_anything_is_written_and_when_a_message_is_read_again",
    ),
    Mutation(
        guarantee="what was erased does not come back",
        file="ledger/is_news.rule.sql",
        changes=(("known.state <> 'erased' AND COALESCE(", "COALESCE("),),
        test="tests/sql/statements/test_erasure.py::test_no_event_and_no_answer_opens_an_erased_message",
    ),
    Mutation(
        guarantee="two runs at once share the work",
        file="datasets/messages/shared_due.py",
        changes=(("            if self._still_due is not None:\n", "            if False:\n"),),
        test="tests/integration/test_concurrency.py::test_two_runs_at_once_share_the_work",
    ),
    Mutation(
        guarantee="a message has one row in the ledger",
        file="datasets/events/step.py",
        changes=(("_join_twins(run) if found.new_message_count else 0", "0"),),
        test="tests/integration/test_twins.py::test_message_that_two_runs_record_under_two_days_keeps_one_row",
    ),
    Mutation(
        guarantee="a living run is not taken for dead",
        file="datasets/messages/reader.py",
        changes=(("            await merger.call(heartbeat.beat)\n", "            pass\n"),),
        test="tests/unit/runs/test_heartbeat.py::test_run_that_only_waits_is_never_taken_for_dead",
    ),
    Mutation(
        guarantee="erasure forgets no text that a table declares",
        file="erasure/derived.py",
        changes=(("for column in texts.plain}", "for column in texts.plain[1:]}"),),
        test="tests/integration/test_erasure.py::test_no_text_of_a_person_is_left_in_any_file_and_no_run_brings_it_back",
    ),
    Mutation(
        guarantee="what an event tells is news to whoever asks first",
        file="ledger/is_news.rule.sql",
        changes=(("  OR (seen.user_email IS NOT NULL AND known.user_email IS NULL),", "  OR FALSE,"),),
        test="tests/sql/statements/ledger/test_merge_witnesses.py::test_what_is_called_news_is_what_the_merge_changes_and_what_is_called_due_again_is_what_it_opens",
    ),
    Mutation(
        guarantee="no text is forgotten in a declaration",
        file="datasets/spaces/table.sql",
        changes=(("description, parent_path, serialized_space", "description, serialized_space"),),
        test="tests/unit/lakehouse/test_declarations.py::test_every_column_that_can_hold_text_is_declared_as_exactly_one_kind",
    ),
    Mutation(
        guarantee="a stricter content policy keeps no text of a row that is written again",
        file="lakehouse/merge.py",
        changes=(("WHEN {_OTHER_POLICY} THEN new.{column} ELSE", "ELSE"),),
        test="tests/sql/statements/test_declared_tables.py::test_newer_row_changes_the_stored_one_as_the_declaration_says",
    ),
    Mutation(
        guarantee="a text that was erased does not come back",
        file="lakehouse/merge.py",
        changes=(("CASE WHEN {_ERASED} THEN old.{column} WHEN {_OTHER_POLICY}", "CASE WHEN {_OTHER_POLICY}"),),
        test="tests/sql/statements/test_declared_tables.py::test_newer_row_changes_the_stored_one_as_the_declaration_says",
    ),
    Mutation(
        guarantee="a person goes from every table",
        file="erasure/erase.py",
        changes=(("        _erase_person(tables, names)\n", ""),),
        test="tests/sql/statements/test_declared_tables.py::test_person_goes_from_rows_about_people_under_every_name_they_have",
    ),
    Mutation(
        guarantee="a run goes on without an optional source",
        file="pipeline/run.py",
        changes=(("            if is_required(error.source):\n", "            if True:\n"),),
        test="tests/integration/test_optional_sources.py::test_history_that_fails_when_later_statements_are_looked_for_costs_no_run",
    ),
)


def run_test(test: str, package: Path) -> int:
    """Run one test with a package folder of its own and return pytest's exit code: 0 passed, 1 failed."""
    done = subprocess.run(  # noqa: S603  # our own list of tests
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={package} .", test],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 1}:
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode


def judge(mutation: Mutation) -> str:
    """Return `caught`, or what is wrong."""
    with tempfile.TemporaryDirectory(prefix="genie-obs-mutation-") as folder:
        package = Path(folder) / "python"
        shutil.copytree(ROOT / "python", package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "sql", package.parent / "sql")  # the views, where a checkout has them
        if run_test(mutation.test, package):
            return "FAILS WITHOUT THE BUG"
        file = package / "genie_obs" / mutation.file
        text = file.read_text(encoding="utf-8")
        for old, new in mutation.changes:
            if text.count(old) != 1:
                return f"STALE: {old.strip()!r} occurs {text.count(old)} times in {mutation.file}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
        code = run_test(mutation.test, package)
        return "caught" if code == 1 else f"NOT CAUGHT (pytest ended with {code})"


def main() -> int:
    """Judge every bug and print a line for each."""
    verdicts: list[str] = []
    for mutation in MUTATIONS:
        verdicts.append(judge(mutation))
        print(f"{verdicts[-1]:<8} {mutation.guarantee}\n         {mutation.test}", flush=True)
    return 0 if set(verdicts) == {"caught"} else 1


if __name__ == "__main__":
    sys.exit(main())
