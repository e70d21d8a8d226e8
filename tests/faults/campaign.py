"""The fault campaign: many random histories, each compared with the truth, and a table of what they went through.

    python -m tests.faults.campaign --histories 500 --seed 1 --results results.jsonl

Hypothesis draws the histories, a number of them per seed; the same seed draws the same histories. A difference is shrunk to the
shortest history that shows it and printed as code to paste into test_regressions.py. Every seed that is done is a line of the
results. One that is there already without a difference is not run again: an interrupted campaign goes on where it was, and after
a fix with the seeds that found something.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.faults import machine

HISTORIES_PER_SEED = 10
LEAST_PER_SEED = 2  # Hypothesis begins with the simplest history: nothing happens, nothing fails
STEPS = (2, 3, 3, 4)  # of a history, from seed to seed: its beginning, then at most one run, or two at once, a step


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What the histories of one seed came to."""

    seed: int
    tally: machine.Tally
    seconds: float
    failure: str | None = None
    commit: str = ""

    @classmethod
    def from_json(cls, line: str) -> Batch:
        """Return the batch of a line of the results."""
        values: dict[str, Any] = json.loads(line)
        tally = machine.Tally(**{**values.pop("tally"), "faults": Counter(values.pop("faults"))})
        return cls(**values, tally=tally)

    def to_json(self) -> str:
        """Return the batch as a line of the results."""
        tally = {name: getattr(self.tally, name) for name in COUNTS}
        return json.dumps({**vars(self), "tally": tally, "faults": self.tally.faults})


def run_batch(number: int, histories: int, *, shrinks: bool = False) -> Batch:
    """Draw and check the histories of one seed; what failed is in the batch."""
    machine.TALLY = machine.Tally()
    started = time.monotonic()
    steps = STEPS[number % len(STEPS)]
    phases = (Phase.generate, Phase.shrink) if shrinks else (Phase.generate,)
    limits = settings(
        max_examples=histories, stateful_step_count=steps, deadline=None, database=None, phases=phases, print_blob=False,
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    history = seed(number)(type("History", (machine.History,), {}))
    failure = None
    try:
        run_state_machine_as_test(history, settings=limits)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what the campaign looks for
        failure = "".join(traceback.format_exception(error))
    return Batch(seed=number, tally=machine.TALLY, seconds=time.monotonic() - started, failure=failure)


# -- the table ---------------------------------------------------------------------------------------------------------------

COLUMNS = (
    ("seed", 6), ("histories", 9), ("acts", 6), ("runs", 6), ("killed", 6), ("at once", 7), ("disk full", 9), ("clock", 6),
    ("faults", 7), ("compared", 8), ("differences", 11), ("seconds", 7), ("commit", 8),
)  # fmt: skip
COUNTS = tuple(item.name for item in fields(machine.Tally) if item.name != "faults")


def header() -> str:
    """Return the head of the table."""
    return "  ".join(f"{name:>{width}}" for name, width in COLUMNS)


def cells(name: str, tally: machine.Tally, differences: int, seconds: float, commit: str) -> str:
    """Return one line of the table."""
    values = (
        name, tally.histories, tally.acts, tally.runs, tally.killed, tally.twins, tally.disks_full, tally.jumps,
        tally.fault_count, tally.checks, differences, f"{seconds:.0f}", commit[:8],
    )  # fmt: skip
    return "  ".join(f"{value!s:>{width}}" for value, (_, width) in zip(values, COLUMNS, strict=True))


def row(batch: Batch) -> str:
    """Return the line of one seed."""
    return cells(str(batch.seed), batch.tally, int(batch.failure is not None), batch.seconds, batch.commit)


def summary(batches: Iterable[Batch]) -> str:
    """Return the last lines: everything added up, and how often each fault hit."""
    total, failed, seconds = machine.Tally(), 0, 0.0
    for batch in batches:
        for name in COUNTS:
            setattr(total, name, getattr(total, name) + getattr(batch.tally, name))
        total.faults.update(batch.tally.faults)
        failed, seconds = failed + (batch.failure is not None), seconds + batch.seconds
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(total.faults.items()))
    return f"{cells('total', total, failed, seconds, '')}\n\nfaults injected: {kinds}"


# -- the campaign ------------------------------------------------------------------------------------------------------------


def run_apart(number: int, histories: int, *, shrinks: bool) -> Batch:
    """Run one seed in a process of its own, so that several run side by side and none can spoil the next."""
    # With -c there is no main module that every run's process would have to import again.
    start = "import sys; from tests.faults.campaign import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "--only", str(number), "--histories", str(histories)]
    started = time.monotonic()
    done = subprocess.run(
        command if shrinks else [*command, "--no-shrink"], stdout=subprocess.PIPE, text=True, check=False
    )
    try:
        return Batch.from_json(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        failure = f"the process of seed {number} ended with exit code {done.returncode} and without a result"
        return Batch(seed=number, tally=machine.Tally(), seconds=time.monotonic() - started, failure=failure)


def run_campaign(options: argparse.Namespace) -> Iterator[Batch]:
    """Yield every seed's batch as it is done, first those that are in the results already."""
    results: Path | None = options.results
    lines = results.read_text().splitlines() if results is not None and results.exists() else []
    known = {batch.seed: batch for batch in map(Batch.from_json, lines) if batch.failure is None}
    count = -(-options.histories // options.per_seed)
    seeds = range(options.seed, options.seed + count)
    yield from (known[number] for number in seeds if number in known)
    commit = _commit()
    with ThreadPoolExecutor(max_workers=options.workers) as pool:
        waiting = [
            pool.submit(run_apart, number, min(options.per_seed, options.histories), shrinks=not options.no_shrink)
            for number in seeds
            if number not in known
        ]
        for future in waiting:
            batch = Batch(**{**vars(future.result()), "commit": commit})
            if results is not None:
                with results.open("a") as file:
                    file.write(batch.to_json() + "\n")
            yield batch


def _commit() -> str:
    """Return the commit the histories run on, with a plus where files differ from it; nothing outside a repository."""
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=7", "--dirty=+", "--exclude=*"], capture_output=True, text=True, check=False
    )  # fmt: skip
    return described.stdout.strip()


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command was asked for; ends with 2 where it would show nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=HISTORIES_PER_SEED, help="in all")
    parser.add_argument("--per-seed", type=int, default=HISTORIES_PER_SEED, help="how many of them one seed draws")
    parser.add_argument("--seed", type=int, default=1, help="the first; the next ones follow")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="seeds at the same time")
    parser.add_argument("--results", type=Path, help="file to append every seed to that is done")
    parser.add_argument("--no-shrink", action="store_true", help="report a history that shows a difference as it is")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)  # the process of one seed
    options = parser.parse_args(arguments)
    if min(options.histories, options.per_seed) < LEAST_PER_SEED:
        parser.error(f"ask for {LEAST_PER_SEED} histories a seed at least: in the first one of each nothing goes wrong")
    return options


def main() -> int:
    """Run the campaign and print its table."""
    options = parse_options()
    if options.only is not None:
        logging.getLogger("aiohttp.server").disabled = True  # it tells of every reset that it was told to make
        print(run_batch(options.only, options.histories, shrinks=not options.no_shrink).to_json(), flush=True)
        return 0
    print(header(), flush=True)
    batches = []
    for batch in run_campaign(options):
        batches.append(batch)
        print(row(batch), flush=True)
        if batch.failure is not None:
            print(batch.failure, file=sys.stderr, flush=True)
    print(summary(batches))
    return 1 if any(batch.failure is not None for batch in batches) else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code) if code else sys.exit(0)
