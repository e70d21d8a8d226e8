"""genie_events: what an event of the audit log becomes, and that it is stored once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sql.statements.lake import (
    CLIENT_ID,
    DAY,
    HOUR,
    IDS,
    NOON,
    SECOND,
    TODAY,
    Lake,
    Row,
    audit_event,
    day,
    ledger_row,
)

PLACE = {"space_id": "s1", "conversation_id": "c1"}
KINDS: dict[str, list[str]] = {
    "ask": [
        "createConversationMessage", "genieCreateConversationMessage", "genieStartConversationMessage",
        "genieContinueConversationMessage", "createGenieChatResponse",
    ],
    "start": ["createConversation", "genieCreateConversation"],
    "regenerate": ["regenerateConversationMessage", "updateConversationMessage"],
    "poll": [
        "getConversationMessage", "genieGetConversationMessage", "getMessageQueryResult", "genieGetMessageQueryResult",
        "getMessageAttachmentQueryResult", "genieGetMessageAttachmentQueryResult", "genieGetQueryResultByAttachment",
        "getQueryResult", "genieGetDownloadFullQueryResult",
    ],
    "open": ["getSpace", "genieGetSpace", "getConversation", "getGenieChatConversation"],
    "list": [
        "genieListSpaces", "listConversations", "genieListConversations", "genieListConversationMessages", "listInstructions",
        "listGenieSpaceMessages", "listGenieSpaceUserMessages", "listConversationMessageComments", "getSomethingNew",
    ],
    "rate": ["updateConversationMessageFeedback", "genieSendMessageFeedback", "updateGenieChatConversationFeedback"],
    "comment": [
        "createConversationMessageComment", "updateConversationMessageComment", "deleteConversationMessageComment",
    ],
    "run_sql": [
        "executeMessageQuery", "genieExecuteMessageQuery", "executeMessageAttachmentQuery",
        "genieExecuteMessageAttachmentQuery", "executeQuery",
    ],
    "download": ["genieGenerateDownloadFullQueryResult", "executeFullQueryResult"],
    "cancel": ["cancelMessage", "cancelGenieChatConversation"],
    "delete": ["deleteConversation", "genieDeleteConversation", "deleteConversationMessage"],
    "configure": [
        "updateSpace", "genieUpdateSpace", "updateGenieColumnConfigs", "updateSampleQuestions", "createInstruction",
        "updateInstruction", "deleteInstruction", "createCuratedQuestion", "updateCuratedQuestion", "deleteCuratedQuestion",
        "createFile", "updateFile", "deleteFile",
    ],
    "space": [
        "createSpace", "genieCreateSpace", "cloneSpace", "trashSpace", "genieTrashSpace", "restoreSpace", "deleteSpace",
    ],
    "benchmark": [
        "createEvaluationRun", "getEvaluationRun", "listEvaluationRuns", "cancelEvaluationRun", "resumeEvaluationRun",
        "createEvaluationResult", "getEvaluationResult", "updateEvaluationResult", "getEvaluationResultDetails",
        "listEvaluationResults", "startBenchmarkSuggestions",
    ],
    "permission": ["updateSpacePermissions", "changeSpaceAccess"],
    # Known, and of no kind of their own.
    "other": [
        "updateConversation", "updateMessageAttachment", "summarizeSqlExecutionResults", "mcpToolInvocation",
        "steerGenieChatConversation",
    ],
}  # fmt: skip


def stored(lake: Lake, *events: Row, client_id: str = CLIENT_ID) -> list[Row]:
    """Store events and return what is stored, in the order of the events."""
    lake.fill("access/audit", *events)
    lake.store_events(day(-1), day(1), client_id=client_id)
    join(lake)
    order = {event["event_id"]: place for place, event in enumerate(events)}
    return sorted(lake.read("genie_events"), key=lambda row: order[row["event_id"]])


def join(lake: Lake) -> None:
    """Join rows of one action as a run does: only where there are any."""
    dates = [day(-1), TODAY, day(1)]
    odd = lake.select("datasets/events/select_odd_events", event_dates=dates, ingested_at=NOON)
    if any(row["apart_count"] for row in odd):
        lake.tables.execute("datasets/events/merge_split_events", event_dates=dates)


def test_event_becomes_a_row_with_everything_it_says(lake: Lake) -> None:
    event = audit_event(
        "createConversationMessage", params=PLACE, result=json.dumps(IDS), request_id="r1", event_id="e1"
    )

    assert stored(lake, event) == [
        {
            "event_date": TODAY,
            "event_time": NOON,
            "event_id": "e1",
            "request_id": "r1",
            "workspace_id": "1",
            "service": "aibiGenie",
            "action": "createConversationMessage",
            "kind": "ask",
            "is_read": False,
            "is_accepted": True,
            "status_code": 200,
            "error_message": None,
            "actor": "ana@example.com",
            "actor_kind": "person",
            "is_own": False,
            "client": "genie page",
            "user_agent": "Mozilla/5.0",
            **IDS,
            "comment_id": None,
            "rating": None,
            "conversation_mode": None,
            "has_result": True,
            "ingestion_timestamp": NOON,
        }
    ]


def test_every_action_has_its_kind_and_only_unknown_ones_are_odd(lake: Lake) -> None:
    actions = {action: kind for kind, names in KINDS.items() for action in names} | {"reimagineSpace": "other"}

    rows = stored(lake, *(audit_event(action) for action in actions))

    assert {row["action"]: row["kind"] for row in rows} == actions
    odd = lake.select("datasets/events/select_odd_events", event_dates=[TODAY], ingested_at=NOON)
    assert odd == [{"service": "aibiGenie", "action": "reimagineSpace", "unknown_count": 1, "apart_count": 0}]


def test_unknown_action_is_told_by_the_run_that_stored_it(lake: Lake) -> None:
    stored(lake, audit_event("reimagineSpace"))

    assert lake.select("datasets/events/select_odd_events", event_dates=[TODAY], ingested_at=NOON + HOUR) == []


def test_comment_that_asks_for_a_review_is_one(lake: Lake) -> None:
    types = {"REQUEST_REVIEW": "review", "FIX_IT": "comment"}
    events = [audit_event("createConversationMessageComment", params={"comment_type": name}) for name in types]

    assert [row["kind"] for row in stored(lake, *events)] == list(types.values())


def test_services_of_genie_are_read_and_no_other(lake: Lake) -> None:
    names = ("aibiGenie", "genieChat", "genie", "databrickssql", "AIBIGENIE")

    rows = stored(lake, *(audit_event(service_name=name) for name in names))

    assert [row["service"] for row in rows] == ["aibiGenie", "genieChat"]


@pytest.mark.parametrize(
    ("values", "actor", "kind"),
    [
        ({"email": "ana@example.com"}, "ana@example.com", "person"),
        ({"email": CLIENT_ID}, CLIENT_ID, "service_principal"),
        ({"email": "System-User"}, None, "system"),
        ({"email": None, "subject": "System-User"}, None, "system"),
        ({"email": ""}, None, "unknown"),
        ({"email": None}, None, "unknown"),
    ],
)
def test_actor_is_named_and_told_by_kind(lake: Lake, values: Row, actor: str | None, kind: str) -> None:
    [row] = stored(lake, audit_event(**values))

    assert (row["actor"], row["actor_kind"]) == (actor, kind)


@pytest.mark.parametrize(
    ("event", "client", "is_own"),
    [
        (audit_event(), "genie page", False),
        (audit_event(user_agent=None), "genie page", False),
        (audit_event(user_agent="curl/8.0"), "other", False),
        (audit_event("genieGetSpace", user_agent="curl/8.0"), "public API", False),
        (audit_event("getGenieChatConversation", service_name="genieChat"), "genie one", False),
        (audit_event("executeQuery", email="System-User"), "Databricks background", False),
        (audit_event("genieGetSpace", user_agent="genie-obs/2.0"), "genie-obs", True),
        (audit_event("genieGetSpace", email=CLIENT_ID), "genie-obs", True),
        (audit_event("genieGetSpace", email=None, subject=CLIENT_ID), "genie-obs", True),
        (audit_event("genieStartConversationMessage", email=CLIENT_ID), "public API", False),
    ],
)
def test_client_is_told_and_our_own_reads_are_marked(lake: Lake, event: Row, client: str, is_own: bool) -> None:
    [row] = stored(lake, event)

    assert (row["client"], row["is_own"]) == (client, is_own)


@pytest.mark.parametrize(
    ("params", "rating"),
    [
        ({"feedback_rating": "THUMBS_UP"}, "POSITIVE"),
        ({"feedback_rating": "THUMBS_DOWN"}, "NEGATIVE"),
        ({"feedback_rating": "POSITIVE"}, "POSITIVE"),
        ({"rating": "NEGATIVE"}, "NEGATIVE"),
        ({"feedback_rating": "NONE"}, "NONE"),
        ({"feedback_rating": "ONE_CHAT_FEEDBACK_RATING_THUMBS_UP"}, "POSITIVE"),
        ({"feedback_payload": '{"feedback_rating": "ONE_CHAT_FEEDBACK_RATING_THUMBS_DOWN"}'}, "NEGATIVE"),
        ({"feedback_rating": "MEH"}, None),
        ({}, None),
    ],
)
def test_every_spelling_of_a_rating_is_known(lake: Lake, params: Row, rating: str | None) -> None:
    [row] = stored(lake, audit_event("updateConversationMessageFeedback", params={**IDS, **params}))

    assert row["rating"] == rating


@pytest.mark.parametrize(("sent", "mode"), [("DEEP_RESEARCH", "agent"), ("GENIE_CHAT", "chat"), ("OTHER", None)])
def test_conversation_says_its_mode(lake: Lake, sent: str, mode: str | None) -> None:
    [row] = stored(lake, audit_event("createConversation", params={"conversation_type": sent}))

    assert row["conversation_mode"] == mode


@pytest.mark.parametrize(
    "values", [{"params": {"message_comment_id": "k1"}}, {"result": '{"message_comment_id": "k1"}'}]
)
def test_comment_is_found_where_it_is_named(lake: Lake, values: Row) -> None:
    [row] = stored(lake, audit_event("createConversationMessageComment", **values))

    assert row["comment_id"] == "k1"


def test_refusal_is_stored_with_what_the_service_said(lake: Lake) -> None:
    event = audit_event(params=PLACE)
    event["response"] = {"status_code": 403, "error_message": "You need CAN VIEW", "result": None}

    [row] = stored(lake, event)

    assert (row["is_accepted"], row["status_code"], row["error_message"]) == (False, 403, "You need CAN VIEW")


def test_copies_of_an_event_are_one_row(lake: Lake) -> None:
    event = audit_event(params=IDS)

    assert len(stored(lake, event, dict(event), dict(event))) == 1


def test_events_without_an_id_get_one_by_which_they_are_known_again(lake: Lake) -> None:
    events = [audit_event(action, event_id=None) for action in ("getSpace", "listConversations")]
    lake.fill("access/audit", *events)
    lake.store_events()
    lake.store_events()

    rows = lake.read("genie_events")
    assert len({row["event_id"] for row in rows}) == len(rows) == 2


def test_what_is_stored_already_is_not_written_again(lake: Lake) -> None:
    first, second = audit_event(), audit_event()
    stored(lake, first)
    version = lake.version("genie_events")

    stored(lake, first)
    assert lake.version("genie_events") == version

    lake.fill("access/audit", first, second)
    lake.store_events(at=NOON + HOUR)
    assert [row["ingestion_timestamp"] for row in lake.read("genie_events")] == [NOON, NOON + HOUR]


def test_erased_event_stays_erased_when_its_day_is_read_again(lake: Lake) -> None:
    event = audit_event()
    [row] = stored(lake, event)
    lake.fill("genie_events", {**row, "actor": None})

    assert [row["actor"] for row in stored(lake, event)] == [None]


@pytest.mark.parametrize(
    ("reason", "actor"),
    [("erased_texts", "ana@example.com"), ("erased_texts_and_asker", None), ("erased_row", None)],
)
def test_event_about_an_erased_message_brings_nothing_back(lake: Lake, reason: str, actor: str | None) -> None:
    lake.fill("message_ledger", ledger_row(state="erased", reason_code=reason))
    event = audit_event(params=IDS)
    event["response"] = {"status_code": 403, "error_message": "You may not read m1", "result": None}

    [row] = stored(lake, event)

    assert (row["error_message"], row["actor"], row["actor_kind"]) == ("[not kept]", actor, "person")


def sent(**values: Any) -> Row:
    """Return the row of an action that holds what was sent."""
    row: Row = {"params": PLACE, "request_id": "r1", "event_id": "sent", "status_code": None}
    return audit_event("createConversationMessage", **{**row, **values})


def answered(**values: Any) -> Row:
    """Return the row of the same action that holds its result."""
    result = json.dumps({"message_id": "m1", "user_id": 7})
    row: Row = {"at": NOON + SECOND, "request_id": "r1", "event_id": "answered", "result": result, "email": None}
    return audit_event("createConversationMessage", **{**row, **values})


def test_rows_of_one_action_both_get_its_ids_and_one_keeps_the_kind(lake: Lake) -> None:
    asked, answer = stored(lake, sent(), answered())

    assert {name: asked[name] for name in IDS} == {name: answer[name] for name in IDS} == IDS
    assert (asked["kind"], answer["kind"]) == ("other", "ask")
    assert (asked["is_read"], answer["is_read"]) == (False, False)


@pytest.mark.parametrize("first", ["sent", "answered"])
def test_rows_of_one_action_that_come_in_different_runs_are_joined(lake: Lake, first: str) -> None:
    early, late = (sent(), answered()) if first == "sent" else (answered(), sent())
    lake.fill("access/audit", early)
    lake.store_events()
    lake.fill("access/audit", early, late)
    lake.store_events(at=NOON + HOUR)

    [odd] = lake.select("datasets/events/select_odd_events", event_dates=[TODAY], ingested_at=NOON + HOUR)
    assert (odd["unknown_count"], odd["apart_count"]) == (0, 1)
    lake.tables.execute("datasets/events/merge_split_events", event_dates=[TODAY])

    rows = {row["event_id"]: row for row in lake.read("genie_events")}
    assert [{name: row[name] for name in IDS} for row in rows.values()] == [IDS, IDS]
    assert (rows["sent"]["kind"], rows["answered"]["kind"]) == ("other", "ask")
    assert lake.select("datasets/events/select_odd_events", event_dates=[TODAY], ingested_at=NOON + HOUR) == []


def test_rows_of_one_action_on_both_sides_of_midnight_are_joined(lake: Lake) -> None:
    for offset, event in ((-1, sent(at=NOON - DAY)), (0, answered())):
        lake.fill("access/audit", event)
        lake.store_events(day(offset), day(offset))
    lake.tables.execute("datasets/events/merge_split_events", event_dates=[day(-1), day(0)])

    assert [row["kind"] for row in lake.read("genie_events")] == ["ask", "other"]


def test_row_that_learns_that_its_message_is_erased_forgets_who_did_it(lake: Lake) -> None:
    lake.fill("message_ledger", ledger_row(state="erased", reason_code="erased_texts_and_asker"))

    rows = stored(lake, sent(), answered(email="ana@example.com"))

    assert [(row["message_id"], row["actor"]) for row in rows] == [("m1", None), ("m1", None)]


def test_joining_again_writes_nothing(lake: Lake) -> None:
    stored(lake, sent(), answered())
    version = lake.version("genie_events")

    lake.tables.execute("datasets/events/merge_split_events", event_dates=[TODAY])

    assert lake.version("genie_events") == version


def test_refusal_in_the_second_row_is_one_of_both(lake: Lake) -> None:
    rows = stored(lake, sent(), answered(result=None, status_code=403))

    assert [(row["kind"], row["is_accepted"]) for row in rows] == [("other", False), ("ask", False)]


def test_rating_of_an_action_logged_as_two_counts_once(lake: Lake) -> None:
    action, params = "updateConversationMessageFeedback", {**IDS, "feedback_rating": "THUMBS_UP"}
    asked = audit_event(action, params=params, status_code=None, request_id="r1")

    rows = stored(lake, asked, audit_event(action, at=NOON + SECOND, result="{}", request_id="r1"))

    assert [(row["kind"], row["rating"], row["message_id"]) for row in rows] == [
        ("other", None, "m1"),
        ("rate", "POSITIVE", "m1"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"request_id": "r2"}, {}),
        ({"workspace_id": "2"}, {}),
        ({"request_id": None}, {"request_id": None}),
        ({"request_id": ""}, {"request_id": ""}),
    ],
    ids=["another request", "another workspace", "no request id", "an empty request id"],
)
def test_rows_of_different_actions_stay_apart(lake: Lake, one: Row, other: Row) -> None:
    asked, answer = stored(lake, sent(**one), answered(**other))

    assert (asked["kind"], asked["message_id"]) == ("ask", None)
    assert (answer["kind"], answer["space_id"]) == ("ask", None)


def test_rows_that_name_different_messages_are_different_actions(lake: Lake) -> None:
    polls = [audit_event(params={**IDS, "message_id": name}, request_id="r1") for name in ("m1", "m2")]

    assert [(row["kind"], row["message_id"]) for row in stored(lake, *polls)] == [("poll", "m1"), ("poll", "m2")]


def test_message_of_an_action_logged_as_two_is_witnessed_with_its_place_and_asker(lake: Lake) -> None:
    stored(lake, sent(), answered())

    [row] = lake.select("datasets/events/select_witnesses", from_date=TODAY, until_date=TODAY, workspace_ids=())

    assert {name: row[name] for name in IDS} == IDS
    assert (row["user_email"], row["is_creation_seen"]) == ("ana@example.com", True)
