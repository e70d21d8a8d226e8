"""Peak memory of a backfill, and how it grows with the number of messages.

    python -m benchmarks.memory [--messages 20000 200000] [--runs 3]

The kernel's high-water mark of the whole process: the engine runs inside it, so tables, merges and buffers count.
"""

from __future__ import annotations

import argparse
import shutil

from benchmarks.harness import (
    AccountSize,
    Figure,
    Results,
    Service,
    ingest,
    median,
    print_figures,
    repeat,
    serving,
    stored_count,
)

MIB = 1024 * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, nargs=2, default=[20_000, 200_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="5,000 and 20,000 messages, one run")
    options = parser.parse_args()
    small, large = [5_000, 20_000] if options.quick else options.messages
    results = measure_memory(small, large, runs=1 if options.quick else options.runs)
    results.save()
    print_figures(results.figures.values())


def measure_memory(small: int, large: int, *, runs: int) -> Results:
    """Backfill both sizes several times."""
    results = Results(name="memory")
    for messages in (small, large):
        with serving(AccountSize(messages=messages)) as service:
            peaks = repeat(runs, f"{messages:,} messages, peak MiB", lambda: backfill(service) / MIB)
            results.rows[str(messages)] = {"messages": messages, "peak_mib": peaks}
    low, high = (median(results.rows[str(messages)]["peak_mib"]) for messages in (small, large))
    results.add(
        Figure(
            name=f"peak memory, backfill of {large:,} messages / {small:,}",
            value=high / low,
            goal=1.3,
            is_ceiling=True,
            note=f"{high:,.0f} MiB / {low:,.0f} MiB; medians of {runs}",
        )
    )
    return results


def backfill(service: Service) -> int:
    """Read a whole account into an empty lakehouse and return the peak memory in bytes.

    Raises:
        RuntimeError: if a message is missing.
    """
    shutil.rmtree(service.lakehouse / "main", ignore_errors=True)
    measured = ingest(service)
    stored = stored_count(measured.record())
    if stored != service.size.messages:
        raise RuntimeError(f"stored {stored} of {service.size.messages} messages")
    return measured.peak_bytes


if __name__ == "__main__":
    main()
