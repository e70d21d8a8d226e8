"""`genie-obs doctor` against the simulated account, with one thing broken at a time: each is named, with what fixes it."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from aiohttp import web
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake
from tests.integration.conftest import DAY, MakeWorld, World
from tests.integration.refusals.cases import CASES

from genie_obs.clock import SystemClock
from genie_obs.command.cli import cli
from genie_obs.doctor.report import Check, DoctorReport, Status
from genie_obs.doctor.run import run_doctor
from genie_obs.lakehouse.schema import table
from genie_obs.simulator import FaultRule, SimulatedSpace, SimulatedWorkspace

IP_REFUSAL = "Source IP address: 203.0.113.9 is blocked by Databricks IP ACL for workspace: 42"
Handler = Callable[[web.BaseRequest], web.StreamResponse]


class Clock(SystemClock):
    """The machine's clock, set wrong on request; waiting takes no time."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """An account of today without oddities: every space can be read."""
    until = datetime.now(UTC).replace(microsecond=0)
    return make_world(quirks=False, message_count=60, days=20, space_count=6, until=until)


def examine(
    world: World, *, environ: dict[str, str] | None = None, clock: Clock | None = None, **flags: str
) -> DoctorReport:
    """Run the doctor; whatever it says, it shows no secret and leaves no file behind."""
    given = credentials(world) if environ is None else environ
    before = files(world.lakehouse)
    report = run_doctor(world.settings(**flags), environ=given, secrets=None, clock=clock or Clock())
    assert files(world.lakehouse) == before
    shown = "\n".join(report.lines()) + report.to_json()
    assert world.account.client_secret not in shown
    assert "simulated." not in shown  # how the simulator's tokens begin
    return report


def credentials(world: World) -> dict[str, str]:
    return {
        "DATABRICKS_SP_CLIENT_ID": world.account.client_id,
        "DATABRICKS_SP_CLIENT_SECRET": world.account.client_secret,
    }


def files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def only_failure(report: DoctorReport) -> Check:
    [failed] = [check for check in report.checks if check.status is Status.FAIL]
    return failed


def only_warning(report: DoctorReport) -> Check:
    [warned] = [check for check in report.checks if check.status is Status.WARN]
    return warned


def drop_column(world: World, name: str, column: str) -> None:
    folder = str(world.lakehouse / "system" / name)
    rows = DeltaTable(folder).to_pyarrow_table().drop_columns([column])
    write_deltalake(folder, rows, mode="overwrite", schema_mode="overwrite")


def first_workspace(world: World) -> SimulatedWorkspace:
    return next(iter(world.account.workspaces.values()))


def busiest_space(world: World) -> SimulatedSpace:
    spaces = [space for workspace in world.account.workspaces.values() for space in workspace.spaces.values()]
    return max(spaces, key=lambda space: len(space.conversations))


def test_healthy_account_passes_every_check(world: World) -> None:
    report = examine(world)

    assert {check.status for check in report.checks} == {Status.OK}, list(report.lines())
    assert report.exit_code == 0
    names = [check.name.split(" (")[0] for check in report.checks]
    assert names[:10] == [
        "versions", "credentials", "engine", "system.access.audit", "system.access.workspaces_latest", "system.query.history",
        "audit events", "workspaces", "target schema", "our tables",
    ]  # fmt: skip
    assert names[-1] == "clock"


def test_account_after_a_run_passes_and_its_tables_are_untouched(world: World) -> None:
    world.run()
    versions = world.versions()

    report = examine(world)

    assert report.exit_code == 0
    assert world.versions() == versions
    assert {"message_details", "message_ledger", "ingestion_runs", "space_details"} <= {c.name for c in report.checks}


def test_few_calls_are_made(world: World) -> None:
    world.server.stats.reset()
    space_count = sum(len(workspace.spaces) for workspace in world.account.workspaces.values())

    examine(world)

    # Probe, token, list and a message of each workspace, and one call for each space.
    assert world.server.stats.calls() <= 4 * len(world.account.workspaces) + space_count


def test_message_is_read_before_it_is_said_that_ingestion_works(world: World) -> None:
    workspace_id = first_workspace(world).workspace_id
    assert sum("was read, as a run reads it" in check.detail for check in examine(world).checks) == len(
        world.account.workspaces
    )

    world.server.set_faults([FaultRule(operation="get_message", status=500, workspace_id=workspace_id)])
    failed = only_failure(report := examine(world))
    assert "cannot be read" in failed.detail
    assert report.exit_code == 3

    world.server.set_faults([FaultRule(operation="get_message", status=403, workspace_id=workspace_id)])
    warned = only_warning(report := examine(world))
    assert "private, or not shared with managers" in warned.detail
    assert report.exit_code == 0


