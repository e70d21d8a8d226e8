"""Every dataset of the dashboard over many messages, one by one and in total; time from opening the page to its first chart.

    python -m benchmarks.dashboard_preview --messages 1000000

Makes an account with the demo, multiplies its rows (new ids, the same days) until there are enough, runs the datasets with the
dashboard's own parameters on the local engine, and opens the served page of the demo account in Chromium where there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import machine
from benchmarks.lakehouse import message_count, multiply
from genie_obs.config import parse_settings
from genie_obs.preview.command import open_site
from genie_obs.preview.page.server import THREADS, serve
from genie_obs.preview.page.site import Site
from genie_obs.preview.query.filters import State
from genie_obs.preview.query.parameters import BoundSql
from genie_obs.preview.query.statements import dataset_sql

RESULTS = Path(__file__).parent / "results" / "dashboard_preview.json"
DEMO_MESSAGES = 3_000
REPETITIONS = 3
_generations = itertools.count(1)
BROWSER_FLAGS = ["--no-sandbox", "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--days-lookback", default="90")
    parser.add_argument("--folder", type=Path, help="keep the tables here and use them again")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="dashboard-bench-"))
    try:
        report = measure(folder, options.messages, options.days_lookback)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print_report(report)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, messages: int, days_lookback: str) -> dict[str, Any]:
    """Make what is missing, measure, and return the figures; times in seconds."""
    demo, large = folder / "demo", folder / f"lakehouse-{messages}"
    if not (demo / "demo.json").is_file():
        command = [
            sys.executable,
            "-m",
            "genie_obs",
            "demo",
            "--folder",
            str(demo),
            "--messages",
            str(DEMO_MESSAGES),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if not large.is_dir():
        multiply(demo / "lakehouse", large, messages)
    with opened(large, days_lookback) as site:
        queries = measure_datasets(site)
        together = measure_together(site)
        rows = message_count(large)
    with opened(demo / "lakehouse", days_lookback) as site:
        first_chart = measure_first_chart(site)
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "messages": rows,
        "days_lookback": int(days_lookback),
        "queries": queries,
        "total_seconds": round(sum(query["seconds"] for query in queries), 3),
        "together_seconds": together,
        "first_chart_seconds": first_chart,
    }


def opened(lakehouse: Path, days_lookback: str) -> Any:
    settings = parse_settings({"engine": "local", "lakehouse": str(lakehouse)}, {})
    return open_site(settings, overrides={"days_lookback": days_lookback})


def measure_datasets(site: Site) -> list[dict[str, Any]]:
    """Run every dataset REPETITIONS times, one at a time; return name, seconds (the median) and rows of each."""
    statements = bound_datasets(site)
    seconds: dict[str, list[float]] = {name: [] for name in statements}
    rows = {}
    # Round by round, so that what disturbs the machine for a moment hits one repetition of many queries, not all of one.
    for _ in range(REPETITIONS):
        forget_results(site)
        for name, bound in statements.items():
            started = time.perf_counter()
            rows[name] = site.runner.rows(bound).table.num_rows
            seconds[name].append(time.perf_counter() - started)
    return [
        {
            "query": name,
            "seconds": round(statistics.median(found), 3),
            "slowest": round(max(found), 3),
            "rows": rows[name],
        }
        for name, found in seconds.items()
    ]


def measure_together(site: Site) -> float:
    """Return seconds for all datasets at once, in as many threads as `serve` has."""
    forget_results(site)
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(site.runner.rows, bound_datasets(site).values()))
    return round(time.perf_counter() - started, 3)


def bound_datasets(site: Site) -> dict[str, BoundSql]:
    page = site.dashboard.canvas_pages[0]
    return {
        name: dataset_sql(dataset, site.filtering.scope(page, name, State()), None, site.now())
        for name, dataset in site.dashboard.datasets.items()
    }


def forget_results(site: Site) -> None:
    site.runner.renew(next(_generations))


def measure_first_chart(site: Site) -> float | None:
    """Return seconds from opening the served page to its first chart, or None without a Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return None
    address: list[str] = []
    is_ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    def on_ready(found: str) -> None:
        address.append(found)
        is_ready.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            loop.run_until_complete, serve(site, host="127.0.0.1", port=0, on_ready=on_ready, stop=stop)
        )
        try:
            is_ready.wait(30)
            return open_in_browser(chromium, address[0])
        finally:
            loop.call_soon_threadsafe(stop.set)
            running.result(30)
            loop.close()


def open_in_browser(chromium: str, address: str) -> float:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("() => performance.getEntriesByName('first-chart').length > 0")
        milliseconds: float = page.evaluate("performance.getEntriesByName('first-chart')[0].startTime")
        browser.close()
    return round(milliseconds / 1_000, 3)


def print_report(report: dict[str, Any]) -> None:
    print(f"{report['messages']:,} messages, last {report['days_lookback']} days, {report['machine']}")
    for query in sorted(report["queries"], key=lambda query: -query["seconds"]):
        print(
            f"{query['seconds']:8.3f} s  (slowest {query['slowest']:.3f})  {query['rows']:>7,} rows  {query['query']}"
        )
    count = f"{len(report['queries'])} queries one after the other, the median of {REPETITIONS} runs of each"
    print(f"{report['total_seconds']:8.3f} s  in total, {count}")
    print(f"{report['together_seconds']:8.3f} s  for all of them at once, as `dashboard serve` runs them")
    first = report["first_chart_seconds"]
    print(
        f"{first:8.3f} s  from opening the served page to its first chart"
        if first
        else "no Chromium here: first chart not measured"
    )


if __name__ == "__main__":
    main()
