"""The benchmarks run, tiny, so that they cannot rot. What they measure is not tested: a busy machine must not fail a test."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from benchmarks import growth, harness, memory, startup, throughput
from benchmarks.lakehouse import OURS, multiply


@pytest.fixture(autouse=True)
def results_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")


def test_contenders_store_every_message_of_the_same_server() -> None:
    cell = throughput.Cell(turns=4, workspaces=2, is_capped=False, latency_ms=1)
    calls = {}
    with harness.serving(harness.AccountSize(messages=40, turns=4, workspaces=2)) as service:
        for name in throughput.CONTENDERS:
            if name == throughput.DLT and importlib.util.find_spec("dlt") is None:
                continue  # its group is installed by `make bench` only
            calls[name] = throughput.run_once(name, cell, service).message_calls
    assert calls.pop(throughput.OURS) == 10
    assert calls.pop(throughput.FLOOR) == 10
    assert set(calls.values()) == {40}


@pytest.mark.long
def test_cap_counts_what_the_server_refused(capsys: pytest.CaptureFixture[str]) -> None:
    cell = throughput.Cell(turns=1, workspaces=1, is_capped=True, latency_ms=0)
    with harness.serving(harness.AccountSize(messages=80, turns=1)) as service:
        run = throughput.run_once(throughput.THREADS, cell, service)
    assert run.refused_share > 0
    assert run.share_of_ideal is not None
    assert run.share_of_ideal <= 1
    row = {"conditions": str(cell), "contenders": [throughput.summary(throughput.THREADS, [run])]}
    throughput.print_cell(row)
    assert "SDK in 32 threads" in capsys.readouterr().out


def test_contenders_run_from_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    measured = harness.measure([sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"])
    assert measured.output.strip() == "False"


@pytest.mark.long
def test_growth_memory_and_startup(tmp_path: Path) -> None:
    figures: dict[str, Any] = {}
    for results in (
        growth.measure_growth([80, 160], 8, tmp_path / "growth", runs=1),
        memory.measure_memory(20, 40, runs=1),
        startup.measure_startup(20, runs=1),
    ):
        results.save()
        figures |= harness.Results.load(results.name).figures
    assert figures["message calls in a run with nothing new"].value == 0
    assert len(figures) == 4
    assert all(figure.value > 0 for name, figure in figures.items() if "calls" not in name)


def test_figures_say_whether_the_goal_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    harness.print_figures(
        [
            harness.Figure(name="calls", value=0.26, goal=0.27, is_ceiling=True),
            harness.Figure(name="rate", value=9.9, goal=10, is_ceiling=False),
        ]
    )
    calls, rate = [line for line in capsys.readouterr().out.splitlines() if "0.26" in line or "9.90" in line]
    assert "≤ 0.27" in calls
    assert "NOT MET" not in calls
    assert "≥ 10.00" in rate
    assert "NOT MET" in rate


def test_multiplied_lakehouse_has_new_ids_on_the_same_days(tmp_path: Path) -> None:
    with harness.serving(harness.AccountSize(messages=20)) as service:
        harness.ingest(service)
        multiply(service.lakehouse, tmp_path / "large", 50)
        before, after = (
            DeltaTable(str(folder / OURS / "message_details")).to_pyarrow_table()
            for folder in (service.lakehouse, tmp_path / "large")
        )
    assert after.num_rows == 60
    assert len(pc.unique(after["message_id"])) == 60
    assert set(after["created_date"].to_pylist()) == set(before["created_date"].to_pylist())