def test_masked_parameters_are_named(world: World) -> None:
    folder = str(world.lakehouse / "system" / "access" / "audit")
    rows = DeltaTable(folder).to_pyarrow_table()
    masked = [{key: "[MASKED: personal data]" for key, _ in row} for row in rows["request_params"].to_pylist()]
    at = rows.column_names.index("request_params")
    rows = rows.set_column(
        at, "request_params", pa.array([list(row.items()) for row in masked], rows["request_params"].type)
    )
    write_deltalake(folder, rows, mode="overwrite")

    failed = only_failure(report := examine(world))

    assert "masked" in failed.detail
    assert "databricks_pii_access" in str(failed.fix)
    assert report.exit_code == 2


def test_missing_credentials_are_named_and_workspaces_are_still_reached(world: World) -> None:
    report = examine(world, environ={})

    failed = only_failure(report)
    assert failed.name == "credentials"
    assert "DATABRICKS_SP_CLIENT_ID" in str(failed.fix)
    assert "DATABRICKS_SP_CLIENT_SECRET" in str(failed.fix)
    assert sum("reachable" in check.detail for check in report.checks) == len(world.account.workspaces)
    assert report.exit_code == 2


def test_half_the_credentials_is_named(world: World) -> None:
    half = {"DATABRICKS_SP_CLIENT_ID": world.account.client_id, "DATABRICKS_SP_CLIENT_SECRET": " "}

    failed = only_failure(report := examine(world, environ=half))

    assert "only one of" in failed.detail
    assert str(failed.fix).startswith("set both")
    assert report.exit_code == 2


def test_policy_without_its_key_is_named(world: World) -> None:
    failed = only_failure(report := examine(world, content_policy="hashed"))

    assert failed.name == "content policy"
    assert "GENIE_OBS_CONTENT_HASH_KEY" in str(failed.fix)
    assert report.exit_code == 2


def test_wrong_secret_is_told_by_all_workspaces_refusing(world: World) -> None:
    report = examine(world, environ={**credentials(world), "DATABRICKS_SP_CLIENT_SECRET": "not-the-one"})

    failed = [check for check in report.checks if check.status is Status.FAIL]
    assert len(failed) == len(world.account.workspaces)
    assert all("invalid_client" in check.detail for check in failed)
    assert all("OAuth secret" in str(check.fix) for check in failed)
    assert "not-the-one" not in "\n".join(report.lines())
    assert report.exit_code == 2


def test_service_principal_not_assigned_is_told_by_one_workspace_refusing(world: World) -> None:
    workspace = first_workspace(world)
    workspace.accepts_credentials = False

    failed = only_failure(report := examine(world))

    assert workspace.workspace_id in failed.name
    assert f"workspace-assignment update {workspace.workspace_id}" in str(failed.fix)
    assert world.account.client_id in str(failed.fix)
    assert report.exit_code == 3


def test_workspace_that_is_down_is_named(world: World) -> None:
    workspace = first_workspace(world)
    workspace.reachable = False

    failed = only_failure(report := examine(world))

    assert workspace.workspace_id in failed.name
    assert "connection was refused" in failed.detail
    assert "firewall" in str(failed.fix)
    assert report.exit_code == 3


def test_host_that_is_not_trusted_is_named_with_the_setting_that_allows_it(world: World) -> None:
    first_workspace(world).url = "https://genie.acme.example"
    world.publish()

    failed = only_failure(report := examine(world))

    assert "none of Databricks' domains" in failed.detail
    assert "--allowed-hosts" in str(failed.fix)
    assert report.exit_code == 3


def test_host_that_does_not_resolve_is_named(world: World) -> None:
    first_workspace(world).url = "https://no-such-workspace.invalid"
    world.publish()

    failed = only_failure(examine(world, allowed_hosts="no-such-workspace.invalid"))

    assert "DNS" in failed.detail
    assert "network policy" in str(failed.fix)


def test_redirect_of_a_moved_workspace_is_named_and_not_followed(world: World) -> None:
    world.server.set_faults([FaultRule(action="redirect", workspace_id=first_workspace(world).workspace_id)])

    failed = only_failure(report := examine(world))

    assert "redirect to login.invalid" in failed.detail
    assert "--workspace-addresses" in str(failed.fix)
    assert "leave it out" not in str(failed.fix)
    assert report.exit_code == 3


def test_redirect_of_the_token_endpoint_alone_is_named(world: World) -> None:
    workspace_id = first_workspace(world).workspace_id
    world.server.set_faults([FaultRule(operation="token", action="redirect", workspace_id=workspace_id)])

    assert "redirect" in only_failure(examine(world)).detail


