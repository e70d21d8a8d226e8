"""Runs one dashboard query over small tables on the local engine, and reads the case files.

A case is a JSON file `cases/<query>/<case>.json`:

    about       what it shows
    account     optional: rows every table starts with, from `accounts/<account>.json`
    tables      rows by table; columns not given are NULL
    parameters  optional; default ALL and 30 days
    expect      the exact rows, in order; NULL columns left out, "*" for a value that depends on the clock

Queries look back from today, so days are written relative to it: "@-3d" is three days ago, "@-3d 10:00:00" that day at ten
(UTC), "@w-1+2d" the Wednesday of last week.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from tools.dashboard.queries import Query

from genie_obs.config import EngineSettings
from genie_obs.lakehouse.engines.engine import Engine, open_engine
from genie_obs.lakehouse.schema import table, tables
from genie_obs.lakehouse.sql import qualify
from genie_obs.simulator.schemas import AUDIT, QUERY_HISTORY, WORKSPACES

Row = dict[str, Any]
Rows = Mapping[str, list[Row]]

HERE = Path(__file__).parent
SYSTEM_TABLES = {
    "system.access.audit": AUDIT,
    "system.access.workspaces_latest": WORKSPACES,
    "system.query.history": QUERY_HISTORY,
}
DEFAULTS = {"workspace_id_filter": "ALL", "days_lookback": 30}
_RELATIVE = re.compile(r"@(?:w(?P<weeks>[+-]\d+)?)?(?P<days>[+-]\d+d)?(?: (?P<time>[\d:.]+))?")


class DashboardLake:
    """One engine over one folder; a query sees the rows of its case and nothing else."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._filled: set[str] = set()
        for declared in tables():
            self._write(declared.name, [])
        for name in SYSTEM_TABLES:
            self._write(name, [])
        self.engine: Engine = open_engine(EngineSettings(lakehouse=root))

    def fill(self, rows: Rows) -> None:
        """Let the tables hold these rows; every other table is empty."""
        for name in sorted(self._filled - rows.keys()):
            self._write(name, [])
        for name, content in rows.items():
            self._write(name, content)
        self._filled = {name for name, content in rows.items() if content}

    def run(self, query: Query, parameters: Mapping[str, Any] = DEFAULTS) -> pa.Table:
        arguments = {name: parameters[name] for name in query.parameters}
        return self.engine.spark.sql(qualify(query.sql, self.engine.names), args=arguments).toArrow()

    def _write(self, name: str, rows: list[Row]) -> None:
        schema = SYSTEM_TABLES.get(name) or table(name).arrow_schema()
        unknown = {column for row in rows for column in row} - set(schema.names)
        assert not unknown, f"{name} has no column {unknown}"
        folder = self._root.joinpath(*(name.split(".") if "." in name else ("main", "genie_analytics", name)))
        folder.mkdir(parents=True, exist_ok=True)
        write_deltalake(str(folder), pa.Table.from_pylist(rows, schema), mode="overwrite")


def load_case(path: Path) -> dict[str, Any]:
    """Return a case with its account's rows merged in and days made absolute."""
    case = json.loads(path.read_text(encoding="utf-8"))
    given: dict[str, list[Row]] = {}
    if account := case.get("account"):
        given |= json.loads((HERE / "accounts" / f"{account}.json").read_text(encoding="utf-8"))
    given |= case.get("tables", {})
    rows = {name: [_typed_row(name, row) for row in content] for name, content in given.items()}
    return {"tables": rows, "parameters": DEFAULTS | case.get("parameters", {}), "expect": _absolute(case["expect"])}


def plain_rows(result: pa.Table) -> list[Row]:
    """Return rows as a case writes them: without NULLs, floats rounded to six places."""
    return [{name: _plain(value) for name, value in row.items() if value is not None} for row in result.to_pylist()]


def matches(found: list[Row], expected: list[Row]) -> bool:
    """Say whether rows are as expected; "*" stands for any value."""
    return len(found) == len(expected) and all(
        row.keys() == wanted.keys() and all(wanted[name] in ("*", row[name]) for name in wanted)
        for row, wanted in zip(found, expected, strict=True)
    )


def resolve(text: str, today: date) -> date | datetime:
    """Return the day or the instant a relative day stands for."""
    match = _RELATIVE.fullmatch(text)
    assert match, f"{text} is not a relative day"
    day = today
    if text.startswith("@w"):
        day += timedelta(days=-today.weekday(), weeks=int(match["weeks"] or 0))
    day += timedelta(days=int((match["days"] or "0d")[:-1]))
    return datetime.combine(day, time.fromisoformat(match["time"]), UTC) if match["time"] else day


def _typed_row(name: str, row: Row) -> Row:
    schema = SYSTEM_TABLES.get(name) or table(name).arrow_schema()
    typed = _absolute(row)
    return {
        column: list(value.items()) if isinstance(value, dict) and pa.types.is_map(schema.field(column).type) else value
        for column, value in typed.items()
    }


def _absolute(node: Any) -> Any:
    if isinstance(node, str) and node.startswith("@"):
        return resolve(node, datetime.now(UTC).date())
    if isinstance(node, dict):
        return {name: _absolute(value) for name, value in node.items()}
    return [_absolute(value) for value in node] if isinstance(node, list) else node


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value
