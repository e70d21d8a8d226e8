"""The SQL files of the package: statements, the rules they share, declarations of tables, and views of BI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_DECLARED = re.compile(r"^CREATE TABLE IF NOT EXISTS (\w+) \($", re.MULTILINE)


@lru_cache
def load_statement(name: str) -> str:
    """Return the text of a statement, named by its folder and file: ``ledger/select_due``. Rules in it are written out."""
    return expand_rules((_PACKAGE / f"{name}.sql").read_text(encoding="utf-8").strip())


@lru_cache
def load_view(name: str) -> str:
    """Return the text of a view of BI, ``sql/views/<name>.sql``. The wheel holds a copy; a checkout has it beside the package."""
    packaged = _PACKAGE / "lakehouse" / "views" / f"{name}.sql"
    file = packaged if packaged.is_file() else _PACKAGE.parents[1] / "sql" / "views" / f"{name}.sql"
    return file.read_text(encoding="utf-8").strip()


def has_statement(name: str) -> bool:
    """Say whether there is a statement of this name."""
    return (_PACKAGE / f"{name}.sql").is_file()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A condition that several statements share: a file ``<name>.rule.sql`` whose first line is ``-- name(one, other): what it says``."""

    name: str
    parameters: tuple[str, ...]
    condition: str

    def call(self, arguments: Sequence[str]) -> str:
        """Return the condition about the given rows, in parentheses, on one line."""
        spelled = dict(zip(self.parameters, arguments, strict=True))
        words = re.compile(rf"(?<!\.)\b({'|'.join(self.parameters)})\b")
        return f"({words.sub(lambda match: spelled[match[1]], self.condition)})"


@lru_cache
def rules() -> tuple[Rule, ...]:
    """Return the rules of the package."""
    return tuple(_parse_rule(file.read_text(encoding="utf-8")) for file in sorted(_PACKAGE.rglob("*.rule.sql")))


def _parse_rule(text: str) -> Rule:
    head = re.match(r"-- (?P<name>\w+)\((?P<parameters>[\w, ]+)\): ", text)
    if head is None:
        raise ValueError("a rule begins with -- name(one, other): what it says")
    lines = [line.strip() for line in text.splitlines() if not line.startswith("--")]
    return Rule(
        name=head["name"], parameters=tuple(head["parameters"].split(", ")), condition=" ".join(filter(None, lines))
    )


def expand_rules(text: str) -> str:
    """Return a statement in which each rule, such as ``is_reopened(l, w)``, is written out, also a rule inside a rule."""
    by_name = {rule.name: rule for rule in rules()}
    call = re.compile(rf"\b({'|'.join(by_name)})\((\w+(?:, \w+)*)\)")
    expanded = call.sub(lambda match: by_name[match[1]].call(match[2].split(", ")), text)
    return expanded if expanded == text else expand_rules(expanded)


@lru_cache
def declarations() -> dict[str, str]:
    """Return the name of each of our tables, with its declaration as `load_statement` takes it. A folder with a `table.sql` is a table."""
    files = sorted([*_PACKAGE.glob("*/table.sql"), *_PACKAGE.glob("datasets/**/table.sql")])
    names = [file.relative_to(_PACKAGE).with_suffix("").as_posix() for file in files]
    return {_DECLARED.search(load_statement(name))[1]: name for name in names}  # type: ignore[index]  # each has one, or is no SQL


def our_tables() -> tuple[str, ...]:
    """Return the names of our tables."""
    return tuple(declarations())
