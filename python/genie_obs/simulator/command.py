"""`genie-obs simulate`: writes the system tables of a made-up account and serves its workspaces."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.spec import AccountSpec
from genie_obs.simulator.history.generate import generate_account
from genie_obs.simulator.history.growth import grow
from genie_obs.simulator.server.faults import FaultRule, load_fault_file
from genie_obs.simulator.server.server import SimulatorServer
from genie_obs.simulator.system_tables.writer import write_system_tables

_MARK = "# Written by `genie-obs simulate`: credentials of a simulated service principal, of no use anywhere else."


class SimulatorSetupError(click.ClickException):
    """The simulator cannot start as it was asked to."""

    exit_code = 2


def _parse_faults(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[FaultRule]:
    try:
        return [FaultRule.parse(value) for value in values]
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def _parse_instant(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is no instant in ISO 8601, e.g. 2026-11-20T15:00:00Z", ctx, param
        ) from error
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class _Serving:
    """How the workspaces are served, and how the account goes on."""

    lakehouse: Path
    env_file: Path
    write_only: bool
    as_json: bool
    live: bool
    tick_seconds: float
    speed: float


@click.command(name="simulate")
@click.option(
    "--lakehouse", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the tables."
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Credentials go here. [default: simulator.env beside the lakehouse]",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed and --until, same account.")
@click.option("--workspaces", type=click.IntRange(1, 200), default=3, show_default=True)
@click.option("--spaces", type=click.IntRange(1, 10_000), default=14, show_default=True)
@click.option("--users", type=click.IntRange(1, 100_000), default=60, show_default=True)
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True, help="Length of the history.")
@click.option("--messages", type=click.IntRange(0), default=3_000, show_default=True)
@click.option(
    "--until", callback=_parse_instant, metavar="INSTANT", help="The account's now, ISO 8601. [default: the present]"
)
@click.option(
    "--turns-per-conversation", type=click.FloatRange(min=1), help="The same for all. [default: a realistic mix]"
)
@click.option("--clean", is_flag=True, help="No oddities: nothing forbidden, everything terminal.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help="Port of the first workspace, the others follow. [default: free ports]",
)
@click.option(
    "--latency-ms", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Added to every answer."
)
@click.option(
    "--requests-per-second", type=click.FloatRange(min=0, min_open=True), help="Limit per workspace; beyond it 429."
)
@click.option("--token-lifetime-seconds", type=click.FloatRange(min=1), default=3_600.0, show_default=True)
@click.option(
    "--fault",
    "faults",
    callback=_parse_faults,
    metavar="RULE",
    multiple=True,
    help="OPERATION:STATUS-OR-ACTION[:NAME=VALUE,…]; repeatable. E.g. get_message:503:times=3",
)
@click.option(
    "--fault-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON list of fault rules."
)
@click.option("--live", is_flag=True, help="The account grows while it is served.")
@click.option(
    "--tick-seconds",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    help="With --live: how often it grows.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="With --live: account seconds per second.",
)
@click.option("--write-only", is_flag=True, help="Write the tables and end, without serving.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout when ready.")
def simulate_command(
    *,
    lakehouse: Path,
    env_file: Path | None,
    until: datetime | None,
    clean: bool,
    port: int | None,
    latency_ms: float,
    requests_per_second: float | None,
    token_lifetime_seconds: float,
    faults: list[FaultRule],
    fault_file: Path | None,
    live: bool,
    tick_seconds: float,
    speed: float,
    write_only: bool,
    as_json: bool,
    **size: Any,
) -> None:
    """Make up a Databricks account: system tables as Delta folders, workspaces over HTTP.

    Runs until Ctrl-C (or SIGTERM). Point the other commands at it with the same --lakehouse and the credentials of the env file.
    """
    if live and write_only:
        raise click.UsageError("--live needs a server; leave out --write-only.")
    account = generate_account(_spec(size, until or datetime.now(UTC).replace(microsecond=0), clean=clean))
    serving = _Serving(
        lakehouse=lakehouse,
        env_file=env_file or lakehouse.absolute().parent / "simulator.env",
        write_only=write_only,
        as_json=as_json,
        live=live,
        tick_seconds=tick_seconds,
        speed=speed,
    )
    server = SimulatorServer(
        account,
        first_port=port,
        latency_seconds=latency_ms / 1_000,
        requests_per_second=requests_per_second,
        faults=[*faults, *_rules(fault_file)],
        token_lifetime_seconds=token_lifetime_seconds,
    )
    if write_only:
        _announce(account, serving, _prepare(account, serving), urls={})
        return
    _serve(account, server, serving)


def _spec(size: dict[str, Any], until: datetime, *, clean: bool) -> AccountSpec:
    try:
        return AccountSpec(
            seed=size["seed"],
            workspace_count=size["workspaces"],
            space_count=size["spaces"],
            user_count=size["users"],
            days=size["days"],
            message_count=size["messages"],
            turns_per_conversation=size["turns_per_conversation"],
            until=until,
            quirks=not clean,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _rules(path: Path | None) -> list[FaultRule]:
    if path is None:
        return []
    try:
        return load_fault_file(path)
    except (ValueError, OSError) as error:
        raise click.BadParameter(str(error), param_hint="--fault-file") from error


def _serve(account: SimulatedAccount, server: SimulatorServer, serving: _Serving) -> None:
    with _stop_signals() as stop:
        try:
            server.start()
        except (OSError, OverflowError) as error:
            raise SimulatorSetupError(
                f"Cannot open the ports: {error}. Choose other ones with --port, or leave it out for free ports."
            ) from error
        try:
            _announce(account, serving, _prepare(account, serving), urls=dict(server.urls))
            while not stop.wait(serving.tick_seconds if serving.live else None):
                grow(account, until=account.now + timedelta(seconds=serving.tick_seconds * serving.speed))
                counts = write_system_tables(account, serving.lakehouse)
                rows = f"{counts['access.audit']} audit rows, {counts['query.history']} statements"
                click.echo(f"{account.now:%Y-%m-%d %H:%M:%S} UTC in the account: {rows} became visible", err=True)
        finally:
            server.stop()
    click.echo(f"Stopped after {server.stats.calls()} requests.", err=True)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Let SIGINT and SIGTERM set an event. Restore their handlers at the end."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _prepare(account: SimulatedAccount, serving: _Serving) -> dict[str, int]:
    """Write tables and credentials. Return the numbers of rows by table."""
    try:
        counts = write_system_tables(account, serving.lakehouse)
        _write_env_file(account, serving.env_file)
    except OSError as error:
        raise SimulatorSetupError(
            f"Cannot write the simulated account: {error}. Choose a folder you may write to."
        ) from error
    return counts


def _write_env_file(account: SimulatedAccount, path: Path) -> None:
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(_MARK):
        raise SimulatorSetupError(
            f"{path} exists and was not written by the simulator. Choose another file with --env-file."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # without this, a file that existed before keeps its mode
        file.write(
            f"{_MARK}\nDATABRICKS_SP_CLIENT_ID={account.client_id}\nDATABRICKS_SP_CLIENT_SECRET={account.client_secret}\n"
        )


def _announce(account: SimulatedAccount, serving: _Serving, counts: dict[str, int], *, urls: dict[str, str]) -> None:
    messages = sum(1 for _ in account.messages())
    if serving.as_json:
        ready = {
            "lakehouse": str(serving.lakehouse),
            "env_file": str(serving.env_file),
            "until": account.now.isoformat(),
            "seed": account.spec.seed,
            "messages": messages,
            "rows": counts,
            "urls": urls,
        }
        click.echo(json.dumps(ready))
        return
    click.echo(
        f"An account with {messages} messages until {account.now:%Y-%m-%d %H:%M} UTC (seed {account.spec.seed}).",
        err=True,
    )
    for table, rows in counts.items():
        click.echo(f"  system.{table:<26} {rows:>9,} rows", err=True)
    click.echo(f"Credentials: {serving.env_file}", err=True)
    for workspace_id, url in urls.items():
        click.echo(f"{workspace_id}\t{url}\t{account.workspaces[workspace_id].name}")
    if urls:
        click.echo(f"Now, in another terminal:\n  set -a; . {serving.env_file}; set +a", err=True)
        click.echo(f"  genie-obs ingest --lakehouse {serving.lakehouse}\nCtrl-C ends.", err=True)
