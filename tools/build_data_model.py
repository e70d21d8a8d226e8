"""Writes docs/data-model.md from the table declarations, so that documentation and tables cannot differ.

Run: .venv/bin/python tools/build_data_model.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from genie_obs.lakehouse.schema import Table, tables

TARGET = Path(__file__).parents[1] / "docs" / "data-model.md"
_INTRODUCTION = """# Data model

Five Delta tables in one schema, `main.genie_analytics` unless configured otherwise. All instants are UTC. On Databricks they are
clustered (liquid) with deletion vectors; the local engine partitions them instead. Columns added by a newer version appear by
themselves at the next run or with `genie-obs init`.

Made from the declarations, `table.sql` in the folder of each table, by `tools/build_data_model.py`.

How they hang together: `message_ledger` and `message_details` join on (`workspace_id`, `message_id`); message ids alone are not
unique across workspaces. `space_details` joins on (`workspace_id`, `space_id`). `message_details.ingestion_batch_id` is
`ingestion_runs.run_id`. `statement_id` joins `system.query.history` together with `workspace_id`.
"""


def describe(table: Table) -> str:
    """Return the section of one table."""
    comment = re.search(r"^COMMENT '([^']+)'", table.ddl, re.MULTILINE)
    lines = [f"## {table.name}", "", comment[1] if comment else "", ""]
    lines += [
        f"Clustered by {_names(table.cluster_by)}"
        + (f"; local partitions: {_names(table.partition_by)}." if table.partition_by else ".")
    ]
    lines += ["", "| column | type | meaning |", "|---|---|---|"]
    lines += [f"| `{column.name}` | {column.sql_type} | {column.comment} |" for column in table.columns]
    return "\n".join(lines) + "\n"


def render() -> str:
    """Return the whole document."""
    return "\n".join([_INTRODUCTION, *(describe(table) for table in tables())])


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def main(arguments: list[str]) -> int:
    """Write the document, or with --check say whether it is up to date."""
    text = render()
    if "--check" in arguments:
        if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
            return 0
        print("docs/data-model.md is out of date: run tools/build_data_model.py", file=sys.stderr)
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
