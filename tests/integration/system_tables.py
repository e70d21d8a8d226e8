"""System tables as they are not usually: without a column, with other types, gone, or refused by the engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from tests.integration.conftest import World

from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.tables import Tables

Change = Callable[[pa.Table], pa.Table]


def folder_of(world: World, name: str) -> Path:
    """Return the folder of a system table, named as `access.audit`."""
    return world.lakehouse / "system" / name.replace(".", "/")


def change(world: World, name: str, how: Change) -> None:
    """Rewrite a system table with other columns, as another version of Databricks would show it."""
    folder = folder_of(world, name)
    changed = how(DeltaTable(str(folder)).to_pyarrow_table())
    shutil.rmtree(folder)
    write_deltalake(str(folder), changed)


def without(path: str) -> Change:
    """Drop a column, or a field of a struct."""
    column, _, field = path.partition(".")

    def drop(rows: pa.Table) -> pa.Table:
        if not field:
            return rows.drop_columns([column])
        parts = [item.name for item in rows.schema.field(column).type if item.name != field]
        if not parts:
            return rows.drop_columns([column])
        kept = pc.make_struct(*(pc.struct_field(rows[column], part) for part in parts), field_names=parts)
        return rows.set_column(rows.schema.get_field_index(column), column, kept)

    return drop


def retyped(name: str, kind: pa.DataType) -> Change:
    def cast(rows: pa.Table) -> pa.Table:
        return rows.set_column(rows.schema.get_field_index(name), name, rows[name].cast(kind))

    return cast


def as_json(name: str) -> Change:
    def dump(rows: pa.Table) -> pa.Table:
        texts = [None if value is None else json.dumps(_plain(value)) for value in rows[name].to_pylist()]
        return rows.set_column(rows.schema.get_field_index(name), name, pa.array(texts, pa.string()))

    return dump


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, list) else value


def drop(world: World, name: str) -> None:
    """Let a system table be gone."""
    shutil.rmtree(folder_of(world, name))


class RefusingSession:
    """A Spark session that refuses to show a table, or from some statement on to read it."""

    def __init__(self, spark: Any, name: str, said: str, *, shown: bool, answers: int) -> None:
        self._spark = spark
        self._name = name
        self._said = said
        self._is_shown = shown
        self._left = answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spark, name)

    def table(self, name: str) -> Any:
        if not self._is_shown and name.replace("`", "").endswith(self._name):
            raise RuntimeError(self._said)
        return self._spark.table(name)

    def sql(self, text: str, **options: Any) -> Any:
        if f"`.{self._name}" in text:  # behind the catalog; what comments say of it does not count
            self._left -= 1
            if self._left < 0:
                raise RuntimeError(self._said)
        return self._spark.sql(text, **options)


class RefusingEngine:
    """An engine with such a session, which calls itself `databricks`, as only that one has grants."""

    kind = "databricks"

    def __init__(self, engine: Engine, session: RefusingSession) -> None:
        self._engine = engine
        self.spark = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def refusing(name: str, said: str, *, shown: bool = False, answers: int = 0) -> Callable[[Engine], Tables]:
    """Return what opens tables whose engine refuses a system table with an error text.

    Args:
        name: of the table, such as `query.history`.
        said: the text of the error.
        shown: whether its columns can be looked at all the same.
        answers: how many statements that read it are answered before.
    """

    def wrap(engine: Engine) -> Tables:
        session = RefusingSession(engine.spark, name, said, shown=shown, answers=answers)
        return Tables(cast("Engine", RefusingEngine(engine, session)))

    return wrap
