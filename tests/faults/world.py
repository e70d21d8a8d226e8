"""A simulated account, its server, its lakehouse, and runs of the job against them, each a process of its own."""

from __future__ import annotations

import atexit
import functools
import json
import mmap
import multiprocessing
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from tests.faults.acts import OUTCOMES, SWITCHES, Act, Meanwhile
from tests.faults.job_process import SPEED, JobEnd, JobOrder, Point, run_job

from genie_obs.lakehouse.schema import tables
from genie_obs.simulator import (
    AccountSpec,
    FaultRule,
    SimulatedAccount,
    SimulatedMessage,
    SimulatedSpace,
    SimulatorServer,
    generate_account,
    write_system_tables,
)

UNTIL = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
OUR_TABLES = tuple(table.name for table in tables())
_REPOSITORY = Path(__file__).resolve().parents[2]
_DISK_MEGABYTES = 96
_RUN_SECONDS_AT_MOST = 180
_LINE = 'It\'s "50 MB"; -- \\\n'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, str]
Row = dict[str, Any]


@functools.cache
def processes() -> ForkServerContext:
    """Return the context whose server has imported everything a run needs."""
    context = multiprocessing.get_context("forkserver")
    # The server is another interpreter: it finds modules by this variable only.
    paths = [str(_REPOSITORY / "python"), str(_REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    if override := os.environ.get("GENIE_OBS_TEST_PACKAGE"):
        paths.insert(0, override)
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    context.set_forkserver_preload(["tests.faults.zygote"])
    return context


@functools.cache
def small_disk() -> Path | None:
    """Mount a small disk for lakehouses that run full; None where that is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="genie-obs-disk-"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m", "genie-obs-faults", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        folder.rmdir()
        return None
    atexit.register(_unmount, folder)
    return folder


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], check=False)
    folder.rmdir()


class WatchedServer(SimulatorServer):
    """Counts the faults that hit, and lets something happen when a number of requests has come."""

    def __init__(self, account: SimulatedAccount, **options: Any) -> None:
        super().__init__(account, **options)
        self.hits: Counter[str] = Counter()
        self.disturbed: set[str] = set()  # operations that a fault hit at any time
        self._requests = 0
        self._alarms: list[tuple[int, Callable[[], None]]] = []
        self._counting = threading.Lock()

    def set_alarms(self, alarms: Sequence[tuple[int, Callable[[], None]]]) -> None:
        """Count requests anew and ring each alarm at its number."""
        with self._counting:
            self._requests = 0
            self._alarms = sorted(alarms, key=lambda alarm: alarm[0])

    def find_fault(self, workspace_id: str, operation: str, path: str) -> FaultRule | None:
        with self._counting:
            self._requests += 1
            due = [ring for number, ring in self._alarms if number == self._requests]
        for ring in due:
            ring()
        fault = super().find_fault(workspace_id, operation, path)
        if fault is not None:
            status = f"{fault.status} Retry-After" if fault.retry_after else str(fault.status)
            kind = fault.refusal or fault.action or status
            with self._counting:
                self.hits[kind] += 1
                self.disturbed.add(operation)
        return fault


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """One run of the job."""

    dies_at: Point | None = None
    dies_after_requests: int | None = None
    dies_after_milliseconds: int | None = None
    disk_full_at: Point | None = None
    clock_jump_seconds: float = 0.0
    clock_jump_after: int = 0
    flags: dict[str, str] = field(default_factory=dict)
    log: Path | None = None

    @property
    def may_die(self) -> bool:
        """Whether the run may be killed."""
        deaths = (self.dies_at, self.dies_after_requests, self.dies_after_milliseconds)
        return any(death is not None for death in deaths)


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """How a run ended."""

    is_killed: bool
    record: Row | None = None
    error: str | None = None


class World:
    """One account and everything that reads it or goes wrong around it."""

    def __init__(
        self, *, seed: int = 1, quirks: bool = False, message_count: int = 12, workspace_count: int = 2
    ) -> None:
        self.seed = seed
        self.account = generate_account(
            AccountSpec(
                seed=seed, quirks=quirks, message_count=message_count, workspace_count=workspace_count,
                space_count=workspace_count + 1, user_count=6, days=20, until=UNTIL,
            )
        )  # fmt: skip
        self.has_quirks = quirks
        self.disk = small_disk()
        self.folder = Path(tempfile.mkdtemp(prefix="genie-obs-faults-", dir=self.disk))
        self.lakehouse = self.folder / "lakehouse"
        self._clock_path = self.folder / "clock"
        self._clock_path.write_bytes(bytes(8))
        with self._clock_path.open("r+b") as file:
            self._clock = mmap.mmap(file.fileno(), 8)
        self._tick()
        self.server = WatchedServer(
            self.account, clock=lambda: time.monotonic() * SPEED, requests_per_second=None, token_lifetime_seconds=3600
        )
        self.server.start()
        self.silently_expired: set[Key] = set()
        self._is_filled = False  # with a message of 50 MB
        self.on_change: Callable[[], None] = lambda: None
        self.publish()

    def close(self) -> None:
        """Stop everything and remove the lakehouse."""
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- time and what happens --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._clock[:8] = struct.pack("q", (self.account.now - _EPOCH) // timedelta(microseconds=1))

    def advance(self, delta: timedelta) -> None:
        """Let time pass for the account, the service and the job alike."""
        self.account.advance(delta)
        self._tick()
        self.on_change()

    def publish(self) -> None:
        """Let the system tables show what is visible by now."""
        write_system_tables(self.account, self.lakehouse)

    def apply(self, act: Act) -> None:
        """Let one thing happen, a second after the one before."""
        happen = getattr(self, f"_{act.name}")
        with self.account.lock:
            self.account.advance(timedelta(seconds=1))
            if act.name not in SWITCHES:
                happen(act)
            self._tick()
            self.on_change()
        if act.name in SWITCHES:  # a port closes when its last answer is out, and that answer may wait for the lock
            happen(act)

    def ask_much(self, count: int) -> None:
        """Let so many new questions be asked, so that a run has something to do."""
        for number in range(count):
            self.apply(Act("ask", pick=3 * number + 1))

    def _message(self, act: Act) -> SimulatedMessage | None:
        living = [message for message in self.account.messages() if not message.deleted]
        return living[act.pick % len(living)] if living else None

    def _space(self, act: Act) -> SimulatedSpace:
        spaces = [space for workspace in self.account.workspaces.values() for space in workspace.spaces.values()]
        return spaces[act.pick % len(spaces)]

    def _outcome(self, act: Act) -> str:
        return OUTCOMES[act.variant % len(OUTCOMES)]

    def _ask(self, act: Act) -> None:
        space = self._space(act)
        self.account.ask(
            workspace_id=space.workspace_id,
            space_id=space.space_id,
            text=f"question {act.pick} {act.variant} of {self.account.now:%H:%M:%S}",
            via="api" if act.pick % 3 == 0 else "ui",
            outcome=self._outcome(act),
            audit_delay=act.audit_delay,
            statement_delay=act.audit_delay,
        )

    def _ask_at_length(self, act: Act) -> None:
        """Ask with 50 MB of text; once in a history, or its disk would be full of it."""
        if self._is_filled or act.variant:
            return
        self._is_filled = True
        space = self._space(act)
        self.account.ask(
            workspace_id=space.workspace_id,
            space_id=space.space_id,
            text=_LINE * (50_000_000 // len(_LINE)),
            audit_delay=act.audit_delay,
        )

    def _continue(self, act: Act) -> None:
        message = self._message(act)
        if message is None:
            return
        for turn in range(1 + act.variant % 3):
            self.account.advance(timedelta(seconds=1))
            self.account.ask(
                workspace_id=message.workspace_id,
                space_id=message.space_id,
                conversation_id=message.conversation_id,
                text=f"follow-up {turn} of {self.account.now:%H:%M:%S}",
                outcome=self._outcome(act),
                audit_delay=act.audit_delay,
                audit=act.variant != 5,  # a documented gap of the audit log
            )

    def _changed(self, message: SimulatedMessage) -> SimulatedMessage:
        self.silently_expired.discard(key_of(message))
        return message

    def _rate(self, act: Act) -> None:
        if message := self._message(act):
            rating = ("POSITIVE", "NEGATIVE", "NONE")[act.variant % 3]
            comment = f"comment {act.variant}" if act.variant % 2 else None
            self.account.rate(self._changed(message), rating, comment, audit_delay=act.audit_delay)

    def _comment(self, act: Act) -> None:
        if message := self._message(act):
            self.account.comment(self._changed(message), "please look at this", audit_delay=act.audit_delay)

    def _regenerate(self, act: Act) -> None:
        if message := self._message(act):
            self.account.regenerate(self._changed(message), outcome=self._outcome(act), audit_delay=act.audit_delay)

    def _edit(self, act: Act) -> None:
        if message := self._message(act):
            text = f"edited at {self.account.now:%H:%M:%S}"
            self.account.update(self._changed(message), text, outcome=self._outcome(act), audit_delay=act.audit_delay)

    def _execute(self, act: Act) -> None:
        message = self._message(act)
        if message is not None and message.queries:
            self.account.execute(self._changed(message), audit_delay=act.audit_delay, statement_delay=act.audit_delay)

    def _expire(self, act: Act) -> None:
        message = self._message(act)
        if message is not None and message.status == "COMPLETED":
            self.account.expire_result(message)
            self.silently_expired.add(key_of(message))

    def _delete(self, act: Act) -> None:
        if message := self._message(act):
            self.account.delete_message(message, audit_delay=act.audit_delay)

    def _delete_conversation(self, act: Act) -> None:
        if message := self._message(act):
            self.account.delete_conversation(message.workspace_id, message.conversation_id, audit_delay=act.audit_delay)

    def _read(self, act: Act) -> None:
        if message := self._message(act):
            self.account.read(message, times=1 + act.variant, audit_delay=act.audit_delay)

    def _refuse(self, act: Act) -> None:
        """Refused calls: of a real message with all its ids, or of one that does not exist."""
        if message := self._message(act):
            self.account.refused_event(
                workspace_id=message.workspace_id,
                space_id=message.space_id if act.variant % 2 else None,
                conversation_id=message.conversation_id,
                message_id=message.message_id if act.variant % 3 else f"dead{act.pick:028x}",
                audit_delay=act.audit_delay,
            )

    def _noise(self, act: Act) -> None:
        results = (
            None,
            "",
            "{",
            '{"message_id": ""}',
            '{"message_id": "new"}',
            "[]",
            '"message_id"',
            '{"message": []}',
        )
        self.account.add_raw_audit_row(
            action_name=("createConversationMessage", "genieStartConversationMessage", "getSpace")[act.pick % 3],
            request_params={"space_id": "", "conversation_id": "new", "message_id": ("", "new", " ")[act.pick % 3]},
            response={"status_code": 200, "error_message": None, "result": results[act.variant % len(results)]},
            audit_delay=act.audit_delay,
        )

    def _copy_rows(self, act: Act) -> None:
        """Let the last events be delivered twice or three times; only those not yet published can."""
        for event in self.account.audit.events[-1 - act.variant :]:
            event.copies = 2 + act.pick % 2

    def _deny(self, act: Act) -> None:
        space = self._space(act)
        modes = ("hidden", "forbidden", "can_run")
        self.account.deny_space(space.workspace_id, space.space_id, mode=modes[act.variant % 3])  # type: ignore[arg-type]

    def _allow(self, act: Act) -> None:
        space = self._space(act)
        self.account.allow_space(space.workspace_id, space.space_id)

    def _rename_space(self, act: Act) -> None:
        space = self._space(act)
        space.title = f"renamed at {self.account.now:%H:%M:%S}"
        space.modified_us = self.account.clock.now_us

    def _workspace(self, act: Act) -> Any:
        workspaces = list(self.account.workspaces.values())
        return workspaces[act.pick % len(workspaces)]

    def _down(self, act: Act) -> None:
        self._workspace(act).reachable = False

    def _up(self, act: Act) -> None:
        self._workspace(act).reachable = True

    def _refuse_credentials(self, act: Act) -> None:
        self._workspace(act).accepts_credentials = False

    def _accept_credentials(self, act: Act) -> None:
        self._workspace(act).accepts_credentials = True

    def _limit(self, act: Act) -> None:
        self.server.requests_per_second = (None, 1.0, 5.0, 0.3, 20.0)[act.variant % 5]

    def heal(self, *, permissions: bool = False) -> None:
        """End every trouble of the service; lost permissions only when asked."""
        self.server.set_faults([])
        self.server.set_alarms([])
        # A limit far below what a run needs refuses some request so often that it waits for the next run.
        self.server.requests_per_second = None
        for workspace in self.account.workspaces.values():
            workspace.reachable = True
            workspace.accepts_credentials = True
            for space in workspace.spaces.values() if permissions else ():
                space.access = "manage"

    # -- runs -------------------------------------------------------------------------------------------------------------

    def run(
        self, *plans: RunPlan, faults: Sequence[FaultRule] = (), meanwhile: Sequence[Meanwhile] = ()
    ) -> list[RunEnd]:
        """Run the job once for each plan, all at once, and wait until all have ended."""
        plans = plans or (RunPlan(),)
        self.publish()
        self.server.stats.reset()
        self.server.set_faults(faults)
        started = [self._start(plan) for plan in plans]
        alarms: list[tuple[int, Callable[[], None]]] = [
            (item.after_requests, functools.partial(self.apply, item.act)) for item in meanwhile
        ]
        alarms += [
            (plan.dies_after_requests, functools.partial(_kill, process))
            for plan, (process, _) in zip(plans, started, strict=True)
            if plan.dies_after_requests is not None
        ]
        self.server.set_alarms(alarms)
        timers = [
            threading.Timer(plan.dies_after_milliseconds / 1000, _kill, [process])
            for plan, (process, _) in zip(plans, started, strict=True)
            if plan.dies_after_milliseconds is not None
        ]
        for timer in timers:
            timer.start()
        ends = [_wait(process, connection) for process, connection in started]
        for timer in timers:
            timer.cancel()
        self.server.set_alarms([])
        self.server.set_faults([])
        (self.folder / "ballast").unlink(missing_ok=True)
        return ends

    def _start(self, plan: RunPlan) -> tuple[ForkServerProcess, Connection]:
        flags = {"engine": "local", "lakehouse": str(self.lakehouse), "days_lookback": "60", **plan.flags}
        order = JobOrder(
            flags=flags,
            client_id=self.account.client_id,
            client_secret=self.account.client_secret,
            clock_file=str(self._clock_path),
            dies_at=plan.dies_at,
            disk_full_at=plan.disk_full_at,
            ballast=str(self.folder / "ballast") if self.disk is not None else None,
            clock_jump_seconds=plan.clock_jump_seconds,
            clock_jump_after=plan.clock_jump_after,
            log=str(plan.log) if plan.log is not None else None,
        )
        ours, theirs = processes().Pipe(duplex=False)
        process = processes().Process(target=run_job, args=(order, theirs), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    # -- tables -----------------------------------------------------------------------------------------------------------

    def read(self, table: str) -> list[Row]:
        """Read one of our tables with another implementation than the one that wrote it; none when it does not exist yet."""
        folder = self.lakehouse / "main" / "genie_analytics" / table
        return _read(folder) if (folder / "_delta_log").exists() else []

    def read_system(self, schema: str, table: str) -> list[Row]:
        """Read a table of the simulated account."""
        return _read(self.lakehouse / "system" / schema / table)

    def versions(self) -> dict[str, int]:
        """Return the Delta version of every table that a run without work must not touch."""
        root = self.lakehouse / "main" / "genie_analytics"
        return {table: DeltaTable(str(root / table)).version() for table in OUR_TABLES if table != "ingestion_runs"}


def key_of(message: SimulatedMessage) -> Key:
    """Return what identifies a message."""
    return message.workspace_id, message.message_id


def _read(folder: Path) -> list[Row]:
    rows: list[Row] = DeltaTable(str(folder)).to_pyarrow_table().to_pylist()
    return rows


def _kill(process: ForkServerProcess) -> None:
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, signal.SIGKILL)


def _wait(process: ForkServerProcess, connection: Connection) -> RunEnd:
    end: JobEnd | None = None
    try:
        if connection.poll(_RUN_SECONDS_AT_MOST):
            end = connection.recv()
        else:
            _kill(process)
            raise AssertionError(f"a run did not end within {_RUN_SECONDS_AT_MOST} seconds")
    except EOFError:
        end = None
    finally:
        connection.close()
        process.join(_RUN_SECONDS_AT_MOST)
    if end is None:
        assert process.exitcode == -signal.SIGKILL, f"a run ended with exit code {process.exitcode}"
        return RunEnd(is_killed=True)
    return RunEnd(is_killed=False, record=json.loads(end.record) if end.record is not None else None, error=end.error)
