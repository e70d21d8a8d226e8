"""Build the dashboard and the notebook from `sql/genie_observability_queries.sql` and the layout.

python tools/build_dashboard.py            write both files
python tools/build_dashboard.py --check    fail when they are not what they would be written as
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, Python looks in tools/ only

from tools.dashboard.layout import build_pages, theme
from tools.dashboard.notebook import build_notebook
from tools.dashboard.queries import ROOT, Query, load_queries
from tools.dashboard.widgets import Json
from tools.lvdash_lint import lint

SQL_FOLDER = ROOT / "sql"
DASHBOARD_FILE = "genie_observability.lvdash.json"
NOTEBOOK_FILE = "genie_observability_notebook.sql"

_PARAMETERS: dict[str, Json] = {
    "workspace_id_filter": {"dataType": "STRING", "values": [{"value": "ALL"}]},
    "days_lookback": {"dataType": "INTEGER", "values": [{"value": "30"}]},
}


def build_dashboard(queries: dict[str, Query]) -> Json:
    """Return the dashboard; the same queries and layout give the same bytes."""
    return {
        "datasets": [_dataset(query) for query in queries.values()],
        "pages": build_pages(queries, {name: {"values": values} for name, values in _PARAMETERS.items()}),
        "uiSettings": {"theme": theme(), "applyModeEnabled": False},
    }


def render(queries: dict[str, Query]) -> dict[str, str]:
    """Return the text of every file that is built, by name."""
    dashboard = json.dumps(build_dashboard(queries), indent=2, ensure_ascii=False) + "\n"
    return {DASHBOARD_FILE: dashboard, NOTEBOOK_FILE: build_notebook(queries.values())}


def main(arguments: list[str] | None = None, folder: Path = SQL_FOLDER) -> int:
    """Write or check the files in the folder. Return the exit code: 0 done, 1 out of date or not fit for Databricks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    is_check = parser.parse_args(arguments).check
    files = render(load_queries())
    problems = lint(json.loads(files[DASHBOARD_FILE]))
    for problem in problems:
        print(f"{DASHBOARD_FILE}: {problem}", file=sys.stderr)
    stale = [name for name, text in files.items() if not _holds(folder / name, text)]
    for name in stale:
        if is_check:
            print(f"{folder / name} is out of date; run: make dashboard", file=sys.stderr)
        else:
            (folder / name).write_text(files[name], encoding="utf-8")
            print(f"wrote {folder / name} ({len(files[name]):,} characters)")
    return 1 if problems or (is_check and stale) else 0


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _dataset(query: Query) -> Json:
    origin = f"-- {query.query_id}, from sql/genie_observability_queries.sql; change it there, then run make dashboard"
    lines = [f"{line}\n" for line in (origin + "\n" + query.sql).splitlines()]
    dataset: Json = {"name": query.query_id, "displayName": query.title, "queryLines": lines}
    if query.parameters:
        dataset["parameters"] = [
            {
                "displayName": name,
                "keyword": name,
                "dataType": _PARAMETERS[name]["dataType"],
                "defaultSelection": {"values": _PARAMETERS[name]},
            }
            for name in query.parameters
        ]
    return dataset


if __name__ == "__main__":
    sys.exit(main())
