"""What the made-up company does: its tables, measures and spaces, read from `domains.json`."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of a fact table. `typical` is about its value for one month."""

    name: str
    expression: str
    alias: str
    typical: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A column to group or filter by, with the JOIN that it needs."""

    name: str
    plural: str
    column: str
    values: tuple[str, ...]
    join: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact table (three-part name, alias `f` in SQL)."""

    table: str
    date_column: str
    metrics: tuple[Metric, ...]
    dimensions: tuple[Dimension, ...]

    @property
    def tables(self) -> list[str]:
        """All tables that questions on this fact can touch."""
        joined = (dimension.join.split()[1] for dimension in self.dimensions if dimension.join)
        return list(dict.fromkeys([self.table, *joined]))


@dataclass(frozen=True, slots=True)
class SpaceTemplate:
    """The title and the description of a space, and the number of its fact table in the domain."""

    title: str
    description: str
    fact: int


@dataclass(frozen=True, slots=True)
class Domain:
    """One department's data."""

    key: str
    facts: tuple[Fact, ...]
    spaces: tuple[SpaceTemplate, ...]
    definitions: tuple[tuple[str, str], ...] = field(default=())
    unavailable: tuple[str, ...] = field(default=())


@lru_cache(maxsize=1)
def load_domains() -> tuple[Domain, ...]:
    """Return every domain, in a fixed order."""
    raw = json.loads(files(__package__).joinpath("domains.json").read_text(encoding="utf-8"))
    return tuple(_domain(item) for item in raw)


def _domain(raw: dict[str, Any]) -> Domain:
    return Domain(
        key=raw["key"],
        facts=tuple(_fact(item) for item in raw["facts"]),
        spaces=tuple(SpaceTemplate(**item) for item in raw["spaces"]),
        definitions=tuple((term, meaning) for term, meaning in raw["definitions"]),
        unavailable=tuple(raw["unavailable"]),
    )


def _fact(raw: dict[str, Any]) -> Fact:
    return Fact(
        table=raw["table"],
        date_column=raw["date_column"],
        metrics=tuple(Metric(**item) for item in raw["metrics"]),
        dimensions=tuple(Dimension(**{**item, "values": tuple(item["values"])}) for item in raw["dimensions"]),
    )
