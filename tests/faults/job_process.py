"""One run of the job as a process of its own, which may be told to die, to find the disk full, or to have a clock that jumps."""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import resource
import signal
import struct
import threading
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import pyarrow as pa

from genie_obs.config import parse_settings
from genie_obs.lakehouse.engines import local
from genie_obs.lakehouse.engines.engine import Engine, open_engine
from genie_obs.lakehouse.tables import Tables
from genie_obs.pipeline.run import run_ingest
from genie_obs.progress import LogProgress
from genie_obs.secret import Credentials, Secret
from genie_obs.session.job import RunContext

SPEED = 300.0  # how much faster than the machine's the clocks of job and simulator run
MOMENTS = ("before", "data written", "commit begun", "milliseconds later", "after")
_FILE_BYTES_WHEN_FULL = 600  # no data file and no commit of ours is as small
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A moment in the life of a run: some time around the n-th write of a statement or to a table; `*` is any of them."""

    statement: str = "*"  # or the table, of a MERGE that is made from its declaration
    number: int = 1
    moment: str = "before"
    milliseconds: int = 0


@dataclass(frozen=True, kw_only=True)
class JobOrder:
    """What one run is told."""

    flags: dict[str, str]
    client_id: str
    client_secret: str
    clock_file: str
    dies_at: Point | None = None
    disk_full_at: Point | None = None
    ballast: str | None = None  # a file on the small disk of the lakehouse; None: limit the size of files instead
    clock_jump_seconds: float = 0.0
    clock_jump_after: int = 0  # readings of the clock
    log: str | None = None  # file for everything there is to log, and for the traceback


@dataclass(frozen=True, kw_only=True)
class JobEnd:
    """How a run ended, if it lived to tell."""

    record: str | None = None  # JSON
    error: str | None = None


def run_job(order: JobOrder, connection: Connection) -> None:
    """Run the job once and send its end; the process ends without waiting for anything."""
    if order.log is None:
        logging.disable(logging.CRITICAL)
    else:
        logging.basicConfig(filename=order.log, level=logging.DEBUG)
    try:
        end = JobEnd(record=_run(order))
    except BaseException as error:  # noqa: BLE001  # whatever it is, the parent decides whether it was to be expected
        if order.log is not None:
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            logging.getLogger(__name__).error("".join(told.format()))  # noqa: TRY400  # with local variables
        end = JobEnd(error=f"{type(error).__name__}: {str(error)[:500]}")
    connection.send(end)
    connection.close()
    os._exit(0)


def _run(order: JobOrder) -> str:
    local.EXTRA_FILES_AT_MOST = 3  # small files are joined in nearly every run: it must be as harmless as rare
    settings = parse_settings(order.flags, {})
    clock = SharedClock(order)
    engine = open_engine(settings.engine)
    credentials = Credentials(client_id=order.client_id, client_secret=Secret(order.client_secret))
    with LogProgress(clock) as progress:
        context = RunContext(
            tables=TroubledTables(engine, order, settings.engine.lakehouse),
            settings=settings,
            credentials=credentials,
            clock=clock,
            progress=progress,
        )
        return run_ingest(context).to_json()


class SharedClock:
    """The account's time, read from a file that the simulator's side writes; seconds pass SPEED times as fast."""

    def __init__(self, order: JobOrder) -> None:
        with Path(order.clock_file).open("rb") as file:
            self._now_us = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
        self._order = order
        self._readings = 0

    def now(self) -> datetime:
        self._readings += 1
        jump = self._order.clock_jump_seconds if self._readings > self._order.clock_jump_after else 0.0
        return _EPOCH + timedelta(microseconds=struct.unpack("q", self._now_us[:8])[0], seconds=jump)

    def monotonic(self) -> float:
        return time.monotonic() * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / SPEED)


class TroubledTables(Tables):
    """Tables whose writes are the places where a run dies or the disk is full."""

    def __init__(self, engine: Engine, order: JobOrder, lakehouse: Path) -> None:
        super().__init__(engine)
        self._order = order
        self._root = lakehouse
        self._seen: Counter[str] = Counter()

    def write(self, what: str, whole: str, only_new: str | None, relations: Mapping[str, pa.Table]) -> int:
        self._seen.update((what, "*"))
        if self._is_at(self._order.disk_full_at, what):
            fill_disk(self._order.ballast)
        death = self._order.dies_at
        if death is not None and self._is_at(death, what):
            if death.moment == "before":
                die()
            if death.moment != "after":
                threading.Thread(target=self._lurk, args=(death,), daemon=True).start()
            super().write(what, whole, only_new, relations)
            die()
        return super().write(what, whole, only_new, relations)

    def _is_at(self, point: Point | None, what: str) -> bool:
        return point is not None and point.statement in {what, "*"} and self._seen[point.statement] == point.number

    def _lurk(self, death: Point) -> None:
        """Wait for the moment inside a command, then die in the middle of it."""
        if death.moment == "milliseconds later":
            time.sleep(death.milliseconds / 1000)
            die()
        suffix = ".parquet" if death.moment == "data written" else ".json"
        before = self._count_files(suffix)
        while self._count_files(suffix) <= before:
            time.sleep(0.0002)
        die()

    def _count_files(self, suffix: str) -> int:
        # A commit appears under a temporary name first: N.json#1.
        return sum(suffix in name for _, _, names in os.walk(self._root / "main") for name in names)


def die() -> NoReturn:
    """End this process as the kernel's out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def fill_disk(ballast: str | None) -> None:
    """Leave no room: fill the small disk, or forbid files larger than a few bytes where there is none."""
    if ballast is None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES_WHEN_FULL, hard))
        return
    with Path(ballast).open("wb") as file:
        free = os.statvfs(ballast)
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize))
