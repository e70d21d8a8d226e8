"""Every benchmark, each in a process of its own, and at the end all figures beside their goals.

make bench                              everything
make bench BENCH=--quick                smaller, one run each, a few minutes
python -m benchmarks --only growth      one part
python -m benchmarks --only             no part: print what was measured before
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.harness import ROOT, Results, print_figures, say
from benchmarks.throughput import measured_cells, print_cell

PARTS = ("startup", "memory", "growth", "throughput")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller, one run each")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--all", action="store_true", help="the whole grid of throughput")
    options = parser.parse_args()
    for part in options.only:
        say(f"-- {part}")
        flags = ["--quick"] if options.quick else []
        flags += ["--all"] if options.all and part == "throughput" else []
        subprocess.run([sys.executable, "-m", f"benchmarks.{part}", *flags], check=True, cwd=ROOT)
    for _, row in measured_cells(Results.load("throughput")):
        print_cell(row)
    print_figures(figure for part in PARTS for figure in Results.load(part).figures.values())


if __name__ == "__main__":
    main()
