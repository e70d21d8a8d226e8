"""Messages per second, end to end, side by side: ours, the official SDK in a loop and in 32 threads, dlt, and the floor.

    python -m benchmarks.throughput [--all | --cells 0ms-uncapped-4t-8w …] [--runs 3]

Every contender is a whole process that starts from the audit log and ends with its rows merged into a Delta table (the floor
excepted). All of them ask the same simulated server, one after the other, `runs` times in turn. Slow contenders get smaller
accounts of the same make, so that a run takes seconds; rates are compared.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from typing import Any

from benchmarks.harness import (
    AccountSize,
    Calls,
    Figure,
    Measured,
    Results,
    Service,
    ingest,
    measure,
    median,
    print_figures,
    print_table,
    say,
    serving,
    stored_count,
)

OURS, FLOOR, DLT, THREADS, LOOP = "genie-obs ingest", "floor (aiohttp)", "dlt", "SDK in 32 threads", "SDK in a loop"
CAP = 50.0  # requests per second and workspace


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """One set of conditions."""

    turns: int
    workspaces: int
    is_capped: bool
    latency_ms: int

    def __str__(self) -> str:
        cap = f"{CAP:g} requests/s per workspace" if self.is_capped else "no cap"
        turns = "1 turn" if self.turns == 1 else f"{self.turns} turns"
        workspaces = "1 workspace" if self.workspaces == 1 else f"{self.workspaces} workspaces"
        return f"{self.latency_ms} ms, {cap}, {turns}, {workspaces}"

    @property
    def key(self) -> str:
        """Its short name on the command line."""
        return f"{self.latency_ms}ms-{'capped' if self.is_capped else 'uncapped'}-{self.turns}t-{self.workspaces}w"


CELLS = [
    Cell(turns=turns, workspaces=workspaces, is_capped=is_capped, latency_ms=latency_ms)
    for turns, workspaces, is_capped, latency_ms in product((4, 1), (8, 1), (False, True), (0, 150))
]

# Every value of every axis, and the cells with goals; `--all` measures the whole grid.
CORE_CELLS = (
    "0ms-uncapped-4t-8w", "0ms-uncapped-1t-1w", "150ms-uncapped-4t-8w", "150ms-uncapped-1t-1w",
    "150ms-capped-4t-1w", "0ms-capped-1t-8w",
)  # fmt: skip
QUICK_CELLS = ("0ms-uncapped-4t-8w", "150ms-uncapped-4t-8w", "150ms-uncapped-1t-1w", "150ms-capped-4t-1w")


def sizes(cell: Cell, *, is_quick: bool) -> dict[str, int]:
    """Return how many messages each contender gets in a cell. A run takes seconds; ours takes 48 under a cap."""
    if cell.is_capped:
        # Calls of ours. In a shorter run, of 16 s, the start and the last merge would be a tenth of the time.
        calls = (800 if is_quick else 2_400) * cell.workspaces
        each = (150 if is_quick else 600) * cell.workspaces
        return {OURS: calls * cell.turns, DLT: each, THREADS: each, LOOP: each if cell.latency_ms == 0 else 60}
    if cell.latency_ms:
        in_flight = 64 * cell.workspaces / (cell.latency_ms / 1_000)  # calls per second that fit
        ours = min(60_000, int(in_flight * cell.turns) * (5 if is_quick else 10) // 1_000 * 1_000)
        return {OURS: ours, FLOOR: ours, DLT: 2_000, THREADS: 2_000, LOOP: 60}
    ours = 10_000 if is_quick else (60_000 if cell.turns > 1 and cell.workspaces > 1 else 20_000)
    return {OURS: ours, FLOOR: ours, DLT: 3_000, THREADS: 4_000, LOOP: 3_000}


def contender(module: str, *flags: str) -> Callable[[Service], Measured]:
    """Return what runs a contender as a process of its own."""

    def run(service: Service) -> Measured:
        command = [sys.executable, "-m", f"benchmarks.contenders.{module}", "--lakehouse", str(service.lakehouse)]
        return measure([*command, *flags], service.environment)

    return run


CONTENDERS: dict[str, Callable[[Service], Measured]] = {
    OURS: ingest,
    FLOOR: contender("floor"),
    DLT: contender("with_dlt"),
    THREADS: contender("sdk", "--threads", "32"),
    LOOP: contender("sdk"),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One contender, once."""

    messages: int
    seconds: float
    cpu_seconds: float
    message_calls: int
    refused_share: float
    share_of_ideal: float | None  # of the time that the cap allows at best

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds


