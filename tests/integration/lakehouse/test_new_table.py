"""A table is one folder: a made-up one is added to a copy of the package, and nothing else is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from tests.integration.conftest import UNTIL

from genie_obs.simulator import AccountSpec, SimulatorServer, generate_account, write_system_tables

ROOT = Path(__file__).parents[3]
NOT_KEPT = "[not kept]"


class Copy:
    """A copy of the package with one folder more, and an account for it to read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "python", folder / "python", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "sql" / "views", folder / "sql" / "views")
        shutil.copytree(
            ROOT / "tests" / "integration" / "lakehouse" / "made_up" / "gadgets",
            folder / "python/genie_obs/datasets/gadgets",
        )
        self.lakehouse = folder / "lakehouse"
        spec = AccountSpec(message_count=40, workspace_count=1, space_count=2, days=5, until=UNTIL, quirks=False)
        self.account = generate_account(spec)

    def run(self, *arguments: str, module: str = "genie_obs") -> str:
        """Run a command of the copy and return what it printed; its last word is that of the copy's code, not of this process."""
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("GENIE_OBS_", "DATABRICKS_"))
        }
        environ |= {
            "PYTHONPATH": f"{self.folder / 'python'}{os.pathsep}{ROOT}",
            "DATABRICKS_SP_CLIENT_ID": self.account.client_id,
            "DATABRICKS_SP_CLIENT_SECRET": self.account.client_secret,
        }
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table, as any Delta reader sees them."""
        rows: list[dict[str, Any]] = (
            DeltaTable(str(self.lakehouse / "main/genie_analytics" / table)).to_pyarrow_table().to_pylist()
        )
        return rows


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Return a copy of the package whose job ran once."""
    copied = Copy(tmp_path_factory.mktemp("copy"))
    with SimulatorServer(copied.account):
        write_system_tables(copied.account, copied.lakehouse)
        copied.run("ingest", "--lakehouse", str(copied.lakehouse), "--days-lookback", "3650")
        yield copied


def test_new_table_is_created_and_filled_by_its_step(copy: Copy) -> None:
    messages, gadgets = copy.rows("message_details"), copy.rows("gadgets")
    assert len(gadgets) == len(messages) > 30
    assert {row["note"] for row in gadgets} == {row["content"] for row in messages}
    [run] = copy.rows("ingestion_runs")
    assert [step["name"] for step in run["steps"]] == ["events", "messages", "gadgets", "statements", "erasing"]
    assert {step["rows"] for step in run["steps"] if step["name"] == "gadgets"} == {len(gadgets)}


def test_new_table_follows_the_content_policy_and_is_merged_as_declared(copy: Copy) -> None:
    before = {row["message_id"]: row for row in copy.rows("gadgets")}
    copy.run("ingest", "--lakehouse", str(copy.lakehouse), "--content-policy", "metrics_only")
    for row in copy.rows("gadgets"):
        assert (row["note"], row["labels"], row["detail_json"]) == (NOT_KEPT, [NOT_KEPT], "{}")
        assert row["content_policy"] == "metrics_only"
        assert row["first_seen_at"] == before[row["message_id"]]["first_seen_at"]
        assert row["maker"] == before[row["message_id"]]["maker"]
    copy.run("ingest", "--lakehouse", str(copy.lakehouse))
    assert {row["note"] for row in copy.rows("gadgets")} == {row["note"] for row in before.values()}


def test_new_table_is_skipped_without_its_source(copy: Copy) -> None:
    told = copy.run("ingest", "--lakehouse", str(copy.lakehouse), "--skip-sources", "query.history", "--json")
    steps = [step["name"] for step in json.loads(told.splitlines()[-1])["steps"]]
    assert steps == ["events", "messages", "erasing"]


def test_new_table_is_erased_with_its_messages_and_stays_so(copy: Copy) -> None:
    person = copy.rows("message_details")[0]["user_email"]
    theirs = {row["message_id"] for row in copy.rows("message_details") if row["user_email"] == person}
    copy.run("erase", "--lakehouse", str(copy.lakehouse), "--user", person, "--yes", "--vacuum")
    copy.run("ingest", "--lakehouse", str(copy.lakehouse))
    for row in copy.rows("gadgets"):
        is_theirs = row["message_id"] in theirs
        assert (row["maker"] is None, row["note"] == NOT_KEPT, row["content_policy"] == "erased") == (is_theirs,) * 3
    [receipt] = copy.rows("erasures")
    assert any(version.startswith("gadgets=") for version in receipt["versions_after"])
    left = b"".join(file.read_bytes() for file in (copy.lakehouse / "main/genie_analytics/gadgets").rglob("*.json"))
    assert person.encode() not in left


def test_new_table_is_documented_and_keeps_the_rooms_apart(copy: Copy) -> None:
    script = "import sys; from tools.build_data_model import render; sys.stdout.write(render())"
    (copy.folder / "show.py").write_text(script, encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": f"{copy.folder / 'python'}{os.pathsep}{ROOT}"}
    shown = subprocess.run(
        [sys.executable, str(copy.folder / "show.py")], env=environ, capture_output=True, text=True, check=True
    )
    assert "## gadgets" in shown.stdout
    assert "Texts: `note`, `labels`, `detail_json`." in shown.stdout
    shutil.copy(ROOT / "pyproject.toml", copy.folder)
    rooms = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo", "pyproject.toml"],
        cwd=copy.folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "datasets.gadgets" not in rooms.stdout
    assert rooms.returncode == 0, rooms.stdout
