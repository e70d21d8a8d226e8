"""The tools that build the dashboard: reading the SQL file, placing widgets, writing the notebook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tools.build_dashboard import DASHBOARD_FILE, main
from tools.dashboard.notebook import build_notebook
from tools.dashboard.queries import load_queries
from tools.dashboard.widgets import COUNT, chart, col, day, place, rows, text, total

HEADER = (
    "-- query:   {id}\n-- title:   T\n-- answers: A\n-- grain:   G\n-- reads:   message_details\n-- params:  none\n"
)
RULE = "-- " + "-" * 117


def _file(folder: Path, content: str) -> Path:
    path = folder / "queries.sql"
    path.write_text(content)
    return path


def test_queries_know_their_section_and_parameters(tmp_path: Path) -> None:
    block = HEADER.format(id="q1") + "SELECT ':no' AS a -- :no\nFROM t\nWHERE d > :days_lookback;\n"
    query = load_queries(_file(tmp_path, f"-- Introduction\n\n{RULE}\n-- Overview\n{RULE}\n\n{block}"))["q1"]
    assert (query.section, query.parameters, query.reads) == ("Overview", ("days_lookback",), ("message_details",))
    assert query.sql.endswith(":days_lookback")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER.format(id="q").replace("-- grain:   G\n", "") + "SELECT 1;", "header lines"),
        (HEADER.format(id="q") + "SELECT 1", "semicolon"),
        (HEADER.format(id="q") + "SELECT 1; SELECT 2;", "more than one statement"),
        ((HEADER.format(id="q") + "SELECT 1;\n\n") * 2, "occurs twice"),
    ],
)
def test_file_that_breaks_the_contract_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_queries(_file(tmp_path, content))


def test_widgets_are_placed_left_to_right_and_top_to_bottom() -> None:
    layout = place([(2, [(12, text("a", "x"))]), (3, [(5, text("b", "x")), (7, text("c", "x"))])])
    assert [tuple(item["position"].values()) for item in layout] == [(0, 0, 12, 2), (0, 2, 5, 3), (5, 2, 7, 3)]


def test_band_that_does_not_fill_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="band of a"):
        place([(2, [(11, text("a", "x"))])])


def test_chart_groups_when_it_aggregates_only() -> None:
    grouped = chart("bar", "a", "ds", "T", x=day("d"), y=total("n", "N"))
    listed = chart("line", "b", "ds", "T", x=col("d", "D"), y=[col("n", "N", COUNT)], y_title="N", is_x_time=True)
    assert grouped["queries"][0]["query"]["disaggregated"] is False
    assert listed["queries"][0]["query"]["disaggregated"] is True
    assert listed["spec"]["encodings"]["x"]["scale"] == {"type": "temporal"}


def test_lying_bars_are_sorted_by_their_length() -> None:
    bars = chart("bar", "a", "ds", "T", x=rows("N"), y=col("s", "S"), sort={"by": "x-reversed"})["spec"]["encodings"]
    assert bars["x"]["scale"] == {"type": "quantitative"}
    assert bars["y"]["scale"] == {"type": "categorical", "sort": {"by": "x-reversed"}}


def test_notebook_has_every_query_as_a_cell_and_casts_the_text_widget() -> None:
    queries = load_queries()
    notebook = build_notebook(queries.values())
    cells = notebook.split("\n\n-- COMMAND ----------\n\n")
    assert notebook.startswith("-- Databricks notebook source\n")
    assert (
        sum(not cell.startswith("-- MAGIC") for cell in cells[1:]) == len(queries) + 2
    )  # where the tables are, and the widgets
    assert not re.search(r"(?<!CAST\():days_lookback", notebook.replace("`days_lookback`", ""))


def test_check_fails_until_the_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], tmp_path) == 1
    assert "run: make dashboard" in capsys.readouterr().err
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / DASHBOARD_FILE).write_text("{}")
    assert main(["--check"], tmp_path) == 1
