"""A simulated account, served over HTTP, and the job run against it on the local engine."""

from __future__ import annotations

import asyncio
import copyreg
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from genie_obs.config import Settings, parse_settings
from genie_obs.lakehouse.engines.engine import Engine, open_engine
from genie_obs.lakehouse.schema import tables
from genie_obs.lakehouse.tables import Tables
from genie_obs.pipeline.run import run_ingest
from genie_obs.progress import LogProgress
from genie_obs.runs.record import RunRecord
from genie_obs.secret import Credentials, Secret
from genie_obs.session.job import RunContext
from genie_obs.simulator import AccountSpec, SimulatedAccount, SimulatorServer, generate_account, write_system_tables

UNTIL = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class AccountClock:
    """The account's date, and time that passes fifty times as fast, so that back-off does not make tests wait."""

    _SPEED = 50.0

    def __init__(self, account: SimulatedAccount) -> None:
        self._account = account

    def now(self) -> datetime:
        return self._account.now

    def monotonic(self) -> float:
        return time.monotonic() * self._SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._SPEED)


@dataclass
class World:
    """One account, its server and its lakehouse."""

    account: SimulatedAccount
    server: SimulatorServer
    lakehouse: Path
    flags: dict[str, str] = field(default_factory=dict)
    secret: str | None = None
    content_hash_key: Secret | None = None

    def settings(self, **flags: str) -> Settings:
        given = {"engine": "local", "lakehouse": str(self.lakehouse), "days_lookback": "60", **self.flags, **flags}
        return parse_settings(given, {})

    def publish(self) -> None:
        """Let the system tables show what is visible by now."""
        write_system_tables(self.account, self.lakehouse)

    @contextmanager
    def tables(self, wrap: Callable[[Engine], Tables] = Tables, **flags: str) -> Iterator[Tables]:
        engine = open_engine(self.settings(**flags).engine)
        try:
            yield wrap(engine)
        finally:
            engine.close()

    def run(self, *, wrap: Callable[[Engine], Tables] = Tables, publish: bool = True, **flags: str) -> RunRecord:
        if publish:
            self.publish()
        self.server.stats.reset()
        clock = AccountClock(self.account)
        credentials = Credentials(
            client_id=self.account.client_id, client_secret=Secret(self.secret or self.account.client_secret)
        )
        with self.tables(wrap, **flags) as tables, LogProgress(clock) as progress:
            return run_ingest(
                RunContext(
                    tables=tables,
                    settings=self.settings(**flags),
                    credentials=credentials,
                    clock=clock,
                    progress=progress,
                    content_hash_key=self.content_hash_key,
                )
            )

    def read(self, table: str) -> list[dict[str, Any]]:
        """Read one of our tables with another implementation than the one that wrote it."""
        rows: list[dict[str, Any]] = self.delta(table).to_pyarrow_table().to_pylist()
        return rows

    def by_key(self, table: str) -> dict[tuple[str, str], dict[str, Any]]:
        rows = self.read(table)
        keyed = {(row["workspace_id"], row["message_id"]): row for row in rows}
        assert len(keyed) == len(rows), f"{table} has two rows for one message"
        return keyed

    def delta(self, table: str) -> DeltaTable:
        return DeltaTable(str(self.lakehouse / "main" / "genie_analytics" / table))

    def versions(self) -> dict[str, int]:
        return {table.name: self.delta(table.name).version() for table in tables() if table.name != "ingestion_runs"}

    def message_calls(self, workspace_id: str | None = None) -> int:
        stats = self.server.stats
        return stats.calls("get_message", workspace_id) + stats.calls("list_messages", workspace_id)


MakeWorld = Callable[..., World]
CopyWorld = Callable[[World], World]
CLEAN: dict[str, Any] = {"quirks": False, "message_count": 60, "workspace_count": 2, "space_count": 4}

# An account is copied with everything in it; of its lock only a new one can be had.
copyreg.pickle(type(threading.RLock()), lambda _: (threading.RLock, ()))


def make_account(**spec: Any) -> SimulatedAccount:
    return generate_account(AccountSpec(**{"message_count": 300, "days": 40, "user_count": 20, "until": UNTIL, **spec}))


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[MakeWorld]:
    servers: list[SimulatorServer] = []

    def make(**spec: Any) -> World:
        server_options = {name: spec.pop(name) for name in ("requests_per_second", "latency_seconds") if name in spec}
        account = make_account(**spec)
        server = SimulatorServer(account, **server_options)
        server.start()
        servers.append(server)
        world = World(account, server, tmp_path / f"lakehouse{len(servers)}")
        world.publish()
        return world

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A small account with all its oddities."""
    return make_world()


@pytest.fixture
def clean_world(make_world: MakeWorld) -> World:
    """A small account without oddities: every message can be read and is final."""
    return make_world(**CLEAN)


def read_once(account: SimulatedAccount, lakehouse: Path) -> World:
    """Return a world after its first run, no longer served: to be copied."""
    with SimulatorServer(account) as server:
        world = World(account, server, lakehouse)
        assert world.run().status == "succeeded"
    return world


@pytest.fixture
def copy_world(tmp_path: Path) -> Iterator[CopyWorld]:
    """Return a function that gives a world like another, with account, server and tables of its own: a fiftieth of a first run."""
    servers: list[SimulatorServer] = []

    def copy(other: World) -> World:
        lakehouse = tmp_path / f"copy{len(servers)}"
        shutil.copytree(other.lakehouse, lakehouse)
        account = deepcopy(other.account)
        account.publications = {
            root.replace(str(other.lakehouse), str(lakehouse)): done for root, done in account.publications.items()
        }
        server = SimulatorServer(account)
        server.start()
        servers.append(server)
        return World(account, server, lakehouse)

    yield copy
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def _read_once(tmp_path_factory: pytest.TempPathFactory) -> World:
    return read_once(make_account(**CLEAN), tmp_path_factory.mktemp("read_once") / "lakehouse")


@pytest.fixture
def read_world(copy_world: CopyWorld, _read_once: World) -> World:
    """`clean_world` after its first run."""
    return copy_world(_read_once)


DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
