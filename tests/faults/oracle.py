"""What the tables must hold, worked out from the simulated account alone: no line of this is shared with the job."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.world import Key, Row, RunEnd, World, key_of

from genie_obs.simulator import SimulatedMessage, SimulatedSpace, message_body

TERMINAL = {"COMPLETED", "FAILED", "CANCELLED", "QUERY_RESULT_EXPIRED"}
STATES = {"pending", "fetched", "settling", "retry", "forbidden", "deleted", "not_found", "abandoned"}
FINAL_EXECUTION = {"FINISHED", "FAILED", "CANCELED"}
# From the history's name to ours.
STATEMENT_COLUMNS = {
    "execution_status": "query_execution_status",
    "total_duration_ms": "query_duration_ms",
    "start_time": "query_start_time",
    "end_time": "query_end_time",
    "read_rows": "query_read_rows",
    "read_bytes": "query_read_bytes",
    "produced_rows": "query_produced_rows",
    "from_result_cache": "query_from_result_cache",
    "error_message": "query_error_message",
}
JOINED_COLUMNS = (*STATEMENT_COLUMNS.values(), "query_warehouse_id")
_NEVER_LOST = "is_deleted"
_LISTS = {"statement_ids", "suggested_questions"}


def expected_row(message: SimulatedMessage) -> Row:
    """Return the columns of `message_details` that follow from what the API says now; None where it says nothing."""
    body = message_body(message)
    attachments = body.get("attachments")
    parts = attachments or []
    queries = [part["query"] for part in parts if "query" in part]
    answer = queries[-1] if queries else {}
    old_result = body.get("query_result") or {}
    positions = [index for index, part in enumerate(parts) if "query" in part]
    answers, questions = [], []
    for index, part in enumerate(parts):
        if "text" in part:
            if part["text"].get("purpose") == "FOLLOW_UP_QUESTION":
                questions.append(part["text"]["content"])
            elif not positions or not positions[0] <= index < positions[-1]:
                answers.append(part["text"]["content"])
    feedback, error = body.get("feedback") or {}, body.get("error") or {}
    row_count = (answer.get("query_result_metadata") or {}).get("row_count", old_result.get("row_count"))
    statement_ids = [query["statement_id"] for query in queries if query.get("statement_id")]
    return {
        "content": body["content"],
        "status": body["status"],
        "space_id": message.space_id,
        "conversation_id": message.conversation_id,
        "user_id": str(body["user_id"]) if body.get("user_id") not in {None, 0, "0"} else None,
        "updated_timestamp": _milliseconds(body.get("last_updated_timestamp")),
        "query_sql": answer.get("query"),
        "query_title": answer.get("title"),
        "query_description": answer.get("description"),
        "statement_id": answer.get("statement_id") or old_result.get("statement_id"),
        "query_row_count": None if row_count is None else int(row_count),
        "statement_ids": statement_ids or [old_result["statement_id"]] if old_result else statement_ids,
        "answer_text": "\n\n".join(answers) or None,
        "clarification_text": "\n\n".join(questions) or None,
        "suggested_questions": [
            text for part in parts if "suggested_questions" in part for text in part["suggested_questions"]["questions"]
        ],
        "attachments_json": attachments,
        "attachments_count": None if attachments is None else len(attachments),
        "feedback_rating": feedback.get("rating"),
        "feedback_comment": feedback.get("comment"),
        "error_type": error.get("type"),
        "error_message": error.get("error"),
    }


def _milliseconds(value: Any) -> int | None:
    if value is None:
        return None
    number = int(value)
    return number * 1000 if number < 100_000_000_000 else number


class Oracle:
    """Follows a world and says whether the tables tell its truth. Raises AssertionError where they do not."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._shown: dict[Key, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self._details: dict[Key, Row] = {}
        self._ledger: dict[Key, Row] = {}
        self._runs: set[str] = set()
        self._published: set[Key] = set()
        world.on_change = self.remember
        self.remember()

    def remember(self) -> None:
        """Note everything the API shows now: a value seen once may stay when a later answer has none."""
        for message in list(self.world.account.messages()):
            shown = self._shown[key_of(message)]
            for column, value in expected_row(message).items():
                if value not in shown[column]:
                    shown[column].append(value)

    # -- after every run, however it ended ------------------------------------------------------------------------------------------

    def before_run(self) -> None:
        """Note what the audit log proves when the run starts."""
        self._published = set(self.visible())

    def after_run(self, ends: list[RunEnd]) -> None:
        """Check what holds at any time: nothing double, nothing lost, nothing undone, no claim without a row."""
        details, ledger = keyed(self.world, "message_details"), keyed(self.world, "message_ledger")
        keyed_spaces(self.world)
        self._check_nothing_regressed(details, ledger)
        self._check_ledger(details, ledger)
        self._check_runs(ends, ledger)
        self._details, self._ledger = details, ledger

    def check_refused(self, workspace_id: str, ledger_before: dict[Key, Row], end: RunEnd) -> None:
        """Check a run in which one workspace refused every call: its messages wait as they did, and the run says so."""
        ledger = keyed(self.world, "message_ledger")
        for key in (key for key in ledger if key[0] == workspace_id):
            before = ledger_before.get(key)
            state, attempts = (before["state"], before["attempts"]) if before else ("pending", 0)
            after = ledger[key]
            assert after["attempts"] <= attempts, f"{key}: a refusal of the whole workspace used an attempt up"
            # New events make a message pending again, and some tell of a deletion; no call is needed for either.
            assert after["state"] in {state, "pending", "deleted"}, f"{key}: {state} became {after['state']}"
        assert end.record is not None, f"a refusal of one workspace ended the run: {end.error}"
        if self.world.server.stats.calls(workspace_id=workspace_id):
            assert end.record["status"] == "partial", f"a workspace refused everything, yet: {end.record}"

    def _check_nothing_regressed(self, details: dict[Key, Row], ledger: dict[Key, Row]) -> None:
        assert set(self._details) <= set(details), "rows of message_details are gone"
        assert set(self._ledger) <= set(ledger), "rows of message_ledger are gone"
        for key, before in self._details.items():
            after = details[key]
            is_other_statement = before["statement_id"] != after["statement_id"]
            for column, value in before.items():
                if is_other_statement and column in JOINED_COLUMNS:
                    continue
                assert value is None or after[column] is not None, f"{key}: {column} was {value!r} and is lost"
            assert before["status"] not in TERMINAL or after["status"] in TERMINAL, (
                f"{key}: {before['status']} became {after['status']}"
            )
            assert before["created_date"] == after["created_date"]
            assert (before["updated_timestamp"] or 0) <= (after["updated_timestamp"] or 0)
        for key, before in self._ledger.items():
            after = ledger[key]
            assert set(before["witnesses"]) <= set(after["witnesses"])
            assert before["witnessed_date"] == after["witnessed_date"]
            assert before["created_date"] in {None, after["created_date"]}
            assert before["last_write_event_time"] is None or (
                after["last_write_event_time"] is not None
                and before["last_write_event_time"] <= after["last_write_event_time"]
            )

    def _check_ledger(self, details: dict[Key, Row], ledger: dict[Key, Row]) -> None:
        """Check the invariant: each witnessed message in one row and one known state, each stored message in the ledger."""
        assert {row["state"] for row in ledger.values()} <= STATES
        for key, row in ledger.items():
            if row["state"] in {"fetched", "settling"} or row["created_date"] is not None:
                assert key in details, f"{key}: the ledger says {row['state']}, but nothing is stored"

    def _check_runs(self, ends: list[RunEnd], ledger: dict[Key, Row]) -> None:
        """Check that the watermark is never ahead of what is in the ledger."""
        rows = {row["run_id"]: row for row in self.world.read("ingestion_runs")}
        new = [row for run_id, row in rows.items() if run_id not in self._runs]
        assert len(new) <= len(ends), "more rows in ingestion_runs than runs"
        now = self.world.account.now
        for row in new:
            if row["watermark_after"] is None:
                continue
            assert row["watermark_after"] <= now, "the watermark is ahead of the clock"
            missing = self._published - set(ledger)
            assert not missing, f"the watermark has passed messages that are not in the ledger: {sorted(missing)}"
        for end in ends:
            if end.record is not None:
                self._check_record(end.record, rows[end.record["run_id"]])
        self._runs = set(rows)

    def _check_record(self, record: Row, row: Row) -> None:
        assert row["status"] == record["status"] in {"succeeded", "partial"}
        parts = (
            "fetched",
            "settling",
            "retry",
            "forbidden",
            "deleted",
            "not_found",
            "abandoned",
            "unread",
            "read_elsewhere",
        )
        counted = {part: record[f"{part}_count"] for part in parts}
        assert sum(counted.values()) == record["due_count"], f"{record['due_count']} due, but {counted}"

    # -- when everything is quiet -----------------------------------------------------------------------------------------------------

    def visible(self) -> dict[Key, SimulatedMessage]:
        """Return the messages the audit log proves by now."""
        now = self.world.account.now
        return {
            key_of(message): message
            for message in self.world.account.messages()
            if message.audit_visible_at is not None and message.audit_visible_at <= now
        }

    def check_settled(self) -> None:
        """Compare every row of every table with the account, after all faults ended and everything due was done."""
        details, ledger = keyed(self.world, "message_details"), keyed(self.world, "message_ledger")
        truth = {key_of(message): message for message in self.world.account.messages()}
        missing = set(self.visible()) - set(ledger)
        assert not missing, f"visible in the audit log, but not in the ledger: {sorted(missing)}"
        assert set(details) <= set(ledger)
        self._check_ledger(details, ledger)
        hidden = self._with_hidden_events()
        history = self._history()
        for key, entry in ledger.items():
            message = truth.get(key)
            if message is None:
                self._check_unknown(key, entry)
                assert key not in details
                continue
            self._check_message(message, entry, details.get(key), is_current=key not in hidden)
            if key in details:
                self._check_statement(key, details[key], history)
        self._check_spaces()

    def _check_unknown(self, key: Key, entry: Row) -> None:
        assert (
            entry["state"] in {"not_found", "forbidden"}
            or (entry["state"], entry["http_status"]) == ("retry", 404)  # asked for once more before it counts
            or entry["conversation_id"] is None
            or entry["space_id"] is None
        ), f"{key}: never existed, but the ledger says {entry['state']}"
        assert any(
            row["workspace_id"] == key[0] and key[1] in f"{row['request_params']} {row['response']}"
            for row in self.world.read_system("access", "audit")
        ), f"{key}: in the ledger, but no event names it"

    def _check_message(self, message: SimulatedMessage, entry: Row, row: Row | None, *, is_current: bool) -> None:
        where = f"{key_of(message)} ({entry['state']}, {entry['state_reason']})"
        space = self.world.account.space(message.workspace_id, message.space_id)
        if space.access != "manage" or space.trashed:
            allowed = {"forbidden", "deleted", "not_found"} | ({"fetched", "abandoned"} if row else set())
            assert entry["state"] in allowed, f"{where}: its space is closed"
            if row is not None:
                self._check_values(where, message, row, is_current=False)
            return
        if message.deleted:
            if is_current:
                assert entry["state"] in {"deleted", "not_found"}, f"{where}: it was deleted"
                assert row is None or (row["is_deleted"] and entry["state"] == "deleted"), (
                    f"{where}: deleted, not marked"
                )
            if row is not None:
                self._check_values(where, message, row, is_current=False)
            return
        assert row is not None, f"{where}: it can be read, but is not stored"
        assert not row["is_deleted"], f"{where}: marked as deleted, but it is there"
        states = {"fetched"} if message.status in TERMINAL else {"settling", "abandoned"}
        # What nobody told us of yet may have changed it in either direction.
        assert entry["state"] in (states if is_current else states | {"settling", "fetched"}), (
            f"{where}: it is {message.status}"
        )
        self._check_values(where, message, row, is_current=is_current)
        self._check_names(where, message, space, row)

    def _check_values(self, where: str, message: SimulatedMessage, row: Row, *, is_current: bool) -> None:
        expected = expected_row(message)
        stored = {**row, "attachments_json": json.loads(row["attachments_json"]) if row["attachments_json"] else None}
        for column, value in expected.items():
            got = stored[column]
            if got == value and type(got) is type(value):
                continue
            shown = self._shown[key_of(message)][column]
            is_kept = value is None or (column in _LISTS and not value) or not is_current
            if column == "attachments_count" and expected["attachments_json"] is None:
                is_kept = True
            if column == "status" and (value not in TERMINAL or key_of(message) in self.world.silently_expired):
                is_kept = True  # a final status is kept; nobody tells that a result has expired
            if column == "updated_timestamp":
                is_kept = got is not None and (value is None or not is_current)
            is_seen = got in shown or got is None or (column == "attachments_count" and got == 0)
            assert is_kept, f"{where}: {column} is {got!r}, should be {value!r}"
            assert is_seen, f"{where}: {column} is {got!r}, which the service never showed"

    def _check_names(self, where: str, message: SimulatedMessage, space: SimulatedSpace, row: Row) -> None:
        assert row["workspace_name"] == self.world.account.workspaces[message.workspace_id].name
        # Known limits: a name or an address that could not be read with the message is only filled in when the message changes.
        disturbed = self.world.server.disturbed
        assert row["space_name"] is not None or disturbed & {"get_space", "list_spaces"}, f"{where}: without space_name"
        if not self.world.has_quirks:
            assert message.user is not None
            assert row["user_email"] == message.user.email, (
                f"{where}: {row['user_email']} asked, not {message.user.email}"
            )
            assert row["created_timestamp"] == message.created_us // 1000
            assert row["created_at"] == message.created_at.replace(microsecond=message.created_us // 1000 % 1000 * 1000)

    def _check_statement(self, key: Key, row: Row, history: dict[Key, Row]) -> None:
        statement = history.get((key[0], row["statement_id"])) if row["statement_id"] else None
        if statement is None:
            joined = {column: row[column] for column in JOINED_COLUMNS if row[column] is not None}
            assert not joined, f"{key}: {row['statement_id']} is not in the history, but joined: {joined}"
            return
        if statement["execution_status"] not in FINAL_EXECUTION:
            return
        if row["query_execution_status"] is None and self._came_too_late(row):
            return
        for theirs, ours in STATEMENT_COLUMNS.items():
            assert row[ours] == statement[theirs], (
                f"{key}: {ours} is {row[ours]!r}, the history says {statement[theirs]!r}"
            )
        assert row["query_warehouse_id"] == statement["compute"]["warehouse_id"]

    def _came_too_late(self, row: Row) -> bool:
        """Say whether the history got a statement more than 7 days after its message last changed: then it was given up before."""
        statement = self.world.account.statements.by_id[row["workspace_id"], row["statement_id"]]
        changed_ms = max(row["created_timestamp"], row["updated_timestamp"] or 0)
        return bool(statement.visible_us // 1_000 > changed_ms + timedelta(days=7) // timedelta(milliseconds=1))

    def awaits_statements(self) -> bool:
        """Say whether the history has a final statement that is not joined yet. Days before yesterday are read in turn, in three hours."""
        history = self._history()
        keys = ((row["workspace_id"], row["statement_id"]) for row in self._unjoined())
        return any(history[key]["execution_status"] in FINAL_EXECUTION for key in keys if key in history)

    def _unjoined(self) -> list[Row]:
        rows = keyed(self.world, "message_details").values()
        return [row for row in rows if row["statement_id"] and row["query_execution_status"] not in FINAL_EXECUTION]

    def _check_spaces(self) -> None:
        rows = keyed_spaces(self.world)
        for workspace in self.world.account.workspaces.values():
            for space in workspace.spaces.values():
                row = rows.get((workspace.workspace_id, space.space_id))
                if row is None:
                    continue
                if space.access in {"hidden", "forbidden"} or space.trashed:
                    assert row["state"] == "forbidden"
                elif space.access == "manage":
                    assert (row["state"], row["title"]) == ("readable", space.title)

    def _history(self) -> dict[Key, Row]:
        newest: dict[Key, Row] = {}
        for row in self.world.read_system("query", "history"):
            key = (row["workspace_id"], row["statement_id"])
            if key not in newest or newest[key]["update_time"] < row["update_time"]:
                newest[key] = row
        return newest

    def _with_hidden_events(self) -> set[Key]:
        """Return the messages something happened to that the audit log does not show yet, or never will."""
        now_us = (self.world.account.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        keys: set[Key] = {
            key_of(message) for message in self.world.account.messages() if message.audit_visible_at is None
        }
        conversations: set[Key] = set()
        for event in self.world.account.audit.events:
            if event.visible_us > now_us:
                if event.message is not None:
                    keys.add(key_of(event.message))
                elif event.conversation_id is not None:
                    conversations.add((event.workspace_id, event.conversation_id))
        return keys | {
            key_of(message)
            for message in self.world.account.messages()
            if (message.workspace_id, message.conversation_id) in conversations
        }


def keyed(world: World, table: str) -> dict[Key, Row]:
    """Return the rows of a table by message, which must be unique."""
    rows = world.read(table)
    by_key = {(row["workspace_id"], row["message_id"]): row for row in rows}
    assert len(by_key) == len(rows), f"{table} has two rows for one message"
    return by_key


def keyed_spaces(world: World) -> dict[Key, Row]:
    """Return the rows of `space_details` by space, which must be unique."""
    rows = world.read("space_details")
    by_key = {(row["workspace_id"], row["space_id"]): row for row in rows}
    assert len(by_key) == len(rows), "space_details has two rows for one space"
    return by_key
