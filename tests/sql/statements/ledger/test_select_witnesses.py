"""select_witnesses, select_audit_witnesses: which messages exist, and what the events say about each."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from tests.sql.statements.lake import CLIENT_ID, DAY, HOUR, IDS, MINUTE, NOON, TODAY, Lake, Row, audit_event, day

CREATIONS = ["createConversationMessage", "genieCreateConversationMessage", "genieStartConversationMessage"]
READS = [
    "getConversationMessage", "genieGetConversationMessage", "genieListConversationMessages", "listGenieSpaceMessages",
    "getMessageQueryResult", "genieGetMessageAttachmentQueryResult", "genieGetQueryResultByAttachment",
    "listConversationMessageComments", "genieGenerateDownloadFullQueryResult",
]  # fmt: skip
WRITES = [
    *CREATIONS, "updateConversationMessage", "regenerateConversationMessage", "deleteConversationMessage", "cancelMessage",
    "updateMessageAttachment", "executeMessageQuery", "genieExecuteMessageAttachmentQuery", "summarizeSqlExecutionResults",
    "updateConversationMessageFeedback", "genieSendMessageFeedback", "createConversationMessageComment",
    "deleteConversationMessageComment",
]  # fmt: skip


def witnesses(
    lake: Lake,
    *events: Row,
    workspace_ids: str = "",
    client_id: str = CLIENT_ID,
    from_date: date = TODAY,
    until_date: date = TODAY,
) -> list[Row]:
    """Return the witnesses of stored events, which are those that `plan` reads from the audit log itself."""
    lake.fill("access/audit", *events)
    lake.fill("genie_events")
    # The whole log is stored, also what is out of scope.
    lake.store_events(day(-2), day(1), client_id=client_id)
    values: Row = {
        "from_date": from_date,
        "until_date": until_date,
        "workspace_ids": tuple(filter(None, workspace_ids.split(","))),
    }
    stored = lake.select("datasets/events/select_witnesses", **values)
    logged = lake.select("datasets/events/select_audit_witnesses", **values, client_id=client_id)
    found, planned = (
        sorted(rows, key=lambda row: (row["workspace_id"], row["message_id"])) for rows in (stored, logged)
    )
    assert found == planned
    return found


def ids_of(row: Row) -> Row:
    return {name: row[name] for name in IDS}


def test_events_of_one_message_become_one_row(lake: Lake) -> None:
    found = witnesses(
        lake,
        audit_event("createConversationMessage", at=NOON, result=json.dumps(IDS)),
        audit_event("getConversationMessage", at=NOON + HOUR, params=IDS, email="bo@example.com"),
        audit_event("executeMessageQuery", at=NOON + MINUTE, params=IDS),
    )

    assert found == [
        {
            "workspace_id": "1",
            **IDS,
            "first_event_time": NOON,
            "last_write_event_time": NOON + MINUTE,
            "witnesses": ["createConversationMessage", "executeMessageQuery", "getConversationMessage"],
            "user_email": "ana@example.com",
            "is_creation_seen": True,
        }
    ]


def test_empty_log_has_no_witnesses(lake: Lake) -> None:
    assert witnesses(lake) == []


# Where the ids of a message stand: fact per action, request_params for what the caller sent, the result for what the service made.
ID_PLACES: dict[str, tuple[str, Row, Any]] = {
    "read, all sent": ("genieGetConversationMessage", IDS, None),
    "feedback, all sent": ("updateConversationMessageFeedback", IDS, {"status": "ok"}),
    "spaceId": (
        "executeMessageQuery",
        {"spaceId": "s1", "conversation_id": "c1", "message_id": "m1"},
        None,
    ),
    "UI creation, only in the result": ("createConversationMessage", {}, {**IDS, "user_id": 7}),
    "UI creation, space and conversation sent": (
        "createConversationMessage",
        {"space_id": "s1", "conversation_id": "c1"},
        {"message_id": "m1"},
    ),
    "API follow-up, message nested": (
        "genieCreateConversationMessage",
        {"space_id": "s1", "conversation_id": "c1"},
        {"message": {"message_id": "m1"}},
    ),
    "API follow-up, legacy id": (
        "genieCreateConversationMessage",
        {"space_id": "s1", "conversation_id": "c1"},
        {"id": "m1"},
    ),
    "API start, flat": (
        "genieStartConversationMessage",
        {"space_id": "s1"},
        {"conversation_id": "c1", "message_id": "m1"},
    ),
    "API start, nested": (
        "genieStartConversationMessage",
        {},
        {
            "message": {"message_id": "m1", "space_id": "s1"},
            "conversation": {"conversation_id": "c1"},
        },
    ),
    "API start, conversation in the message": (
        "genieStartConversationMessage",
        {"space_id": "s1"},
        {"message": {"message_id": "m1", "conversation_id": "c1"}},
    ),
    "API start, legacy ids": (
        "genieStartConversationMessage",
        {"space_id": "s1"},
        {"message": {"id": "m1"}, "conversation": {"id": "c1"}},
    ),
    "literal new is replaced by the result": (
        "createConversationMessage",
        {"space_id": "new", "conversation_id": "new", "message_id": "new"},
        IDS,
    ),
    "empty and blank ids are replaced by the result": (
        "createConversationMessage",
        {"space_id": "", "conversation_id": "  ", "message_id": ""},
        IDS,
    ),
    "ids with blanks around them": (
        "getConversationMessage",
        {"space_id": " s1", "conversation_id": "c1 ", "message_id": " m1 "},
        None,
    ),
    "what the caller sent wins": ("getConversationMessage", IDS, {"message_id": "m9", "conversation_id": "c9"}),
}


def test_ids_are_found_wherever_the_action_puts_them(lake: Lake) -> None:
    # The workspace stands for the case, so that one query reads them all.
    events = [
        audit_event(action, workspace_id=place, params=params, result=result and json.dumps(result))
        for place, (action, params, result) in ID_PLACES.items()
    ]

    assert {row["workspace_id"]: ids_of(row) for row in witnesses(lake, *events)} == dict.fromkeys(ID_PLACES, IDS)


NO_MESSAGE: dict[str, Row] = {
    "no ids at all": {},
    "only space and conversation": {"params": {"space_id": "s1", "conversation_id": "c1"}},
    "literal new": {"params": {**IDS, "message_id": "new"}},
    "blank id": {"params": {**IDS, "message_id": "  "}},
    "empty result": {"result": ""},
    "not JSON": {"result": "message_id=m1"},
    "array": {"result": '[{"message_id": "m1"}]'},
    "string": {"result": '"m1"'},
    "number": {"result": "17"},
    "JSON null": {"result": "null"},
    "null id": {"result": '{"message_id": null, "message": null, "id": null}'},
    "literal new in the result": {"result": '{"message_id": "new"}'},
    "message that is text": {"result": '{"message": "m1"}'},
}


def test_event_that_names_no_message_is_no_witness(lake: Lake) -> None:
    events = [
        audit_event("createConversationMessage", workspace_id=case, **values) for case, values in NO_MESSAGE.items()
    ]

    assert witnesses(lake, *events) == []


def test_legacy_id_is_a_message_only_in_answers_to_creating_one(lake: Lake) -> None:
    events = [
        audit_event(action, params={"space_id": "s1", "conversation_id": "c1"}, result=json.dumps(result))
        for action in ("createConversation", "createEvaluationRun", "genieCreateSpace", "updateConversationMessage")
        for result in ({"id": "x1"}, {"message": {"id": "x1"}})
    ]

    assert witnesses(lake, *events) == []


def test_every_creation_names_the_asker(lake: Lake) -> None:
    events = [
        audit_event(action, workspace_id=action, result=json.dumps(IDS), email="ana@example.com")
        for action in CREATIONS
    ]

    rows = witnesses(lake, *events)

    assert [row["workspace_id"] for row in rows] == CREATIONS
    assert {(r["user_email"], r["is_creation_seen"], r["last_write_event_time"]) for r in rows} == {
        ("ana@example.com", True, NOON)
    }


def test_duplicates_of_an_event_change_nothing(lake: Lake) -> None:
    event = audit_event("createConversationMessage", params=IDS)

    assert witnesses(lake, event, event, dict(event)) == witnesses(lake, event)


def test_refused_event_with_all_ids_is_a_witness_but_no_write(lake: Lake) -> None:
    [row] = witnesses(lake, audit_event("updateConversationMessageFeedback", params=IDS, status_code=403))

    assert ids_of(row) == IDS
    assert row["last_write_event_time"] is None
    assert row["witnesses"] == ["updateConversationMessageFeedback"]


def test_refused_event_that_does_not_name_the_message_in_full_is_no_witness(lake: Lake) -> None:
    events = [
        audit_event(params={name: value for name, value in IDS.items() if name != missing}, status_code=404)
        for missing in IDS
    ]

    assert witnesses(lake, *events) == []


def test_accepted_event_without_space_is_a_witness(lake: Lake) -> None:
    [row] = witnesses(lake, audit_event("cancelMessage", params={"message_id": "m1"}))

    assert ids_of(row) == {"space_id": None, "conversation_id": None, "message_id": "m1"}


def test_refused_creation_names_no_asker(lake: Lake) -> None:
    [row] = witnesses(lake, audit_event("createConversationMessage", params=IDS, status_code=429))

    assert (row["user_email"], row["is_creation_seen"]) == (None, False)


def test_event_without_status_counts_as_accepted(lake: Lake) -> None:
    [row] = witnesses(lake, audit_event("createConversationMessage", params=IDS, status_code=None))

    assert row["last_write_event_time"] == NOON


def test_only_statuses_2xx_are_writes(lake: Lake) -> None:
    codes = (199, 200, 204, 299, 302, 500)
    events = [audit_event("cancelMessage", params=IDS, workspace_id=str(code), status_code=code) for code in codes]

    writes = [row["workspace_id"] for row in witnesses(lake, *events) if row["last_write_event_time"] is not None]

    assert writes == ["200", "204", "299"]


def test_own_reads_are_no_activity_by_user_agent(lake: Lake) -> None:
    ours = audit_event(
        "genieGetConversationMessage", params=IDS, user_agent="genie-obs/1.0 python/3.11", email="someone@else"
    )

    assert witnesses(lake, ours) == []


@pytest.mark.parametrize("identity", [{"email": CLIENT_ID}, {"email": None, "subject": CLIENT_ID}])
def test_own_reads_are_no_activity_by_identity(lake: Lake, identity: Row) -> None:
    assert witnesses(lake, *(audit_event(action, params=IDS, **identity) for action in READS)) == []


def test_question_our_principal_asked_with_another_tool_is_a_message(lake: Lake) -> None:
    [row] = witnesses(lake, audit_event("genieStartConversationMessage", params=IDS, email=CLIENT_ID))

    assert (row["user_email"], row["last_write_event_time"]) == (CLIENT_ID, NOON)


@pytest.mark.parametrize("email", ["ana@example.com", "", None])
@pytest.mark.parametrize("subject", ["ana", "", None])
def test_without_a_client_id_reads_of_everybody_stay(lake: Lake, email: str | None, subject: str | None) -> None:
    """`plan` works without credentials. An empty client id must not match an event that lacks an e-mail or a name."""
    event = audit_event("genieGetConversationMessage", params=IDS, email=email, subject=subject)

    assert len(witnesses(lake, event, client_id="")) == 1


def test_user_agent_that_only_mentions_us_is_a_user(lake: Lake) -> None:
    event = audit_event("getConversationMessage", params=IDS, user_agent="my-tool (like genie-obs/1.0)")

    assert len(witnesses(lake, event)) == 1


def test_background_work_is_no_asker(lake: Lake) -> None:
    events = [
        audit_event("createConversationMessage", params=IDS, email=email, workspace_id=str(email))
        for email in ("System-User", "", None)
    ]

    found = witnesses(lake, *events)

    assert [(row["user_email"], row["is_creation_seen"]) for row in found] == [(None, True)] * 3


def test_only_who_created_the_message_is_its_asker(lake: Lake) -> None:
    others = [action for action in (*READS, *WRITES) if action not in CREATIONS]

    [row] = witnesses(lake, *(audit_event(action, params=IDS, email="reader@example.com") for action in others))

    assert (row["user_email"], row["is_creation_seen"]) == (None, False)


def test_action_nobody_knows_yet_is_a_witness_and_a_write(lake: Lake) -> None:
    [row] = witnesses(lake, audit_event("reimagineConversationMessage", params=IDS))

    assert (row["witnesses"], row["last_write_event_time"]) == (["reimagineConversationMessage"], NOON)


def test_reads_are_witnesses_and_only_writes_are_writes(lake: Lake) -> None:
    events = [audit_event(action, params={**IDS, "message_id": action}) for action in (*READS, *WRITES)]

    found = {row["message_id"]: row["last_write_event_time"] is not None for row in witnesses(lake, *events)}

    assert found == dict.fromkeys(READS, False) | dict.fromkeys(WRITES, True)


def test_other_services_are_not_read(lake: Lake) -> None:
    events = [
        audit_event(params=IDS, service_name=name) for name in ("genie", "genieChat", "databrickssql", "AIBIGENIE")
    ]

    assert witnesses(lake, *events) == []


def test_same_message_id_in_two_workspaces_is_two_messages(lake: Lake) -> None:
    events = [audit_event(params=IDS, workspace_id=name) for name in ("1", "2")]

    assert [row["workspace_id"] for row in witnesses(lake, *events)] == ["1", "2"]


@pytest.mark.parametrize(("wanted", "found"), [("", ["1", "12", "2"]), ("1", ["1"]), ("2,12", ["12", "2"]), ("9", [])])
def test_workspace_filter_matches_whole_ids(lake: Lake, wanted: str, found: list[str]) -> None:
    events = [audit_event(params=IDS, workspace_id=name) for name in ("1", "2", "12")]

    assert [row["workspace_id"] for row in witnesses(lake, *events, workspace_ids=wanted)] == found


def test_both_days_of_the_slice_are_read_and_no_other(lake: Lake) -> None:
    events = [audit_event(at=NOON + n * DAY, params={**IDS, "message_id": f"m{n}"}) for n in (-2, -1, 0, 1)]

    found = witnesses(lake, *events, from_date=day(-1), until_date=day(0))

    assert [row["message_id"] for row in found] == ["m-1", "m0"]


def test_event_without_workspace_is_no_witness(lake: Lake) -> None:
    assert witnesses(lake, audit_event(params=IDS, workspace_id=None)) == []


@pytest.mark.parametrize("result", ['{"message_id": "m1"', '{"message_id": "m1", "content": "How ma'])
def test_cut_off_json_is_no_witness(lake: Lake, result: str) -> None:
    assert witnesses(lake, audit_event("createConversationMessage", result=result)) == []


def test_id_that_is_no_text_is_no_witness(lake: Lake) -> None:
    event = audit_event(
        "createConversationMessage", result='{"message_id": {"value": "m1"}, "message": {"id": ["m1"]}}'
    )

    assert witnesses(lake, event) == []


def test_text_in_a_result_is_never_taken_for_sql(lake: Lake) -> None:
    hostile = "m'); DROP TABLE message_ledger; -- 😀"

    [row] = witnesses(lake, audit_event(params={**IDS, "message_id": hostile}))

    assert row["message_id"] == hostile
