"""What the same 1,000 new messages cost when 50 thousand, 500 thousand and 5 million are stored already.

    python -m benchmarks.growth [--stored 50000 500000 5000000] [--runs 3] [--folder DIR]

The table grows as it does in life: a company asks some 7,000 questions a day, for a week, ten weeks, two years. System tables are
as large, up to the 365 days for which Databricks keeps them.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from benchmarks.harness import AccountSize, Figure, Results, Service, ingest, median, print_figures, say, serving
from benchmarks.lakehouse import append_copies, link_tree, message_count

NEW_MESSAGES = 1_000
DAYS = 7  # of the smallest history


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stored", type=int, nargs="+", default=[50_000, 500_000, 5_000_000])
    parser.add_argument("--new", type=int, default=NEW_MESSAGES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="20 thousand and 200 thousand stored, one run")
    options = parser.parse_args()
    stored = [20_000, 200_000] if options.quick else options.stored
    with tempfile.TemporaryDirectory(prefix="genie-obs-bench-") as folder:
        results = measure_growth(stored, options.new, Path(folder), runs=1 if options.quick else options.runs)
    results.save()
    print_figures(results.figures.values())


def measure_growth(stored: list[int], new: int, folder: Path, *, runs: int) -> Results:
    """Read the same new messages into lakehouses of all sizes, in turn."""
    results = Results(name="growth")
    with serving(AccountSize(messages=stored[0], days=DAYS)) as service:
        lakehouses = make_lakehouses(service, stored, new, folder)
        seconds: dict[int, list[float]] = {size: [] for size in lakehouses}
        for number in range(1, runs + 1):
            for size, lakehouse in lakehouses.items():
                seconds[size].append(read_new(service, lakehouse, new))
                say(f"{new:,} new on {size:,} stored: run {number} of {runs}: {seconds[size][-1]:.2f} s")
    results.rows = {str(size): {"stored": size, "seconds": found} for size, found in seconds.items()}
    base = median(seconds[stored[0]])
    for size in stored[1:]:
        value = median(seconds[size])
        results.add(
            Figure(
                name=f"{new:,} new messages on {size:,} stored / on {stored[0]:,}",
                value=value / base,
                goal=1.25,
                is_ceiling=True,
                note=f"whole process, {value:.2f} s / {base:.2f} s; medians of {runs}",
            )
        )
    return results


def make_lakehouses(service: Service, stored: list[int], new: int, folder: Path) -> dict[int, Path]:
    """Return a lakehouse per size, each with the same unread messages in its audit log."""
    ingest(service)
    history = folder / "history"
    link_tree(service.lakehouse, history)
    service.ask(new)
    lakehouses = {}
    for size in stored:
        lakehouse = lakehouses[size] = folder / f"stored-{size}"
        link_tree(service.lakehouse, lakehouse)
        append_copies(history, lakehouse, copies=round(size / stored[0]) - 1, days_apart=DAYS)
        found = message_count(lakehouse)
        if found != size:
            raise RuntimeError(f"made {found:,} stored messages instead of {size:,}")
        (lakehouse / "main").rename(lakehouse / "before")
    return lakehouses


def read_new(service: Service, lakehouse: Path, new: int) -> float:
    """Run the job once over the new messages, on tables as they were before, and return its seconds.

    Raises:
        RuntimeError: if it read fewer or more.
    """
    shutil.rmtree(lakehouse / "main", ignore_errors=True)
    link_tree(lakehouse / "before", lakehouse / "main")
    measured = ingest(service, lakehouse=lakehouse)
    fetched = int(measured.record()["fetched_count"])
    if fetched != new:
        raise RuntimeError(f"fetched {fetched:,} messages instead of {new:,}")
    return measured.seconds


if __name__ == "__main__":
    main()
