"""The demo notebook: stored without outputs, and runs from top to bottom where there is no Databricks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).parents[3]
NOTEBOOK = ROOT / "docs" / "Genie Observability Demo.ipynb"
SIZE = "SIMULATED_MESSAGES = 500"
# nbformat and nbclient build grammars for two seconds as they are imported, which every worker would pay as it collects.


@pytest.fixture(scope="module")
def stored() -> Any:

    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]  # nbformat is typed in part


@pytest.fixture(scope="module")
def executed(stored: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run every cell in a kernel of its own, in an empty folder; the account is smaller, nothing else is changed."""
    from nbclient import NotebookClient

    notebook = nbformat.from_dict(stored)  # type: ignore[no-untyped-call]  # nbformat is typed in part
    [configuration] = [cell for cell in notebook.cells if SIZE in cell.source]
    configuration.source = configuration.source.replace(SIZE, "SIMULATED_MESSAGES = 120")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "GENIE_OBS_"))]:
            patch.delenv(name)
        client = NotebookClient(
            notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path_factory.mktemp("anywhere"))}}
        )  # fmt: skip
        client.execute()
    return notebook


def shown(notebook: Any) -> list[tuple[str, str]]:
    """Return what a reader sees: not the ids of the cells, which stay as they once were."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def outputs(notebook: Any) -> str:
    return "\n".join(
        str(output.get("data", {}).get("text/html") or output.get("text") or "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


def test_notebook_is_up_to_date_with_its_source(stored: Any) -> None:
    source = jupytext.read(ROOT / "tools" / "demo_notebook.py")

    assert shown(stored) == shown(source), "run: make dashboard"
    assert stored.metadata.kernelspec == source.metadata.kernelspec, "run: make dashboard"


def test_notebook_is_valid_and_stored_without_outputs(stored: Any) -> None:

    nbformat.validate(stored)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_every_cell_runs_and_the_story_is_told(executed: Any) -> None:
    told = outputs(executed)
    for expected in (
        "Genie events of 14 days, 3 workspaces",
        "Messages by state",
        "Questions per day",
        "Questions by space",
    ):
        assert expected in told


def test_second_run_of_the_notebook_asks_for_next_to_nothing(executed: Any) -> None:
    told = outputs(executed)
    [first] = re.findall(r"(\d+) messages stored", told)
    [second] = re.findall(r"(\d+) due, \d+ calls for messages", told)
    assert int(first) > 80
    assert int(second) < 20


def test_charts_and_tables_have_content(executed: Any) -> None:
    told = outputs(executed)
    assert len(re.findall(r"height:14px", told)) > 30
    assert told.count('class="dataframe"') == 3


def test_nothing_in_the_outputs_is_a_warning_or_an_error(executed: Any) -> None:
    told = outputs(executed)
    assert "Warning" not in told
    assert "Error" not in told.replace("state_reason", "")
