"""What a run with nothing to do costs: its time compared with a bare start of the engine, and its calls.

python -m benchmarks.startup [--messages 3000] [--runs 5]
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.harness import AccountSize, Figure, Results, ingest, measure, median, print_figures, repeat, serving

BARE = [sys.executable, "-m", "benchmarks.contenders.bare_engine"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=3_000, help="stored before")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="three runs")
    options = parser.parse_args()
    results = measure_startup(options.messages, runs=3 if options.quick else options.runs)
    results.save()
    print_figures(results.figures.values())


def measure_startup(messages: int, *, runs: int) -> Results:
    """Run the job on an account that it has read already, in turn with a bare engine."""
    results = Results(name="startup")
    with serving(AccountSize(messages=messages)) as service:
        ingest(service)
        service.set_conditions()
        idle = repeat(runs, "ingest with nothing due, seconds", lambda: ingest(service).seconds)
        calls = service.calls()
        bare = repeat(runs, "bare engine, seconds", lambda: measure(BARE).seconds)
    results.rows = {"idle_seconds": idle, "bare_seconds": bare, "calls": sum(calls.counts.values())}
    results.add(
        Figure(
            name="ingest with nothing due / bare engine start",
            value=median(idle) / median(bare),
            goal=2,
            is_ceiling=True,
            form="{:,.2f} ×",
            note=f"{median(idle):.2f} s / {median(bare):.2f} s; {messages:,} messages stored; medians of {runs}",
        )
    )
    results.add(
        Figure(
            name="message calls in a run with nothing new",
            value=calls.messages,
            goal=0,
            is_ceiling=True,
            form="{:,.0f}",
            note=f"counted by the server over {runs} runs; {results.rows['calls']} calls of any kind",
        )
    )
    return results


if __name__ == "__main__":
    main()