def run_once(name: str, cell: Cell, service: Service) -> Run:
    """Run a contender on an empty lakehouse and check that it stored everything.

    Raises:
        RuntimeError: if a message is missing.
    """
    shutil.rmtree(service.lakehouse / "main", ignore_errors=True)
    service.set_conditions(latency_ms=cell.latency_ms, requests_per_second=CAP if cell.is_capped else None)
    measured = CONTENDERS[name](service)
    calls, record = service.calls(), measured.record()
    stored = stored_count(record) if name == OURS else int(record["stored"])
    if stored != service.size.messages:
        raise RuntimeError(f"{name} stored {stored} of {service.size.messages} messages in {cell}")
    seconds = record["seconds"] if name == FLOOR else measured.seconds
    return Run(
        messages=stored,
        seconds=seconds,
        cpu_seconds=measured.cpu_seconds,
        message_calls=calls.messages,
        refused_share=calls.refused_share,
        share_of_ideal=ideal_seconds(calls) / fetch_seconds(name, record, seconds) if cell.is_capped else None,
    )


def ideal_seconds(calls: Calls) -> float:
    """Return the least time in which a cap lets the busiest workspace answer so many calls. The calls of the first second are free."""
    return max(0.0, calls.most_answered_in_a_workspace() - CAP) / CAP


def fetch_seconds(name: str, record: dict[str, Any], seconds: float) -> float:
    """Return how long fetching took: for ours the fetch step with its merges, for the others the whole process."""
    return float(record["fetch_seconds"]) if name == OURS else seconds


def measure_cells(cells: list[Cell], runs: int, *, is_quick: bool, results: Results) -> None:
    """Measure cells and keep each as soon as it is there."""
    for (turns, workspaces), group in grouped(cells):
        with ExitStack() as stack:
            services: dict[int, Service] = {}
            for cell in group:
                for messages in sizes(cell, is_quick=is_quick).values():
                    if messages not in services:
                        size = AccountSize(messages=messages, turns=turns, workspaces=workspaces)
                        services[messages] = stack.enter_context(serving(size))
            for cell in group:
                found: dict[str, list[Run]] = {}
                for number in range(1, runs + 1):
                    for name, messages in sizes(cell, is_quick=is_quick).items():
                        run = run_once(name, cell, services[messages])
                        found.setdefault(name, []).append(run)
                        say(f"{cell}: run {number} of {runs}: {name}: {run.rate:,.0f} messages/s ({run.seconds:.1f} s)")
                results.rows[cell.key] = {
                    "conditions": str(cell),
                    "contenders": [summary(name, row) for name, row in found.items()],
                }
                print_cell(results.rows[cell.key])
                results.save()


def grouped(cells: list[Cell]) -> Iterator[tuple[tuple[int, int], list[Cell]]]:
    """Return the cells that share accounts."""
    for turns, workspaces in dict.fromkeys((cell.turns, cell.workspaces) for cell in cells):
        yield (turns, workspaces), [c for c in cells if (c.turns, c.workspaces) == (turns, workspaces)]


def summary(name: str, runs: list[Run]) -> dict[str, Any]:
    """Return the medians of a contender's runs."""
    shares = [run.share_of_ideal for run in runs if run.share_of_ideal is not None]
    return {
        "name": name,
        "messages": runs[0].messages,
        "runs": len(runs),
        "seconds": [round(run.seconds, 3) for run in runs],
        "messages_per_second": median(run.rate for run in runs),
        "cpu_seconds_per_1000": median(1_000 * run.cpu_seconds / run.messages for run in runs),
        "calls_per_message": median(run.message_calls / run.messages for run in runs),
        "refused_share": median(run.refused_share for run in runs),
        "share_of_ideal": median(shares) if shares else None,
    }


