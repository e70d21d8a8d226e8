"""Counts what Databricks sends and this version does not know. It never contains a user's text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_KINDS = 100  # a service that sends a new word each time must not fill the memory, or a row of `ingestion_runs`
OTHER = "more kinds of drift than can be listed"
_WORD = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def describe_unknown(name: str, value: str) -> str:
    """Return the line for an unknown enumerated value.

    A value of another form is not quoted: it may be a person's words.
    """
    return f"{name}: unknown value {value}" if _WORD.fullmatch(value) else f"{name}: unknown value of another form"


def json_type(value: object) -> str:
    """Name a value's JSON type."""
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "number", float: "number", list: "list", dict: "object", type(None): "null"}
    return names.get(type(value), "something else")


@dataclass(frozen=True, kw_only=True)
class DriftKind:
    """One kind of drift: an element of `ingestion_runs.drift_kinds`."""

    what: str
    count: int

    def __str__(self) -> str:
        return f"{self.what} ({self.count} {'time' if self.count == 1 else 'times'})"


@dataclass
class DriftCounter:
    """Counts each kind of drift, at most MAX_KINDS of them; the rest is counted together."""

    _counts: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, count: int = 1) -> None:
        """Count something that was seen `count` times."""
        is_listed = what in self._counts or len(self._counts) < MAX_KINDS
        self._counts[what if is_listed else OTHER] += count

    def add_all(self, lines: Iterable[str]) -> None:
        """Count each line once."""
        for line in lines:
            self.add(line)

    def merge(self, other: DriftCounter) -> None:
        """Add what another counter has."""
        for what, count in other._counts.items():
            self.add(what, count)

    def kinds(self) -> list[DriftKind]:
        """Return each kind and how often it was seen, in alphabetical order."""
        return [DriftKind(what=what, count=count) for what, count in sorted(self._counts.items())]

    def lines(self) -> list[str]:
        """Return one line per kind, in alphabetical order: ``status: unknown value PAUSED (3 times)``."""
        return [str(kind) for kind in self.kinds()]
