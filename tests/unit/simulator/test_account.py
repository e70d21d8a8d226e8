"""Operations change what the API says and what the tables show."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from genie_obs.simulator import AccountSpec, SimulatedAccount, SimulatedMessage, generate_account, grow, message_body
from genie_obs.simulator.system_tables.tables import audit_table, statements_table

UNTIL = datetime(2026, 11, 20, 15, tzinfo=UTC)


@pytest.fixture
def account() -> SimulatedAccount:
    return generate_account(
        AccountSpec(until=UNTIL, message_count=40, space_count=4, workspace_count=2, days=5, quirks=False)
    )


@pytest.fixture
def workspace_id(account: SimulatedAccount) -> str:
    return next(iter(account.workspaces))


def audit_rows(
    account: SimulatedAccount, message: SimulatedMessage | None = None, action: str | None = None
) -> list[dict[str, Any]]:
    """Visible rows that name the message anywhere, or have the action."""
    rows: list[dict[str, Any]] = audit_table(account).to_pylist()
    if message is not None:
        rows = [row for row in rows if message.message_id in json.dumps(row, default=str)]
    return [row for row in rows if action in (None, row["action_name"])]


def statement_row(account: SimulatedAccount, statement_id: str) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = statements_table(account).to_pylist()
    return next((row for row in rows if row["statement_id"] == statement_id), None)


def test_ui_question_is_witnessed_in_the_response_only(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id)
    [row] = audit_rows(account, message)
    assert row["action_name"] == "createConversationMessage"
    assert "message_id" not in dict(row["request_params"])
    assert json.loads(row["response"]["result"])["message_id"] == message.message_id


def test_first_api_question_carries_no_conversation_in_its_parameters(
    account: SimulatedAccount, workspace_id: str
) -> None:
    message = account.ask(workspace_id=workspace_id, via="api")
    [row] = audit_rows(account, message)
    assert row["action_name"] == "genieStartConversationMessage"
    assert dict(row["request_params"]) == {"space_id": message.space_id}
    assert json.loads(row["response"]["result"])["conversation_id"] == message.conversation_id


def test_follow_up_through_the_api_names_the_conversation(account: SimulatedAccount, workspace_id: str) -> None:
    first = account.ask(workspace_id=workspace_id, via="api")
    second = account.ask(workspace_id=workspace_id, conversation_id=first.conversation_id, via="api")
    [row] = audit_rows(account, second)
    assert row["action_name"] == "genieCreateConversationMessage"
    assert dict(row["request_params"])["conversation_id"] == first.conversation_id
    assert second.space_id == first.space_id


def test_late_audit_row_is_not_visible_before_its_time(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id, audit_delay=timedelta(hours=3))
    assert audit_rows(account, message) == []
    account.advance(timedelta(hours=3))
    assert len(audit_rows(account, message)) == 1
    assert message.audit_visible_at == UNTIL + timedelta(hours=3)


def test_unaudited_message_exists_only_in_the_api(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id, audit=False)
    assert audit_rows(account, message) == []
    assert message.audit_visible_at is None
    assert message_body(message)["status"] == "COMPLETED"


def test_statement_of_an_answer_is_in_query_history_after_its_delay(
    account: SimulatedAccount, workspace_id: str
) -> None:
    message = account.ask(workspace_id=workspace_id, statement_delay=timedelta(minutes=50))
    assert statement_row(account, message.statement_ids[-1]) is None
    account.advance(timedelta(minutes=50))
    row = statement_row(account, message.statement_ids[-1])
    assert row is not None
    assert row["query_source"]["genie_space_id"] == message.space_id
    assert row["statement_text"] == message_body(message)["attachments"][-1 if message.text is None else 0].get(
        "query", {}
    ).get("query", row["statement_text"])


def test_statement_without_delay_is_visible_at_once(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id)
    assert statement_row(account, message.statement_ids[-1]) is not None


def test_running_message_passes_through_the_states(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id, outcome="running")
    seen = [message_body(message)["status"]]
    for _ in range(20):
        account.advance(timedelta(seconds=2))
        seen.append(message_body(message)["status"])
    assert list(dict.fromkeys(seen)) == [
        "SUBMITTED",
        "FETCHING_METADATA",
        "FILTERING_CONTEXT",
        "ASKING_AI",
        "PENDING_WAREHOUSE",
        "EXECUTING_QUERY",
        "COMPLETED",
    ]


def test_attachments_fill_in_progressively(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id, outcome="running")
    assert "attachments" not in message_body(message)
    account.advance(timedelta(seconds=36))
    [*_, last] = message_body(message)["attachments"]
    assert "query_result_metadata" not in last["query"]
    account.advance(timedelta(seconds=10))
    assert any("query_result_metadata" in row.get("query", {}) for row in message_body(message)["attachments"])


def test_stuck_message_never_finishes(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id, outcome="stuck")
    account.advance(timedelta(days=30))
    assert message.status in {"EXECUTING_QUERY", "ASKING_AI"}


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("COMPLETED", "COMPLETED"),
        ("FAILED", "FAILED"),
        ("cancelled", "CANCELLED"),
        ("text", "COMPLETED"),
        ("clarification", "COMPLETED"),
        ("expired", "QUERY_RESULT_EXPIRED"),
    ],
)
def test_outcome_decides_the_status(account: SimulatedAccount, workspace_id: str, outcome: str, status: str) -> None:
    message = account.ask(workspace_id=workspace_id, outcome=outcome)
    assert message_body(message)["status"] == status


def test_failed_message_has_an_error(account: SimulatedAccount, workspace_id: str) -> None:
    body = message_body(account.ask(workspace_id=workspace_id, outcome="FAILED"))
    assert body["error"]["type"].isupper()


def test_clarification_is_a_text_with_its_purpose(account: SimulatedAccount, workspace_id: str) -> None:
    [attachment] = message_body(account.ask(workspace_id=workspace_id, outcome="clarification"))["attachments"]
    assert attachment["text"]["purpose"] == "FOLLOW_UP_QUESTION"


def test_unknown_outcome_is_refused(account: SimulatedAccount, workspace_id: str) -> None:
    with pytest.raises(ValueError, match="no outcome 'later'"):
        account.ask(workspace_id=workspace_id, outcome="later")


def test_question_in_the_future_is_refused(account: SimulatedAccount, workspace_id: str) -> None:
    with pytest.raises(ValueError, match="advance it first"):
        account.ask(workspace_id=workspace_id, at=UNTIL + timedelta(seconds=1))


def test_rating_is_in_the_api_and_in_the_words_of_the_surface_in_audit(
    account: SimulatedAccount, workspace_id: str
) -> None:
    in_ui, through_api = account.ask(workspace_id=workspace_id), account.ask(workspace_id=workspace_id, via="api")
    account.rate(in_ui, "POSITIVE", "nice")
    account.rate(through_api, "NEGATIVE")
    assert message_body(in_ui)["feedback"] == {"rating": "POSITIVE", "comment": "nice"}
    assert message_body(through_api)["feedback"] == {"rating": "NEGATIVE"}
    [ui_row] = audit_rows(account, in_ui, "updateConversationMessageFeedback")
    [api_row] = audit_rows(account, through_api, "genieSendMessageFeedback")
    assert dict(ui_row["request_params"])["feedback_rating"] == "THUMBS_UP"
    assert dict(api_row["request_params"])["feedback_rating"] == "NEGATIVE"


def test_change_is_seen_although_the_body_was_rendered_before(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id)
    before = message_body(message)
    account.advance(timedelta(minutes=1))
    account.update(message, "another question")
    after = message_body(message)
    assert after["content"] == "another question"
    assert after["created_timestamp"] == before["created_timestamp"]
    assert after["last_updated_timestamp"] > before["last_updated_timestamp"]


def test_regeneration_keeps_the_id_and_brings_a_new_statement(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id)
    before = message.statement_ids
    account.advance(timedelta(minutes=1))
    account.regenerate(message)
    assert set(message.statement_ids).isdisjoint(before)
    assert statement_row(account, message.statement_ids[-1]) is not None
    assert len(audit_rows(account, message, "regenerateConversationMessage")) == 1


def test_execution_brings_an_expired_result_back_under_a_new_statement(
    account: SimulatedAccount, workspace_id: str
) -> None:
    message = account.ask(workspace_id=workspace_id)
    account.expire_result(message)
    assert message_body(message)["status"] == "QUERY_RESULT_EXPIRED"
    statement_id = account.execute(message)
    assert message_body(message)["status"] == "COMPLETED"
    assert message.statement_ids[-1] == statement_id
    assert statement_row(account, statement_id) is not None


def test_expiry_leaves_no_audit_row(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id)
    before = len(audit_rows(account))
    account.expire_result(message)
    assert len(audit_rows(account)) == before


def test_deleting_a_conversation_deletes_its_messages(account: SimulatedAccount, workspace_id: str) -> None:
    first = account.ask(workspace_id=workspace_id)
    second = account.ask(workspace_id=workspace_id, conversation_id=first.conversation_id)
    account.delete_conversation(workspace_id, first.conversation_id)
    assert first.deleted
    assert second.deleted
    assert len(audit_rows(account, action="deleteConversation")) == 1


def test_every_poll_is_a_row_of_its_own(account: SimulatedAccount, workspace_id: str) -> None:
    message = account.ask(workspace_id=workspace_id)
    account.read(message, times=6)
    rows = audit_rows(account, message, "getConversationMessage")
    assert len({row["event_id"] for row in rows}) == 6


def test_refused_call_keeps_the_ids_it_was_sent_with(account: SimulatedAccount, workspace_id: str) -> None:
    account.refused_event(workspace_id=workspace_id, status=404, space_id="s", conversation_id="c", message_id="m")
    [row] = [row for row in audit_rows(account) if row["response"]["status_code"] == 404]
    assert dict(row["request_params"]) == {"space_id": "s", "conversation_id": "c", "message_id": "m"}


def test_raw_row_takes_any_column(account: SimulatedAccount, workspace_id: str) -> None:
    account.add_raw_audit_row(
        workspace_id=workspace_id, action_name="odd", request_params={"a": "b"}, response=None, event_id="x"
    )
    [row] = audit_rows(account, action="odd")
    assert (row["event_id"], row["response"], dict(row["request_params"])) == ("x", None, {"a": "b"})


def test_raw_row_with_an_unknown_column_is_refused(account: SimulatedAccount) -> None:
    with pytest.raises(ValueError, match="no column colour"):
        account.add_raw_audit_row(colour="red")


def test_growth_goes_on_where_history_ended(account: SimulatedAccount) -> None:
    before = {row.message_id for row in account.messages()}
    grow(account, until=UNTIL + timedelta(days=7))
    new = [row for row in account.messages() if row.message_id not in before]
    assert account.now == UNTIL + timedelta(days=7)
    assert 20 <= len(new) <= 150  # 8 a day before
    assert all(UNTIL <= row.created_at <= account.now for row in new)


def test_growth_is_the_same_for_the_same_calls() -> None:
    spec = AccountSpec(until=UNTIL, message_count=200, days=5)
    accounts = [generate_account(spec), generate_account(spec)]
    for account in accounts:
        grow(account, until=UNTIL + timedelta(hours=9))
        grow(account, until=UNTIL + timedelta(days=3))
    assert audit_table(accounts[0]).equals(audit_table(accounts[1]))


def test_clock_only_moves_forward(account: SimulatedAccount) -> None:
    with pytest.raises(ValueError, match="forward"):
        account.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="forward"):
        grow(account, until=UNTIL - timedelta(seconds=1))