def test_no_answer_in_time_is_named(world: World) -> None:
    workspace_id = first_workspace(world).workspace_id
    world.server.set_faults([FaultRule(action="timeout", workspace_id=workspace_id)])

    failed = only_failure(examine(world, timeout_seconds="0.5"))

    assert "time-out" in failed.detail
    assert "firewall" in str(failed.fix)


@pytest.mark.parametrize(
    ("rule", "said", "fix"),
    [
        (FaultRule(operation="list_spaces", status=401), "does not accept the token: 401", "workspace-assignment"),
        (FaultRule(operation="list_spaces", status=403), "refuses the service principal: 403", "entitlements"),
        (FaultRule(operation="list_spaces", status=404), "has no Genie API: 404", "enable Genie"),
        (FaultRule(operation="list_spaces", status=503), "answers only errors: 503", "Databricks support"),
        (FaultRule(operation="list_spaces", status=429, retry_after="0"), "the service fails: 429", "try again later"),
        (
            FaultRule(operation="list_spaces", action="wrong_content_type"),
            "answers with a web page",
            "gateways and proxies",
        ),
        (FaultRule(operation="list_conversations", status=500), "the service fails: 500", "try again later"),
        (FaultRule(operation="token", status=500), "the token endpoint answers only errors: 500", "Databricks support"),
        (
            FaultRule(operation="token", action="html_502"),
            "the token endpoint answers only errors: 502",
            "Databricks support",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_refusal_of_one_workspace_is_named_with_its_fix(world: World, rule: FaultRule, said: str, fix: str) -> None:
    world.server.set_faults([replace(rule, workspace_id=first_workspace(world).workspace_id)])

    failed = only_failure(report := examine(world))

    assert said in failed.detail
    assert fix in str(failed.fix)
    assert report.exit_code == 3


def test_ip_access_list_is_told_apart_from_a_missing_permission(world: World) -> None:
    def refuse(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"error_code": "PERMISSION_DENIED", "message": IP_REFUSAL}, status=403)

    with another_server(refuse) as url:
        first_workspace(world).url = url
        world.publish()
        failed = only_failure(report := examine(world))

    assert "blocked by Databricks IP ACL" in failed.detail
    assert "IP access list" in str(failed.fix)
    assert "No grant helps" in str(failed.fix)
    assert report.exit_code == 3


@pytest.mark.parametrize("refusing", ["/oidc/v1/token", "/api/2.0/genie/spaces"])
def test_ip_access_list_is_recognised_wherever_it_strikes(world: World, refusing: str) -> None:
    def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == refusing:
            return web.json_response({"error_code": "PERMISSION_DENIED", "message": IP_REFUSAL}, status=403)
        return web.json_response({"access_token": "made-up", "expires_in": 3600})

    with another_server(answer) as url:
        first_workspace(world).url = url
        world.publish()
        failed = only_failure(examine(world))

    assert "blocked by Databricks IP ACL" in failed.detail
    assert "No grant helps" in str(failed.fix)


def test_certificate_that_is_not_trusted_is_named(world: World, tmp_path: Path) -> None:
    with another_server(lambda request: web.json_response({}), context=self_signed(tmp_path)) as url:
        first_workspace(world).url = url
        world.publish()
        failed = only_failure(report := examine(world))

    assert "certificate is not trusted" in failed.detail
    assert "SSL_CERT_FILE" in str(failed.fix)
    assert report.exit_code == 3


def test_hidden_space_known_from_the_ledger_is_named_with_the_grant(world: World) -> None:
    world.run()
    space = busiest_space(world)
    space.access = "hidden"

    failed = only_failure(report := examine(world))

    assert failed.name == f"space {space.space_id}"
    assert "not visible" in failed.detail
    assert f"/api/2.0/permissions/genie/{space.space_id}" in str(failed.fix)
    assert f'"service_principal_name": "{world.account.client_id}"' in str(failed.fix)
    assert report.exit_code == 3


def test_space_without_can_manage_is_named_with_the_grant(world: World) -> None:
    space = busiest_space(world)
    space.access = "can_run"

    failed = only_failure(report := examine(world))

    assert failed.name == f"space {space.space_id}"
    assert "without CAN MANAGE" in failed.detail
    assert '"permission_level": "CAN_MANAGE"' in str(failed.fix)
    workspace = world.account.workspaces[space.workspace_id]
    assert str(failed.fix).startswith(f"DATABRICKS_HOST={workspace.url} ")
    assert report.exit_code == 3


def test_only_the_spaces_asked_for_are_checked(world: World) -> None:
    space = busiest_space(world)
    space.access = "can_run"
    others = [s for w in world.account.workspaces.values() for s in w.spaces.values() if s is not space]

    assert examine(world, space_ids=others[0].space_id).exit_code == 0
    assert examine(world, space_ids=space.space_id).exit_code == 3


@pytest.mark.parametrize("name", ["access/audit", "access/workspaces_latest"])
def test_missing_system_table_is_named(world: World, name: str) -> None:
    shutil.rmtree(world.lakehouse / "system" / name)

    failed = only_failure(report := examine(world))

    assert failed.name == f"system.{name.replace('/', '.')}"
    assert "does not exist or is not visible" in failed.detail
    assert "genie-obs simulate" in str(failed.fix)
    assert report.exit_code == 2


def test_optional_system_table_that_is_missing_is_a_warning(world: World) -> None:
    shutil.rmtree(world.lakehouse / "system" / "query" / "history")

    warned = only_warning(report := examine(world))

    assert (warned.name, report.exit_code) == ("system.query.history", 0)
    assert "does not exist or is not visible; runs go on without" in warned.detail
    assert "genie-obs simulate" in str(warned.fix)


def test_missing_column_of_a_system_table_is_named(world: World) -> None:
    drop_column(world, "access/audit", "action_name")

    failed = only_failure(report := examine(world))

    assert (failed.name, report.exit_code) == ("system.access.audit", 2)
    assert "action_name is missing" in failed.detail
    assert str(failed.fix).startswith("Upgrade genie-obs")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("execution_status", "execution_status is missing; nothing can be made of it without; runs go on without"),
        ("from_result_cache", "readable, but changed: system.query.history.from_result_cache: missing"),
    ],
)
def test_column_that_can_be_done_without_is_a_warning(world: World, column: str, said: str) -> None:
    drop_column(world, "query/history", column)

    warned = only_warning(report := examine(world))

    assert (warned.name, report.exit_code) == ("system.query.history", 0)
    assert said in warned.detail


