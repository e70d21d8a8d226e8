"""The one-time script over real HTTP: minilake stands in for the job's workspace, the simulator for the workspaces to read."""

from __future__ import annotations

import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.deploy.minilake_server import GOOD_TOKEN, READING_TOKEN, running_minilake

from genie_obs.secret import SECRET_SCOPE
from genie_obs.security.credentials import CLIENT_ID_KEY, CLIENT_SECRET_KEY
from genie_obs.simulator import AccountSpec, SimulatorServer, generate_account

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

SCRIPT = Path(__file__).parents[3] / "scripts" / "create_genie_obs_secrets.py"
UNTIL = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@dataclass
class Ended:
    exit_code: int
    out: str
    error: str


Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def minilake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_minilake(tmp_path_factory.mktemp("minilake")) as address:
        yield address


@pytest.fixture
def workspace(minilake: str) -> WorkspaceClient:
    """The workspace the job runs in, without any scope."""
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(host=minilake, token=GOOD_TOKEN, auth_type="pat")
    for scope in list(client.secrets.list_scopes()):
        assert scope.name
        client.secrets.delete_scope(scope.name)
    return client


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorServer]:
    account = generate_account(AccountSpec(message_count=10, days=2, user_count=3, workspace_count=2, until=UNTIL))
    with SimulatorServer(account) as server:
        yield server


@pytest.fixture
def run(minilake: str, simulator: SimulatorServer, tmp_path: Path) -> Run:
    """Return a function that runs the script as a command, logged in, with the right credentials unless told otherwise."""

    def call(*arguments: str, token: str = GOOD_TOKEN, host: str = minilake, **variables: str) -> Ended:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DATABRICKS_", "GENIE_OBS_", "PYTHON"))}
        account = simulator.account
        environment = {
            **kept, "HOME": str(tmp_path), "DATABRICKS_HOST": host, "DATABRICKS_TOKEN": token,
            "DATABRICKS_SP_CLIENT_ID": account.client_id, "DATABRICKS_SP_CLIENT_SECRET": account.client_secret, **variables,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, str(SCRIPT), *arguments],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        everything = done.stdout + done.stderr
        assert "Traceback" not in everything
        for secret in (environment["DATABRICKS_SP_CLIENT_SECRET"], token):
            assert not secret.strip() or secret not in everything
        return Ended(done.returncode, done.stdout, done.stderr)

    return call


def state(client: WorkspaceClient) -> dict[str, Any]:
    """Return all that a second run could change, down to when a key was written."""
    return {
        scope.name or "": (
            {secret.key: secret.last_updated_timestamp for secret in client.secrets.list_secrets(scope.name or "")},
            {acl.principal: acl.permission for acl in client.secrets.list_acls(scope.name or "")},
        )
        for scope in client.secrets.list_scopes()
    }


def urls(simulator: SimulatorServer) -> list[str]:
    return [part for url in simulator.urls.values() for part in ("--workspace", url)]


def test_scope_and_both_keys_exist_afterwards(run: Run, workspace: WorkspaceClient, simulator: SimulatorServer) -> None:
    ended = run(*urls(simulator))
    assert (ended.exit_code, ended.error) == (0, "")
    assert ended.out.count("token issued") == 2
    [(scope, (keys, _))] = state(workspace).items()
    assert (scope, set(keys)) == (SECRET_SCOPE, {CLIENT_ID_KEY, CLIENT_SECRET_KEY})


def test_second_run_changes_nothing(run: Run, workspace: WorkspaceClient) -> None:
    run("--grant-read", "job@example.com")
    before = state(workspace)
    ended = run("--grant-read", "job@example.com")
    assert ended.exit_code == 0
    assert "unchanged" in ended.out
    assert state(workspace) == before


def test_replace_writes_both_keys_anew(run: Run, workspace: WorkspaceClient) -> None:
    run()
    ended = run("--replace")
    assert ended.out.count("replaced") == 2
    assert set(state(workspace)) == {SECRET_SCOPE}


def test_scope_made_by_the_bundle_is_filled(run: Run, workspace: WorkspaceClient) -> None:
    workspace.secrets.create_scope(SECRET_SCOPE)
    assert run().exit_code == 0
    assert set(state(workspace)[SECRET_SCOPE][0]) == {CLIENT_ID_KEY, CLIENT_SECRET_KEY}


