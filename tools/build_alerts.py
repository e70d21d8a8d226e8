"""Copy the SQL of the alerts from sql/alerts/<name>.sql into resources/alerts.yml, with catalog and schema filled in.

An alert has no default catalog and schema, so its tables are named in full by variables of the bundle. `--check` changes
nothing and fails when the two differ.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from genie_obs.lakehouse.sql import Names, qualify

ROOT = Path(__file__).parents[1]
SQL_FOLDER = ROOT / "sql" / "alerts"
RESOURCES = ROOT / "resources" / "alerts.yml"

_ALERT = re.compile(r"^    (\w+):$")
_TEXT_HEAD = "      query_text: |-"
_TEXT_INDENT = " " * 8


@dataclass(frozen=True, kw_only=True)
class BundleNames(Names):
    """Names our tables by variables of the bundle, which it fills in when it is deployed."""

    catalog: str = "unused"
    schema: str = "unused"

    def table(self, name: str) -> str:
        """Return the full, quoted name of one of our tables."""
        return f"`${{var.catalog}}`.`${{resources.schemas.genie_analytics.name}}`.{name}"


def build_query_text(sql: str) -> str:
    """Return the SQL of an alert from its file: table names in full, and no semicolon, because alerts do not accept one."""
    return qualify(sql, BundleNames()).strip().removesuffix(";")


def build_resources(text: str) -> str:
    """Return the text of the resource file with every query_text replaced.

    Raises:
        FileNotFoundError: if an alert has no file of its name.
    """
    lines: list[str] = []
    name = ""
    is_skipping = False
    for line in text.splitlines():
        is_skipping = is_skipping and (line.startswith(_TEXT_INDENT) or not line.strip())
        if is_skipping:
            continue
        lines.append(line)
        if found := _ALERT.match(line):
            name = found.group(1)
        elif line == _TEXT_HEAD:
            sql = build_query_text((SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8"))
            lines += [f"{_TEXT_INDENT}{row}" if row else "" for row in sql.splitlines()]
            is_skipping = True
    return "\n".join(lines) + "\n"


def main() -> int:
    """Rebuild the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail when the file is not up to date")
    options = parser.parse_args()
    old = RESOURCES.read_text(encoding="utf-8")
    new = build_resources(old)
    if options.check:
        if new != old:
            print(f"{RESOURCES.relative_to(ROOT)} is not up to date: run python tools/build_alerts.py")
        return int(new != old)
    RESOURCES.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