def test_skipped_source_is_not_looked_at(world: World) -> None:
    shutil.rmtree(world.lakehouse / "system" / "query" / "history")

    report = examine(world, skip_sources="query.history")

    [skipped] = [check for check in report.checks if check.status is Status.SKIP]
    assert (skipped.name, skipped.detail) == ("system.query.history", "not read, by --skip-sources")
    assert report.exit_code == 0


def test_source_that_cannot_be_skipped_is_named(world: World) -> None:
    failed = only_failure(report := examine(world, skip_sources="access.audit"))

    assert "access.audit" in failed.detail
    assert "query.history" in str(failed.fix)
    assert report.exit_code == 2


def test_empty_list_of_workspaces_is_named(world: World) -> None:
    folder = world.lakehouse / "system" / "access" / "workspaces_latest"
    empty = DeltaTable(str(folder)).to_pyarrow_table().slice(0, 0)
    write_deltalake(str(folder), empty, mode="overwrite")

    failed = only_failure(report := examine(world))

    assert (failed.name, failed.detail) == ("workspaces", "system.access.workspaces_latest is empty")
    assert report.exit_code == 2


def test_workspace_id_that_does_not_exist_is_named(world: World) -> None:
    failed = only_failure(report := examine(world, workspace_ids="123"))

    assert "123 is not in system.access.workspaces_latest" in failed.detail
    assert failed.detail.startswith("--workspace-ids")
    assert "the number after ?o=" in str(failed.fix)
    assert report.exit_code == 2


def test_audit_log_without_recent_events_is_a_warning(make_world: MakeWorld) -> None:
    world = make_world(quirks=False, message_count=20, days=5, until=datetime.now(UTC) - 20 * DAY)

    report = examine(world)

    [warned] = [check for check in report.checks if check.status is Status.WARN]
    assert warned.name == "audit events"
    assert "no Genie event" in warned.detail
    assert "regional" in str(warned.fix)
    assert report.exit_code == 0


def test_lakehouse_that_is_not_there_is_named(world: World) -> None:
    report = run_doctor(
        world.settings(lakehouse="/nowhere/lakehouse"), environ=credentials(world), secrets=None, clock=Clock()
    )

    failed = only_failure(report)
    assert failed.name == "engine"
    assert "does not exist" in failed.detail
    assert "genie-obs simulate" in str(failed.fix)
    assert {check.name for check in report.checks if check.status is Status.SKIP} >= {"workspaces", "target schema"}
    assert report.exit_code == 2