def test_half_a_pair_left_by_an_interrupted_run_is_written_whole(run: Run, workspace: WorkspaceClient) -> None:
    workspace.secrets.create_scope(SECRET_SCOPE)
    workspace.secrets.put_secret(SECRET_SCOPE, CLIENT_ID_KEY, string_value="another")
    ended = run()
    assert f"Key {CLIENT_ID_KEY}: replaced" in ended.out
    assert f"Key {CLIENT_SECRET_KEY}: stored" in ended.out


def test_read_is_granted_on_request_and_a_stronger_grant_is_kept(run: Run, workspace: WorkspaceClient) -> None:
    run("--grant-read", "job@example.com", "--grant-read", "users")
    _, grants = state(workspace)[SECRET_SCOPE]
    assert {principal: level.value for principal, level in grants.items()} == {
        "job@example.com": "READ",
        "users": "MANAGE",
    }


def test_wrong_token_fails_clearly(run: Run, workspace: WorkspaceClient) -> None:
    ended = run(token="wrong-token")
    assert ended.exit_code == 1
    assert ended.error.startswith("Error: Logging in failed: Unauthenticated: Invalid access token")
    assert "databricks auth login" in ended.error
    assert state(workspace) == {}


def test_missing_permission_is_named_with_who_should_run_it(run: Run, workspace: WorkspaceClient) -> None:
    ended = run(token=READING_TOKEN)
    assert ended.exit_code == 1
    assert "Creating secret scope genie-obs failed: PermissionDenied" in ended.error
    assert "somebody who may manage secrets" in ended.error


def test_credentials_a_workspace_refuses_are_never_stored(
    run: Run, workspace: WorkspaceClient, simulator: SimulatorServer
) -> None:
    ended = run(*urls(simulator), DATABRICKS_SP_CLIENT_SECRET="not-the-secret-of-anyone")
    assert ended.exit_code == 1
    assert "refuses the credentials: 401" in ended.error
    assert state(workspace) == {}


def test_workspace_that_cannot_be_reached_is_named(run: Run, workspace: WorkspaceClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ended = run("--workspace", f"http://127.0.0.1:{port}")
    assert ended.exit_code == 1
    assert f"http://127.0.0.1:{port} cannot be reached: [Errno 111] Connection refused" in ended.error
    assert state(workspace) == {}


def test_address_that_is_no_workspace_gets_no_secret(run: Run, workspace: WorkspaceClient, minilake: str) -> None:
    assert "issues no token" in run("--workspace", minilake).error
    assert "not https" in run("--workspace", "http://example.com").error
    assert "not the address of a workspace" in run("--workspace", "https://user:word@example.com").error
    assert state(workspace) == {}


@pytest.mark.parametrize("missing", ["DATABRICKS_SP_CLIENT_ID", "DATABRICKS_SP_CLIENT_SECRET"])
def test_half_the_credentials_are_an_error(run: Run, workspace: WorkspaceClient, missing: str) -> None:
    ended = run(**{missing: " "})
    assert ended.exit_code == 1
    assert f"{missing} not set while the other one is set" in ended.error
    assert state(workspace) == {}


def test_without_a_login_the_command_for_one_is_shown(run: Run) -> None:
    ended = run(token="", host="")
    assert ended.exit_code == 1
    assert "databricks auth login" in ended.error


def test_unreachable_host_ends_within_the_retry_time(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ended = run(host=f"http://127.0.0.1:{port}")
    assert ended.exit_code == 1
    assert "Check the host, and DNS, proxy" in ended.error


def test_secret_is_asked_for_without_echo_and_names_only_what_is_missing() -> None:
    read_credentials = runpy.run_path(str(SCRIPT))["read_credentials"]
    asked: list[str] = []

    def ask_hidden(prompt: str) -> str:
        asked.append(prompt)
        return " typed "

    found = read_credentials(
        {"DATABRICKS_SP_CLIENT_ID": "id"}, is_terminal=True, ask=lambda _: pytest.fail("asked for the id"), ask_hidden=ask_hidden
    )  # fmt: skip
    assert (found.client_id, found.client_secret) == ("id", "typed")
    assert "typed" not in repr(found)
    assert len(asked) == 1