def print_cell(row: dict[str, Any]) -> None:
    """Print one cell's table."""
    ours = row["contenders"][0]["messages_per_second"]
    lines = []
    for found in row["contenders"]:
        share = found["share_of_ideal"]
        lines.append(
            (
                found["name"],
                f"{found['messages']:,}",
                f"{median(found['seconds']):.1f}",
                f"{found['messages_per_second']:,.0f}",
                f"{ours / found['messages_per_second']:.2f}×",
                f"{found['calls_per_message']:.3f}",
                f"{found['refused_share']:.1%}",
                "" if share is None else f"{share:.0%}",
                f"{found['cpu_seconds_per_1000']:.2f}",
            )
        )
    columns = ("", "messages", "s", "messages/s", "ours is", "calls/message", "refused", "of ideal", "CPU s/1,000")
    print_table(f"{row['conditions']} · medians of {row['contenders'][0]['runs']}", columns, lines)


def figures(results: Results) -> Iterator[Figure]:
    """Return the figures with a goal, of all cells that have been measured."""
    cells = {cell.key: {row["name"]: row for row in found["contenders"]} for cell, found in measured_cells(results)}
    for latency_ms, dlt_goal, threads_goal in ((0, 10, 10), (150, 20, 40)):
        for workspaces in (8, 1):
            rows = cells.get(f"{latency_ms}ms-uncapped-4t-{workspaces}w")
            if rows is None:
                continue
            for name, goal in ((DLT, dlt_goal), (THREADS, threads_goal)):
                yield Figure(
                    name=f"messages/s against {name}, {latency_ms} ms, 4 turns, {plural(workspaces)}",
                    value=rows[OURS]["messages_per_second"] / rows[name]["messages_per_second"],
                    goal=goal,
                    is_ceiling=False,
                    form="{:,.1f} ×",
                    note=f"{rows[OURS]['messages']:,} and {rows[name]['messages']:,} messages",
                )
    for workspaces in (8, 1):
        if (rows := cells.get(f"150ms-uncapped-1t-{workspaces}w")) is not None:
            yield Figure(
                name=f"share of the floor's rate, 150 ms, 1 turn, {plural(workspaces)}",
                value=rows[OURS]["messages_per_second"] / rows[FLOOR]["messages_per_second"],
                goal=0.5,
                is_ceiling=False,
                form="{:.0%}",
                note=f"{rows[OURS]['messages']:,} messages; ours as a whole process, the floor's loop alone",
            )
    first = next((rows for key, rows in cells.items() if "-uncapped-4t-" in key), None)
    if first is not None:
        yield Figure(
            name="message calls per message, 4 turns, first backfill",
            value=first[OURS]["calls_per_message"],
            goal=0.27,
            is_ceiling=True,
            form="{:.3f}",
            note="counted by the server; least possible 0.25",
        )
    capped = [rows[OURS] for key, rows in cells.items() if "-capped-" in key]
    if capped:
        yield Figure(
            name=f"share of the ideal time, {CAP:g} requests/s per workspace",
            value=min(row["share_of_ideal"] for row in capped),
            goal=0.95,
            is_ceiling=False,
            form="{:.1%}",
            note=f"the fetch step, the worst of {len(capped)} cells",
        )
        yield Figure(
            name=f"refused answers, {CAP:g} requests/s per workspace",
            value=max(row["refused_share"] for row in capped),
            goal=0.02,
            is_ceiling=True,
            form="{:.1%}",
            note=f"counted by the server, the worst of {len(capped)} cells",
        )


def measured_cells(results: Results) -> Iterator[tuple[Cell, dict[str, Any]]]:
    """Return the cells that have been measured, in the order of the grid."""
    for cell in CELLS:
        if cell.key in results.rows:
            yield cell, results.rows[cell.key]


def plural(workspaces: int) -> str:
    """Return the number of workspaces in words."""
    return "1 workspace" if workspaces == 1 else f"{workspaces} workspaces"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="smaller accounts, four cells, one run")
    parser.add_argument("--all", action="store_true", help="the whole grid of sixteen cells, not only six")
    parser.add_argument("--cells", nargs="*", choices=[cell.key for cell in CELLS], metavar="CELL", help="only these")
    options = parser.parse_args()
    wanted = set(options.cells or (QUICK_CELLS if options.quick else CORE_CELLS))
    results = Results.load("throughput")
    cells = [cell for cell in CELLS if cell.key in wanted or options.all]
    measure_cells(cells, 1 if options.quick else options.runs, is_quick=options.quick, results=results)
    results.figures = {}
    for figure in figures(results):
        results.add(figure)
    results.save()
    print_figures(results.figures.values())


if __name__ == "__main__":
    main()