def test_target_that_cannot_be_written_is_named(world: World) -> None:
    # A file where the catalog's folder would be stops everybody, root included.
    (world.lakehouse / "main").write_text("in the way")

    failed = only_failure(report := examine(world))

    assert failed.name == "target schema"
    assert "cannot be written" in failed.detail
    assert "main/genie_analytics" in str(failed.fix)
    assert report.exit_code == 2


def test_spark_server_that_does_not_listen_is_named_at_once(world: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, never listening: nobody else gets this port meanwhile
        address = f"sc://127.0.0.1:{unused.getsockname()[1]}"

        failed = only_failure(report := examine(world, engine=f"{address}/;token=hush"))

    assert address in failed.detail
    assert "hush" not in "\n".join(report.lines())

    assert failed.name == "engine"
    assert f"no connection to {address}" in failed.detail
    assert "is up" in str(failed.fix)
    assert report.exit_code == 2


@pytest.mark.parametrize(("hours", "word"), [(2, "ahead of"), (-2, "behind")])
def test_clock_that_is_wrong_is_a_warning(world: World, hours: int, word: str) -> None:
    report = examine(world, clock=Clock(timedelta(hours=hours)))

    [clock] = [check for check in report.checks if check.name == "clock"]
    assert clock.status is Status.WARN
    assert word in clock.detail
    assert "7,2" in clock.detail or "7,19" in clock.detail
    assert "timedatectl" in str(clock.fix)
    assert report.exit_code == 0


def test_older_tables_are_a_warning_that_names_the_columns(world: World) -> None:
    older = pa.schema([field for field in table("space_details").arrow_schema() if field.name != "etag"])
    write_deltalake(str(world.lakehouse / "main" / "genie_analytics" / "space_details"), older.empty_table())

    report = examine(world)

    [warned] = [check for check in report.checks if check.status is Status.WARN]
    assert warned.name == "space_details"
    assert "without etag" in warned.detail
    assert "genie-obs init" in str(warned.fix)
    assert report.exit_code == 0


def test_table_made_by_something_else_is_named(world: World) -> None:
    rows = pa.table({"workspace_id": pa.array([1], pa.int64()), "space_id": ["s"]})
    write_deltalake(str(world.lakehouse / "main" / "genie_analytics" / "space_details"), rows)

    failed = only_failure(report := examine(world))

    assert failed.name == "space_details"
    assert "workspace_id is bigint, not string" in failed.detail
    assert "--schema" in str(failed.fix)
    assert report.exit_code == 2


def test_no_workspace_that_works_means_that_ingestion_would_not(world: World) -> None:
    for workspace in world.account.workspaces.values():
        workspace.reachable = False

    assert examine(world).exit_code == 2


def test_command_prints_lines_and_json_and_ends_with_the_code(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in credentials(world).items():
        monkeypatch.setenv(name, value)
    busiest_space(world).access = "can_run"
    arguments = ["doctor", "--engine", "local", "--lakehouse", str(world.lakehouse)]

    lines = CliRunner().invoke(cli, arguments)
    as_json = CliRunner().invoke(cli, [*arguments, "--json"])

    assert lines.exit_code == as_json.exit_code == 3
    assert sum(line.startswith(("ok", "warn", "fail")) for line in lines.stdout.splitlines()) >= 10
    assert any(line.startswith("      ") and "fix: " in line for line in lines.stdout.splitlines())
    parsed: dict[str, Any] = json.loads(as_json.stdout.splitlines()[-1])
    assert parsed["exit_code"] == 3
    assert {"name", "status", "detail", "fix", "is_partial"} == set(parsed["checks"][0])
    assert world.account.client_secret not in lines.output + as_json.output


@contextmanager
def another_server(answer: Handler, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve `answer` on a loopback port from a thread of its own, and yield its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return answer(request)

    async def open_server() -> tuple[web.ServerRunner, int]:
        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        return runner, runner.addresses[0][1]

    runner, port = asyncio.run_coroutine_threadsafe(open_server(), loop).result(10)
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return the context of a server whose certificate nobody trusts."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize("name", CASES)
def test_doctor_says_of_a_workspace_what_a_run_says(world: World, name: str) -> None:
    """The same table as in refusals/test_refusals.py: where a run gives a workspace up, doctor names it, and nowhere else."""
    case = CASES[name]
    world.server.set_faults(
        [replace(case.rule, workspace_id=first_workspace(world).workspace_id, operation="*_spaces")]
    )

    report = examine(world, timeout_seconds="0.4")

    if case.said is None:
        assert report.exit_code == 0
        return
    failed = only_failure(report)
    assert case.said in failed.detail
    assert failed.fix
    assert report.exit_code == 3
