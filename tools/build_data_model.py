"""Writes docs/data-model.md from the table declarations, so that documentation and tables cannot differ.

Run: .venv/bin/python tools/build_data_model.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from genie_obs.lakehouse.schema import Table, tables
from genie_obs.ledger.reasons import Reason

TARGET = Path(__file__).parents[1] / "docs" / "data-model.md"
_INTRODUCTION = """# Data model

Delta tables in one schema, `main.genie_analytics` unless configured otherwise. All instants are UTC. On Databricks they are clustered
(liquid) with deletion vectors; the local engine partitions them instead. Columns added by a newer version appear by themselves at the
next run or with `genie-obs init`, and older rows get their value where one follows from what they hold.

This page is made by `tools/build_data_model.py` from the declarations: the file `table.sql` in the folder of each table, below
`python/genie_obs`. Its header lines say which columns are texts (content policy and erasure follow from them), which name people, how a
newer row changes a stored one, and what the table is filled from.

How the tables hang together: `message_ledger` and `message_details` join on (`workspace_id`, `message_id`); message ids alone are not
unique across workspaces. `space_details` joins on (`workspace_id`, `space_id`). `message_details.ingestion_batch_id` is
`ingestion_runs.run_id`. `statement_id` joins `system.query.history` together with `workspace_id`.
"""
_REASONS = """## Reason codes

Values of `message_ledger.reason_code`, which say why a message is in its state. `state_reason` is the same in words, with the facts of the
case; no program should read it.

| code | meaning |
|---|---|
"""
_ERASED_WITH = {
    "message": "with the message",
    "space": "with the space",
    "person": "with the person",
    "state": "the state becomes `erased`",
}


def describe(table: Table) -> str:
    """Return the section of one table."""
    facts = [f"Grain: {table.grain}.", f"Key: {_names(table.key)}.", f"Clustered by {_names(table.cluster_by)}."]
    if table.partition_by:
        facts.append(f"Local partitions: {_names(table.partition_by)}.")
    if table.sources:
        facts.append(f"Filled from {', '.join(f'`system.{name}`' for name in table.sources)} and the Genie API.")
    if table.texts:
        facts.append(f"Texts: {_names(table.texts.names)}.")
    if table.people:
        facts.append(f"Says who somebody is: {_names(table.people)}.")
    if table.erased_with:
        facts.append(f"Erased {' and '.join(_ERASED_WITH[whom] for whom in table.erased_with)}.")
    if table.has_lasting_rows:
        facts.append("Erasing empties texts and people; the rows stay.")
    if table.retention:
        facts.append(f"Texts are kept for as long as `--{table.retention.replace('_', '-')}` says.")
    lines = [f"## {table.name}", "", table.comment, "", " ".join(facts)]
    lines += ["", "| column | type | meaning |", "|---|---|---|"]
    lines += [f"| `{column.name}` | {column.sql_type} | {column.comment} |" for column in table.columns]
    return "\n".join(lines) + "\n"


def describe_reasons() -> str:
    """Return the section about the reason codes of the ledger."""
    return _REASONS + "".join(f"| `{reason.value}` | {reason.meaning} |\n" for reason in Reason)


def render() -> str:
    """Return the whole document."""
    return "\n".join([_INTRODUCTION, *(describe(table) for table in tables()), describe_reasons()])


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
