"""The simulator over real sockets: databricks-sdk as client, limits, faults, switches."""

import contextlib
import gzip
import http.client
import json
import socket
import urllib.parse
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied, ResourceDoesNotExist
from databricks.sdk.service.dashboards import GenieConversationSummary, GenieMessage

from genie_obs.simulator import (
    AccountSpec,
    FaultRule,
    SimulatedAccount,
    SimulatorServer,
    generate_account,
    message_body,
)

UNTIL = datetime(2026, 11, 20, 15, tzinfo=UTC)
SPACES = "/api/2.0/genie/spaces"


class Seconds:
    """A clock that stands still unless told otherwise."""

    def __init__(self) -> None:
        self.value = 0.0

    def __call__(self) -> float:
        return self.value


@pytest.fixture(scope="module")
def account() -> SimulatedAccount:
    return generate_account(AccountSpec(until=UNTIL, message_count=1_600, workspace_count=2, space_count=6, days=30))


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def server(account: SimulatedAccount, seconds: Seconds) -> Iterator[SimulatorServer]:
    with SimulatorServer(account, clock=seconds, token_lifetime_seconds=3_600) as server:
        yield server


@pytest.fixture
def workspace_id(account: SimulatedAccount) -> str:
    return next(iter(account.workspaces))


class Answer:
    """Status, headers and body of one plain HTTP request."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


def send(
    url: str, method: str, path: str, headers: dict[str, str], *, body: str | None = None, timeout: float = 10
) -> Answer:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=timeout)
    try:
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def token_of(server: SimulatorServer, workspace_id: str) -> str:
    account = server.account
    basic = b64encode(f"{account.client_id}:{account.client_secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    form = "grant_type=client_credentials&scope=all-apis"
    return str(send(server.urls[workspace_id], "POST", "/oidc/v1/token", headers, body=form).json()["access_token"])


def get(
    server: SimulatorServer, workspace_id: str, path: str = SPACES, token: str | None = None, timeout: float = 10
) -> Answer:
    headers = {"Authorization": f"Bearer {token or token_of(server, workspace_id)}"}
    return send(server.urls[workspace_id], "GET", path, headers, timeout=timeout)


def sdk_client(server: SimulatorServer, workspace_id: str) -> WorkspaceClient:
    return WorkspaceClient(
        host=server.urls[workspace_id],
        client_id=server.account.client_id,
        client_secret=server.account.client_secret,
        auth_type="oauth-m2m",
    )


def sdk_conversations(client: WorkspaceClient, space_id: str) -> list[GenieConversationSummary]:
    found: list[GenieConversationSummary] = []
    token = None
    while True:
        page = client.genie.list_conversations(space_id, include_all=True, page_size=100, page_token=token)
        found += page.conversations or []
        token = page.next_page_token
        if not token:
            return found


def sdk_messages(client: WorkspaceClient, space_id: str, conversation_id: str) -> list[GenieMessage]:
    found: list[GenieMessage] = []
    token = None
    while True:
        page = client.genie.list_conversation_messages(space_id, conversation_id, page_size=100, page_token=token)
        found += page.messages or []
        token = page.next_page_token
        if not token:
            return found


def test_sdk_reads_every_listed_message_and_loses_nothing(
    server: SimulatorServer, account: SimulatedAccount, workspace_id: str
) -> None:
    client = sdk_client(server, workspace_id)
    truth = {row.message_id: row for row in account.messages() if row.workspace_id == workspace_id}
    read: dict[str, GenieMessage] = {}
    for space in client.genie.list_spaces(page_size=100).spaces or []:
        assert client.genie.get_space(space.space_id).title == account.space(workspace_id, space.space_id).title
        for talk in sdk_conversations(client, space.space_id):
            read |= {row.message_id: row for row in sdk_messages(client, space.space_id, talk.conversation_id)}
    expected = {
        key
        for key, row in truth.items()
        if not row.deleted
        and account.space(workspace_id, row.space_id).access == "manage"
        and not account.conversation_of(row).is_benchmark
    }
    assert set(read) == expected
    clean = [
        row
        for row in read.values()
        if not truth[row.message_id].quirks and row.status and (not row.error or row.error.type)
    ]
    assert len(clean) > 100
    assert [row.as_dict() for row in clean] == [message_body(truth[row.message_id]) for row in clean]


def test_sdk_reads_one_message_and_its_asker(
    server: SimulatorServer, account: SimulatedAccount, workspace_id: str
) -> None:
    message = account.ask(workspace_id=workspace_id)
    client = sdk_client(server, workspace_id)
    read = client.genie.get_message(message.space_id, message.conversation_id, message.message_id)
    assert read.as_dict() == message_body(message)
    assert message.user is not None
    assert client.users.get(str(read.user_id)).user_name == message.user.email


def test_sdk_sees_refusals_as_its_own_errors(
    server: SimulatorServer, account: SimulatedAccount, workspace_id: str
) -> None:
    message = account.ask(workspace_id=workspace_id)
    client = sdk_client(server, workspace_id)
    account.deny_space(workspace_id, message.space_id)
    with pytest.raises(ResourceDoesNotExist):
        client.genie.get_space(message.space_id)
    account.deny_space(workspace_id, message.space_id, mode="can_run")
    with pytest.raises(PermissionDenied):
        client.genie.list_conversations(message.space_id, include_all=True)
    account.allow_space(workspace_id, message.space_id)


def test_every_workspace_has_its_own_url(server: SimulatorServer, account: SimulatedAccount) -> None:
    assert len(set(server.urls.values())) == len(account.workspaces)
    assert {row.url for row in account.workspaces.values()} == set(server.urls.values())


def test_requests_are_counted_by_operation_and_status(server: SimulatorServer, workspace_id: str) -> None:
    get(server, workspace_id)
    get(server, workspace_id, "/nowhere")
    assert server.stats.calls("list_spaces", workspace_id, 200) == 1
    assert server.stats.calls("unknown", status=404) == 1
    assert server.stats.calls("token") == 2
    server.stats.reset()
    assert server.stats.calls() == 0


def test_expired_tokens_are_refused(server: SimulatorServer, seconds: Seconds, workspace_id: str) -> None:
    token = token_of(server, workspace_id)
    assert get(server, workspace_id, token=token).status == 200
    seconds.value = 3_600
    assert get(server, workspace_id, token=token).status == 401
    fresh = token_of(server, workspace_id)
    server.expire_tokens()
    assert get(server, workspace_id, token=fresh).status == 401


def test_limit_answers_429_with_retry_after_until_the_bucket_fills(
    server: SimulatorServer, seconds: Seconds, workspace_id: str
) -> None:
    server.requests_per_second = 3
    token = token_of(server, workspace_id)
    assert [get(server, workspace_id, token=token).status for _ in range(4)] == [200, 200, 200, 429]
    refused = get(server, workspace_id, token=token)
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    seconds.value = 1
    assert [get(server, workspace_id, token=token).status for _ in range(4)] == [200, 200, 200, 429]


def test_limit_counts_each_workspace_alone_and_no_tokens(server: SimulatorServer, account: SimulatedAccount) -> None:
    server.requests_per_second = 1
    for workspace_id in account.workspaces:
        for _ in range(3):
            token = token_of(server, workspace_id)
        assert get(server, workspace_id, token=token).status == 200


def test_status_fault_carries_its_retry_after(server: SimulatorServer, workspace_id: str) -> None:
    server.set_faults([FaultRule(operation="list_spaces", status=503, retry_after="7", times=1)])
    first, second = get(server, workspace_id), get(server, workspace_id)
    assert (first.status, first.headers["Retry-After"], second.status) == (503, "7", 200)


def test_redirect_leads_to_another_host(server: SimulatorServer, workspace_id: str) -> None:
    server.set_faults([FaultRule(operation="list_spaces", action="redirect")])
    answer = get(server, workspace_id)
    assert answer.status == 302
    assert urllib.parse.urlsplit(answer.headers["Location"]).hostname == "login.invalid"


@pytest.mark.parametrize(
    ("action", "status"), [("invalid_json", 200), ("html_502", 502), ("html_404", 404), ("wrong_content_type", 200)]
)
def test_spoilt_body_is_not_json(server: SimulatorServer, workspace_id: str, action: str, status: int) -> None:
    server.set_faults([FaultRule(operation="list_spaces", action=action)])
    answer = get(server, workspace_id)
    assert answer.status == status
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_truncated_body_ends_before_its_length(server: SimulatorServer, workspace_id: str) -> None:
    server.set_faults([FaultRule(operation="list_spaces", action="truncate")])
    with pytest.raises(http.client.IncompleteRead):
        get(server, workspace_id)


def test_stalled_body_never_ends(server: SimulatorServer, workspace_id: str) -> None:
    server.set_faults([FaultRule(operation="list_spaces", action="stall")])
    with pytest.raises(TimeoutError):
        get(server, workspace_id, timeout=0.2)


def test_redirect_leads_where_the_rule_says(server: SimulatorServer, workspace_id: str) -> None:
    server.set_faults([FaultRule(operation="list_spaces", action="redirect", location="http://127.0.0.1:9/elsewhere")])
    assert get(server, workspace_id).headers["Location"] == "http://127.0.0.1:9/elsewhere"


def test_gzip_bomb_is_small_until_it_is_opened(server: SimulatorServer, workspace_id: str) -> None:
    server.set_faults([FaultRule(operation="list_spaces", action="gzip_bomb")])
    answer = get(server, workspace_id)
    assert len(answer.body) < 1_000_000
    assert len(json.loads(gzip.decompress(answer.body))["padding"]) > 100_000_000


def test_expired_token_ends_in_its_workspace_only(
    server: SimulatorServer, account: SimulatedAccount, workspace_id: str
) -> None:
    other = next(name for name in account.workspaces if name != workspace_id)
    token, kept = token_of(server, workspace_id), token_of(server, other)
    server.set_faults([FaultRule(operation="list_spaces", action="expire_token", times=1)])
    first, second = get(server, workspace_id, token=token), get(server, workspace_id, token=token)
    assert (first.status, second.status) == (401, 401)
    assert get(server, workspace_id).status == 200
    assert get(server, other, token=kept).status == 200


def test_reset_closes_the_connection_without_an_answer(server: SimulatorServer, workspace_id: str) -> None:
    server.set_faults([FaultRule(operation="list_spaces", action="reset")])
    with pytest.raises(ConnectionResetError):
        get(server, workspace_id)
    assert server.stats.calls("list_spaces", status=0) == 1


def test_held_request_gets_no_answer(server: SimulatorServer, workspace_id: str) -> None:
    server.set_faults([FaultRule(operation="list_spaces", action="timeout")])
    with pytest.raises(TimeoutError):
        get(server, workspace_id, timeout=0.2)


def test_unreachable_workspace_refuses_connections_and_comes_back(
    server: SimulatorServer, account: SimulatedAccount, workspace_id: str
) -> None:
    workspace = account.workspaces[workspace_id]
    workspace.reachable = False
    with pytest.raises(ConnectionRefusedError):
        get(server, workspace_id, token="any")
    workspace.reachable = True
    assert get(server, workspace_id).status == 200


class FailingWhileAsked(SimulatorServer):
    """Loses a workspace in the middle of a request to it."""

    def find_fault(self, workspace_id: str, operation: str, path: str) -> FaultRule | None:
        if operation == "list_spaces":
            self.account.workspaces[workspace_id].reachable = False
        return super().find_fault(workspace_id, operation, path)


def test_workspace_goes_down_while_it_answers(account: SimulatedAccount, workspace_id: str) -> None:
    other = next(other for other in account.workspaces if other != workspace_id)
    with FailingWhileAsked(account) as server:
        token, its_token = token_of(server, workspace_id), token_of(server, other)
        with contextlib.suppress(OSError, http.client.HTTPException):  # the answer may be the last, or not get out
            get(server, workspace_id, token=token, timeout=2)
        assert get(server, other, path=f"{SPACES}/unknown", token=its_token, timeout=2).status == 404
        account.workspaces[workspace_id].reachable = True
        assert get(server, workspace_id, path=f"{SPACES}/unknown", token=token, timeout=2).status == 404


def test_busy_port_is_an_error(account: SimulatedAccount) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
        SimulatorServer(account, first_port=taken.getsockname()[1]).start()


def test_stopped_server_leaves_nothing_behind(account: SimulatedAccount) -> None:
    with SimulatorServer(account) as server:
        url = next(iter(server.urls.values()))
    assert all(row.url is None for row in account.workspaces.values())
    with pytest.raises(ConnectionRefusedError):
        send(url, "GET", SPACES, {})
