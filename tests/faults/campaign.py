"""The fault campaign: many random histories, each compared with the truth, and a table of what they went through.

    python -m tests.faults.campaign --histories 500 --seed 1

Hypothesis draws the histories in batches, one seed each; the same seed draws the same histories. A difference is shrunk to
the shortest history that shows it, printed as code to paste into test_regressions.py, and ends the campaign with code 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.faults import machine

BATCH = 5


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one seed came to."""

    seed: int
    tally: machine.Tally
    seconds: float
    failure: str | None


def run_batch(number: int, histories: int, *, steps: int, shrinks: bool) -> Batch:
    """Draw and check the histories of one seed."""
    machine.TALLY = machine.Tally()
    started = time.monotonic()
    phases = (Phase.generate, Phase.shrink) if shrinks else (Phase.generate,)
    limits = settings(
        max_examples=histories, stateful_step_count=steps, deadline=None, database=None, phases=phases, print_blob=False,
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    history = seed(number)(type("History", (machine.History,), {}))
    failure = None
    try:
        run_state_machine_as_test(history, settings=limits, _min_steps=steps // 2)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what the campaign looks for
        failure = "".join(traceback.format_exception(error))
    return Batch(seed=number, tally=machine.TALLY, seconds=time.monotonic() - started, failure=failure)


COLUMNS = (
    ("seed", 6), ("histories", 9), ("acts", 6), ("runs", 6), ("killed", 6), ("at once", 7), ("disk full", 9), ("clock", 6), ("faults", 7),
    ("compared", 8), ("differences", 11), ("seconds", 7),
)  # fmt: skip


def cells(name: str, tally: machine.Tally, differences: int, seconds: float) -> str:
    """Return one line of the table."""
    values = (
        name, tally.histories, tally.acts, tally.runs, tally.killed, tally.twins, tally.disks_full, tally.jumps,
        tally.fault_count, tally.checks, differences, f"{seconds:.0f}",
    )  # fmt: skip
    return "  ".join(f"{value!s:>{width}}" for value, (_, width) in zip(values, COLUMNS, strict=True))


def add(total: machine.Tally, part: machine.Tally) -> None:
    """Add up two tallies."""
    for name in ("histories", "acts", "runs", "killed", "twins", "disks_full", "jumps", "checks"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    total.faults.update(part.faults)


def main() -> int:
    """Run the campaign and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1, help="of the first batch; the next ones follow")
    parser.add_argument("--steps", type=int, default=12, help="at most so many steps a history")
    parser.add_argument(
        "--no-shrink", action="store_true", help="report the first history that shows a difference as it is"
    )
    parser.add_argument("--keep-going", action="store_true", help="go on with the next seed after a difference")
    options = parser.parse_args()
    total, faults, started = machine.Tally(), Counter[str](), time.monotonic()
    print("  ".join(f"{name:>{width}}" for name, width in COLUMNS), flush=True)
    failed = 0
    left, number = options.histories, options.seed
    while left > 0 and (options.keep_going or not failed):
        batch = run_batch(number, min(BATCH, left), steps=options.steps, shrinks=not options.no_shrink)
        failed += batch.failure is not None
        add(total, batch.tally)
        faults.update(batch.tally.faults)
        print(cells(str(number), batch.tally, int(batch.failure is not None), batch.seconds), flush=True)
        if batch.failure is not None:
            print(batch.failure, file=sys.stderr, flush=True)
        left, number = left - BATCH, number + 1
    print(cells("total", total, failed, time.monotonic() - started))
    print("\nfaults injected: " + ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.stdout.flush()
    code = main()
    os._exit(code) if code else sys.exit(0)
