"""What every benchmark needs: a simulated account in a process of its own, measured child processes, figures with goals, tables."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from genie_obs.simulator import AccountSpec, SimulatorServer, generate_account, write_system_tables

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
GENIE_OBS = str(Path(sys.executable).with_name("genie-obs"))
MESSAGE_OPERATIONS = ("get_message", "list_messages")
TOO_MANY_REQUESTS = 429
_CONSOLE = Console(width=150)


# -- the service ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AccountSize:
    """A made-up account without oddities, so that every contender stores every message."""

    messages: int
    turns: float = 4
    workspaces: int = 1
    days: int = 60

    def spec(self) -> AccountSpec:
        """Return the simulator's description of it. Its history ends now."""
        return AccountSpec(
            message_count=self.messages,
            turns_per_conversation=self.turns,
            workspace_count=self.workspaces,
            space_count=4 * self.workspaces,
            days=self.days,
            until=datetime.now(UTC).replace(microsecond=0),
            quirks=False,
        )


class _Served:
    """An account and its server; lives in the child process."""

    def __init__(self, size: AccountSize, lakehouse: str) -> None:
        self._account = generate_account(size.spec())
        self._server = SimulatorServer(self._account, audit_reads=False)
        self._server.start()
        self._lakehouse = Path(lakehouse)
        write_system_tables(self._account, self._lakehouse)

    def credentials(self) -> tuple[str, str]:
        return self._account.client_id, self._account.client_secret

    def set_conditions(self, latency_seconds: float, requests_per_second: float | None) -> None:
        self._server.latency_seconds = latency_seconds
        self._server.requests_per_second = requests_per_second  # fills the buckets again
        self._server.stats.reset()

    def counts(self) -> dict[tuple[str, str, int], int]:
        return self._server.stats.counts()

    def ask(self, messages: int, turns: int) -> None:
        """Let people ask in new conversations, and publish it."""
        workspaces = list(self._account.workspaces)
        conversation_id: str | None = None
        for number in range(messages):
            if number % turns == 0:
                conversation_id = None
            workspace_id = workspaces[number // turns % len(workspaces)]
            message = self._account.ask(workspace_id=workspace_id, conversation_id=conversation_id)
            conversation_id = message.conversation_id
        write_system_tables(self._account, self._lakehouse)


class _Manager(BaseManager):
    pass


_Manager.register("Served", _Served)


@dataclass(frozen=True, kw_only=True)
class Calls:
    """What the server was asked since its conditions were set."""

    counts: dict[tuple[str, str, int], int]

    @property
    def messages(self) -> int:
        """Requests for messages, single or listed, refused ones included."""
        return sum(count for (_, operation, _), count in self.counts.items() if operation in MESSAGE_OPERATIONS)

    @property
    def refused_share(self) -> float:
        """Share of answers that were 429."""
        refused = sum(count for (_, _, status), count in self.counts.items() if status == TOO_MANY_REQUESTS)
        return refused / max(1, sum(self.counts.values()))

    def most_answered_in_a_workspace(self) -> int:
        """Return the answered message requests of the busiest workspace."""
        answered: dict[str, int] = {}
        for (workspace_id, operation, status), count in self.counts.items():
            if operation in MESSAGE_OPERATIONS and status != TOO_MANY_REQUESTS:
                answered[workspace_id] = answered.get(workspace_id, 0) + count
        return max(answered.values(), default=0)


class Service:
    """A simulated account that is served by another process, so that neither its work nor its memory is measured as ours."""

    def __init__(self, size: AccountSize, folder: Path) -> None:
        self.size = size
        self.lakehouse = folder / "lakehouse"
        self._manager = _Manager(ctx=get_context("spawn"))
        self._manager.start()
        self._served: Any = self._manager.Served(size, str(self.lakehouse))  # type: ignore[attr-defined]
        client_id, secret = self._served.credentials()
        self.environment = {"DATABRICKS_SP_CLIENT_ID": client_id, "DATABRICKS_SP_CLIENT_SECRET": secret}

    def set_conditions(self, *, latency_ms: float = 0.0, requests_per_second: float | None = None) -> None:
        """Set latency and cap, refill the burst of the cap, and reset the counts."""
        self._served.set_conditions(latency_ms / 1_000, requests_per_second)

    def calls(self) -> Calls:
        """Return what was asked since `set_conditions`."""
        return Calls(counts=self._served.counts())

    def ask(self, messages: int, turns: int = 4) -> None:
        """Let people ask `count` new questions now. Their audit rows are visible at once."""
        self._served.ask(messages, turns)

    def close(self) -> None:
        """End the process."""
        self._manager.shutdown()


@contextmanager
def serving(size: AccountSize) -> Iterator[Service]:
    """Serve an account whose lakehouse is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="genie-obs-bench-") as folder:
        service = Service(size, Path(folder))
        try:
            yield service
        finally:
            service.close()


# -- measured processes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One finished process."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str

    def record(self) -> dict[str, Any]:
        """Return the JSON object of the last line it printed."""
        found: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return found


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Run a process to its end. It uses compiled bytecode, as installed software does, whatever this shell says.

    Its peak memory is the kernel's high-water mark. That begins at the size of the process that starts it, so keep this one small.

    Raises:
        RuntimeError: if it fails; with the end of its output.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=errors, cwd=ROOT, env={**inherited, **(environment or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            said = errors.read().decode(errors="replace")[-2_000:]
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
        return Measured(
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1_024),
            output=output.read().decode(),
        )


def ingest(service: Service, *, lakehouse: Path | None = None) -> Measured:
    """Run our job as users run it, over everything the account has."""
    days = str(service.size.days + 30)
    where = str(lakehouse or service.lakehouse)
    return measure([GENIE_OBS, "ingest", "--lakehouse", where, "--days-lookback", days, "--json"], service.environment)


def stored_count(record: Mapping[str, Any]) -> int:
    """Return how many messages a run of ours stored."""
    return int(record["fetched_count"] + record["settling_count"] + record["abandoned_count"])


# -- figures and tables ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured number and its goal."""

    name: str
    value: float
    goal: float
    is_ceiling: bool  # whether the goal is an upper limit; else it is a lower one
    form: str = "{:,.2f}"
    note: str = ""

    @property
    def is_goal_reached(self) -> bool:
        """Say whether the goal is reached."""
        return self.value <= self.goal if self.is_ceiling else self.value >= self.goal


@dataclass(kw_only=True)
class Results:
    """Figures and rows of one benchmark, kept as JSON. Parts that were not measured this time keep their earlier figures."""

    name: str
    figures: dict[str, Figure] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)

    def add(self, figure: Figure) -> None:
        """Take a figure; one of the same name is replaced."""
        self.figures[figure.name] = figure

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return RESULTS / f"{self.name}.json"

    @classmethod
    def load(cls, name: str) -> Results:
        """Return what was measured before, or nothing."""
        results = cls(name=name)
        if results.path.is_file():
            found = json.loads(results.path.read_text(encoding="utf-8"))
            results.rows = found["rows"]
            results.figures = {figure["name"]: Figure(**figure) for figure in found["figures"]}
        return results

    def save(self) -> None:
        """Write everything, with the machine and the time."""
        RESULTS.mkdir(exist_ok=True)
        content = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "figures": [asdict(figure) for figure in self.figures.values()],
            "rows": self.rows,
        }
        self.path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def machine() -> str:
    """Return what it ran on."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def repeat(runs: int, what: str, run: Callable[[], float]) -> list[float]:
    """Measure several times and say so."""
    values = []
    for number in range(1, runs + 1):
        values.append(run())
        say(f"{what}: run {number} of {runs}: {values[-1]:,.2f}")
    return values


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def say(text: str) -> None:
    """Report progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column and `how` are text, the others numbers."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or column == "how" else "right")
    for row in rows:
        table.add_row(*row)
    _CONSOLE.print(table)


def print_figures(figures: Iterable[Figure]) -> None:
    """Print figures beside their goals."""
    rows = []
    for figure in figures:
        sign = "≤" if figure.is_ceiling else "≥"
        rows.append(
            (
                figure.name,
                f"{sign} {figure.form.format(figure.goal)}",
                figure.form.format(figure.value),
                "met" if figure.is_goal_reached else "NOT MET",
                figure.note,
            )
        )
    print_table(f"Figures and goals · {machine()}", ("figure", "goal", "measured", "", "how"), rows)
