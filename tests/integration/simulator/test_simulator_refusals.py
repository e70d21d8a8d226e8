"""Every refusal of the table, asked for by plain HTTP."""

import http.client
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from genie_obs.simulator import AccountSpec, FaultRule, SimulatorServer, generate_account
from genie_obs.simulator.server.refusals import REFUSALS

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    spec = AccountSpec(seed=1, message_count=4, workspace_count=2, until=datetime(2026, 11, 20, tzinfo=UTC))
    with SimulatorServer(generate_account(spec)) as server:
        yield server


def ask(server: SimulatorServer, workspace_id: str, method: str, path: str, **options: object) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(server.urls[workspace_id]).netloc, timeout=10)
    try:
        connection.request(method, path, **options)  # type: ignore[arg-type]
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def ask_token(server: SimulatorServer, workspace_id: str) -> Answer:
    account = server.account
    basic = b64encode(f"{account.client_id}:{account.client_secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    body = "grant_type=client_credentials&scope=all-apis"
    return ask(server, workspace_id, "POST", "/oidc/v1/token", body=body, headers=headers)


def ask_spaces(server: SimulatorServer, workspace_id: str) -> Answer:
    token = json.loads(ask_token(server, workspace_id)[2])["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    return ask(server, workspace_id, "GET", "/api/2.0/genie/spaces", headers=headers)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_workspace_refuses_its_api_and_no_other(server: SimulatorServer, name: str) -> None:
    refusing, other = server.account.workspaces
    server.set_faults([FaultRule.parse(f"[!t]*:{name}:workspace_id={refusing}")])

    status, headers, body = ask_spaces(server, refusing)

    expected = REFUSALS[name].response()
    assert (status, body, headers["Content-Type"]) == (expected.status, expected.body, expected.content_type)
    assert expected.headers.items() <= headers.items()
    assert ask_spaces(server, other)[0] == 200


def test_the_token_endpoint_alone_may_refuse(server: SimulatorServer) -> None:
    refusing = next(iter(server.account.workspaces))
    server.set_faults([FaultRule(refusal="ip_access_list", operation="token", workspace_id=refusing)])

    assert ask_token(server, refusing)[0] == 403


def test_a_stale_token_is_refused_until_it_is_renewed(server: SimulatorServer) -> None:
    refusing = next(iter(server.account.workspaces))
    server.set_faults([FaultRule(refusal="stale_token", operation="[!t]*", workspace_id=refusing)])
    ask_spaces(server, refusing)

    server.expire_tokens()

    assert ask_spaces(server, refusing)[0] == 200
