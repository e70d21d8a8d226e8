"""The REST behaviour, without any network."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from genie_obs.simulator import AccountSpec, SimulatedAccount, SimulatedMessage, generate_account, message_body
from genie_obs.simulator.account.space import SimulatedSpace
from genie_obs.simulator.rest_api.api import respond
from genie_obs.simulator.rest_api.call import ApiContext
from genie_obs.simulator.rest_api.responses import Request, Response
from genie_obs.simulator.rest_api.routes import OPERATIONS, find_route
from genie_obs.simulator.rest_api.tokens import TokenIssuer

UNTIL = datetime(2026, 11, 20, 15, tzinfo=UTC)
SPACES = "/api/2.0/genie/spaces"


class Caller:
    """The observer, calling one workspace."""

    def __init__(self, account: SimulatedAccount, index: int = 0) -> None:
        self.seconds = 0.0
        self.workspace = list(account.workspaces.values())[index]
        self.tokens = TokenIssuer(account, lifetime_seconds=60, clock=lambda: self.seconds)
        self.context = ApiContext(account, self.workspace, self.tokens)
        self.account = account
        self.token = self.new_token()

    def new_token(self) -> str:
        return str(json.loads(self.ask_token().body)["access_token"])

    def ask_token(
        self, secret: str | None = None, form: str = "grant_type=client_credentials&scope=all-apis"
    ) -> Response:
        pair = f"{self.account.client_id}:{secret or self.account.client_secret}"
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
        request = Request("POST", "/oidc/v1/token", {}, basic, None, form.encode())
        return respond(self.context, request, find_route("POST", request.path))

    def send(self, path: str, *, page_fault: str | None = None, **query: str) -> Response:
        request = Request("GET", path, query, f"Bearer {self.token}", "test/1")
        return respond(self.context, request, find_route("GET", path), page_fault=page_fault)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        response = self.send(path, **query)
        assert response.status == 200, response.body
        body: dict[str, Any] = json.loads(response.body)
        return body

    def refused(self, path: str, **query: str) -> tuple[int, str]:
        response = self.send(path, **query)
        return response.status, json.loads(response.body)["error_code"]

    def all_items(self, path: str, name: str, **query: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        page = self.get(path, **query)
        while True:
            items += page[name]
            if "next_page_token" not in page:
                return items
            page = self.get(path, **query, page_token=page["next_page_token"])


@pytest.fixture
def account() -> SimulatedAccount:
    return generate_account(
        AccountSpec(until=UNTIL, message_count=300, space_count=4, workspace_count=2, days=9, quirks=False)
    )


@pytest.fixture
def caller(account: SimulatedAccount) -> Caller:
    return Caller(account)


@pytest.fixture
def space(caller: Caller) -> SimulatedSpace:
    return max(caller.workspace.spaces.values(), key=lambda row: len(row.conversations))


@pytest.fixture
def message(space: SimulatedSpace) -> SimulatedMessage:
    return next(
        row
        for talk in space.conversations.values()
        for row in talk.messages.values()
        if row.queries and row.final_status == "COMPLETED"
    )


def path_of(message: SimulatedMessage) -> str:
    return f"{SPACES}/{message.space_id}/conversations/{message.conversation_id}/messages/{message.message_id}"


def test_message_is_answered_as_the_account_says(caller: Caller, message: SimulatedMessage) -> None:
    assert caller.get(path_of(message)) == message_body(message)


def test_unknown_path_fails_loudly(caller: Caller) -> None:
    assert caller.refused("/api/2.0/genie/rooms") == (404, "ENDPOINT_NOT_FOUND")


def test_write_methods_are_not_served() -> None:
    assert find_route("POST", f"{SPACES}/s/start-conversation").operation == "unknown"


def test_every_operation_has_a_route() -> None:
    assert set(OPERATIONS) >= {
        "get_message",
        "list_messages",
        "get_space",
        "token",
        "oidc",
        "serving_config",
        "scim_user",
        "unknown",
    }


def test_all_messages_of_a_long_conversation_come_in_pages(caller: Caller, space: SimulatedSpace) -> None:
    first = caller.account.ask(workspace_id=space.workspace_id, space_id=space.space_id)
    for _ in range(230):
        caller.account.ask(workspace_id=space.workspace_id, conversation_id=first.conversation_id)
    path = f"{SPACES}/{space.space_id}/conversations/{first.conversation_id}/messages"
    assert len(caller.get(path)["messages"]) == 20
    assert len(caller.get(path, page_size="100")["messages"]) == 100
    ids = [row["message_id"] for row in caller.all_items(path, "messages", page_size="100")]
    assert len(ids) == len(set(ids)) == 231
    assert ids != sorted(ids)


def test_message_added_between_two_pages_repeats_and_loses_nothing(caller: Caller, space: SimulatedSpace) -> None:
    first = caller.account.ask(workspace_id=space.workspace_id, space_id=space.space_id)
    for _ in range(60):
        caller.account.ask(workspace_id=space.workspace_id, conversation_id=first.conversation_id)
    path = f"{SPACES}/{space.space_id}/conversations/{first.conversation_id}/messages"
    before = {row["message_id"] for row in caller.all_items(path, "messages")}
    page = caller.get(path)
    seen = [row["message_id"] for row in page["messages"]]
    while "next_page_token" in page:
        caller.account.ask(workspace_id=space.workspace_id, conversation_id=first.conversation_id)
        page = caller.get(path, page_token=page["next_page_token"])
        seen += [row["message_id"] for row in page["messages"]]
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


@pytest.mark.parametrize("query", [{"page_size": "101"}, {"page_size": "x"}, {"page_token": "garbage"}])
def test_bad_paging_parameters_are_refused(caller: Caller, query: dict[str, str]) -> None:
    assert caller.refused(SPACES, **query) == (400, "INVALID_PARAMETER_VALUE")


def test_token_of_another_list_is_refused(caller: Caller, space: SimulatedSpace) -> None:
    token = caller.get(SPACES, page_size="1")["next_page_token"]
    assert caller.refused(f"{SPACES}/{space.space_id}/conversations", page_token=token) == (
        400,
        "INVALID_PARAMETER_VALUE",
    )


def test_without_include_all_only_own_conversations_are_listed(caller: Caller, space: SimulatedSpace) -> None:
    path = f"{SPACES}/{space.space_id}/conversations"
    assert caller.get(path)["conversations"] == []
    assert len(caller.all_items(path, "conversations", include_all="true")) == len(space.conversations)


def test_hidden_space_answers_404_everywhere(caller: Caller, message: SimulatedMessage) -> None:
    caller.account.deny_space(message.workspace_id, message.space_id)
    missing = (404, "RESOURCE_DOES_NOT_EXIST")
    assert caller.refused(f"{SPACES}/{message.space_id}") == missing
    assert caller.refused(path_of(message)) == missing
    assert caller.refused(f"{SPACES}/{message.space_id}/conversations", include_all="true") == missing
    assert message.space_id not in {row["space_id"] for row in caller.get(SPACES, page_size="100")["spaces"]}


def test_forbidden_space_answers_403(caller: Caller, message: SimulatedMessage) -> None:
    caller.account.deny_space(message.workspace_id, message.space_id, mode="forbidden")
    assert caller.refused(path_of(message)) == (403, "PERMISSION_DENIED")


def test_can_run_reads_the_space_but_not_the_messages_of_others(caller: Caller, message: SimulatedMessage) -> None:
    caller.account.deny_space(message.workspace_id, message.space_id, mode="can_run")
    assert caller.get(f"{SPACES}/{message.space_id}")["space_id"] == message.space_id
    assert caller.refused(f"{SPACES}/{message.space_id}/conversations", include_all="true") == (
        403,
        "PERMISSION_DENIED",
    )
    assert caller.refused(path_of(message)) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_allowed_again_everything_is_readable(caller: Caller, message: SimulatedMessage) -> None:
    caller.account.deny_space(message.workspace_id, message.space_id)
    caller.account.allow_space(message.workspace_id, message.space_id)
    assert caller.get(path_of(message))["message_id"] == message.message_id


def test_deleted_message_and_trashed_space_are_gone(caller: Caller, message: SimulatedMessage) -> None:
    caller.account.delete_message(message)
    assert caller.refused(path_of(message)) == (404, "RESOURCE_DOES_NOT_EXIST")
    caller.account.trash_space(message.workspace_id, message.space_id)
    assert caller.refused(f"{SPACES}/{message.space_id}") == (404, "RESOURCE_DOES_NOT_EXIST")


def test_serialized_space_comes_only_when_asked_for(caller: Caller, space: SimulatedSpace) -> None:
    path = f"{SPACES}/{space.space_id}"
    assert "serialized_space" not in caller.get(path)
    document = json.loads(caller.get(path, include_serialized_space="true")["serialized_space"])
    assert document["version"] == 2
    assert document["data_sources"]["tables"]


def test_comments_are_listed_by_message_and_by_conversation(caller: Caller, message: SimulatedMessage) -> None:
    before = len(message.comments or ())
    caller.account.comment(message, "please check")
    by_message = caller.get(path_of(message) + "/comments")["comments"]
    assert len(by_message) == before + 1
    talk = f"{SPACES}/{message.space_id}/conversations/{message.conversation_id}/list-comments"
    assert by_message[0] in caller.all_items(talk, "comments")


def test_result_of_a_query_can_be_read_until_it_expires(caller: Caller, message: SimulatedMessage) -> None:
    attachment = message.attachment_id(f"query-{len(message.queries) - 1}")
    path = f"{path_of(message)}/attachments/{attachment}/query-result"
    assert caller.get(path)["statement_response"]["statement_id"] == message.statement_ids[-1]
    assert caller.get(f"{path_of(message)}/query-result/{attachment}") == caller.get(path)
    caller.account.expire_result(message)
    assert caller.refused(path) == (400, "INVALID_STATE")


def test_user_is_found_until_deleted(caller: Caller, message: SimulatedMessage) -> None:
    assert message.user is not None
    message.user.application_id = None
    path = f"/api/2.0/preview/scim/v2/Users/{message.user_id}"
    assert caller.get(path)["userName"] == message.user.email
    message.user.is_deleted = True
    assert caller.send(path).status == 404


def test_permissions_name_the_owner(caller: Caller, space: SimulatedSpace) -> None:
    body = caller.get(f"/api/2.0/permissions/genie/{space.space_id}")
    assert space.owner.email in json.dumps(body)


def test_wrong_secret_is_an_invalid_client(caller: Caller) -> None:
    response = caller.ask_token(secret="wrong")
    assert (response.status, json.loads(response.body)["error"]) == (401, "invalid_client")


def test_workspace_without_the_principal_refuses_the_credentials(caller: Caller) -> None:
    caller.workspace.accepts_credentials = False
    assert caller.ask_token().status == 401
    assert caller.refused(SPACES) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "form", ["grant_type=password&scope=all-apis", "grant_type=client_credentials&scope=nothing", ""]
)
def test_malformed_token_requests_are_refused(caller: Caller, form: str) -> None:
    assert caller.ask_token(form=form).status == 400


def test_token_expires(caller: Caller) -> None:
    caller.get(SPACES)
    caller.seconds = 60.0
    assert caller.refused(SPACES) == (401, "UNAUTHENTICATED")


def test_token_of_another_workspace_is_refused(caller: Caller) -> None:
    other = next(row for row in caller.account.workspaces.values() if row is not caller.workspace)
    caller.context = ApiContext(caller.account, other, caller.tokens)
    assert caller.refused(SPACES) == (403, "PERMISSION_DENIED")


def test_empty_page_has_a_token_that_leads_on(caller: Caller) -> None:
    empty = json.loads(caller.send(SPACES, page_fault="empty_page").body)
    assert empty["spaces"] == []
    assert caller.get(SPACES, page_token=empty["next_page_token"]) == caller.get(SPACES)


def test_repeated_page_token_never_ends(caller: Caller) -> None:
    first = json.loads(caller.send(SPACES, page_fault="repeat_page_token").body)["next_page_token"]
    second = json.loads(caller.send(SPACES, page_fault="repeat_page_token", page_token=first).body)["next_page_token"]
    assert first == second


def test_own_reads_are_audited_with_identity_and_agent(caller: Caller, message: SimulatedMessage) -> None:
    caller.get(path_of(message))
    event = caller.account.audit.events[-1]
    assert event.user is not None
    assert (event.action, event.user.email, event.user_agent) == (
        "genieGetConversationMessage",
        caller.account.client_id,
        "test/1",
    )
    assert event.visible_us > caller.account.clock.now_us


@pytest.fixture(scope="module")
def odd_caller() -> Caller:
    return Caller(generate_account(AccountSpec(until=UNTIL, workspace_count=1)))


def test_private_conversations_show_no_attachments(odd_caller: Caller) -> None:
    message = next(row for row in odd_caller.account.messages() if row.is_private and row.queries and not row.quirks)
    body = odd_caller.get(path_of(message))
    assert "attachments" not in body
    assert body["content"]


def test_benchmark_conversations_are_readable_but_not_listed(odd_caller: Caller) -> None:
    space = next(row for row in odd_caller.workspace.spaces.values() if row.eval_runs)
    talks = [row for row in space.conversations.values() if row.is_benchmark]
    listed = {
        row["conversation_id"]
        for row in odd_caller.all_items(
            f"{SPACES}/{space.space_id}/conversations", "conversations", include_all="true", page_size="100"
        )
    }
    assert talks
    assert listed.isdisjoint(row.conversation_id for row in talks)
    assert odd_caller.get(path_of(next(iter(talks[0].messages.values()))))["content"]


def test_benchmark_runs_can_be_followed_down_to_a_result(odd_caller: Caller) -> None:
    space = next(row for row in odd_caller.workspace.spaces.values() if row.eval_runs)
    [run, *_] = odd_caller.get(f"{SPACES}/{space.space_id}/eval-runs")["eval_runs"]
    path = f"{SPACES}/{space.space_id}/eval-runs/{run['eval_run_id']}"
    assert odd_caller.get(path) == run
    [result, *_] = odd_caller.get(f"{path}/results")["eval_results"]
    assert odd_caller.get(f"{path}/results/{result['result_id']}")["assessment"] in {"GOOD", "BAD"}


def test_without_include_all_the_observer_sees_its_own_chat(odd_caller: Caller) -> None:
    own = [row for row in odd_caller.account.messages() if row.user is odd_caller.account.observer]
    listed = odd_caller.get(f"{SPACES}/{own[0].space_id}/conversations")["conversations"]
    assert [row["conversation_id"] for row in listed] == [own[0].conversation_id]


def test_every_body_is_json_in_utf_8(odd_caller: Caller) -> None:
    for message in odd_caller.account.messages():
        space = odd_caller.workspace.spaces[message.space_id]
        if space.access == "manage" and not message.deleted:
            assert odd_caller.get(path_of(message))["content"] == message.content
