"""Checks that the target schema can be written, in a scratch table that is removed afterwards. Our tables stay as they are."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genie_obs.doctor.grants import new_schema_fix
from genie_obs.doctor.report import Check, fail, ok
from genie_obs.errors import EngineError
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.errors import engine_errors
from genie_obs.lakehouse.schema import tables as declared_tables
from genie_obs.lakehouse.tables import Tables

_NAME = "target schema"
_SCRATCH_PREFIX = "genie_obs_doctor_"


def check_target(engine: Engine, lakehouse: Path) -> Check:
    """Write, change and remove rows as the job does; no table, schema or folder is left behind.

    On a cluster, a DELETE of no row in each of our tables shows that they may be changed. Where all of them exist, the job creates
    no table, so that is not tried.
    """
    where = f"{engine.names.catalog}.{engine.names.schema}"
    try:
        with engine_errors():
            if engine.kind != "local" and _may_change_all_tables(engine):
                return ok(_NAME, f"{where}: all our tables may be changed")
            with _scratch_place(engine, lakehouse) as (schema, folder):
                _prove(engine, schema, folder)
            locked = None if folder is None else _locked_folder(folder.parent)
    except EngineError as error:
        return fail(_NAME, f"{where} cannot be written: {error.problem}", fix=_fix(engine, lakehouse))
    if locked:
        return fail(_NAME, f"{where}: {locked} is read-only", fix=f"chmod -R u+w {locked.parent.parent}")
    return ok(_NAME, f"{where}: a scratch table was created, filled, emptied and dropped")


def _may_change_all_tables(engine: Engine) -> bool:
    """Prove that each of our tables that exists may be changed; return whether all of them exist."""
    on = Tables(engine)
    existing = [table for table in declared_tables() if on.has_table(table.name)]
    for table in existing:
        # Of no row: the privilege is checked, no file is read and no version is made.
        _run(engine, f"DELETE FROM {engine.names.table(table.name)} WHERE FALSE")  # noqa: S608  # validated name
    return len(existing) == len(declared_tables())


def _prove(engine: Engine, schema: str, folder: Path | None) -> None:
    scratch = f"{schema}.`{_SCRATCH_PREFIX}{uuid.uuid4().hex[:12]}`"
    location = ""
    if folder is not None:
        escaped = str(folder).replace("'", "\\'")
        location = f" LOCATION '{escaped}'"
    _run(engine, f"CREATE TABLE {scratch} (probe INT) USING DELTA{location}")
    try:
        _run(engine, f"INSERT INTO {scratch} VALUES (1)")  # noqa: S608  # a name made here
        _run(engine, f"DELETE FROM {scratch} WHERE probe = 1")  # noqa: S608  # a name made here
    finally:
        _run(engine, f"DROP TABLE {scratch}")


@contextmanager
def _scratch_place(engine: Engine, lakehouse: Path) -> Iterator[tuple[str, Path | None]]:
    """Yield the target schema and, for the local engine, a folder for the scratch table. What was made for it is removed."""
    names = engine.names
    schema = names.table("probe").rpartition(".")[0]
    if engine.kind == "local":
        with _scratch_folder(lakehouse.resolve() / names.catalog / names.schema) as folder:
            _run(engine, f"CREATE SCHEMA IF NOT EXISTS {schema}")
            yield schema, folder
        return
    is_new = not engine.spark.catalog.databaseExists(schema)
    if is_new:
        _run(engine, f"CREATE SCHEMA {schema}")
    try:
        yield schema, None
    finally:
        if is_new:
            # Without CASCADE: whatever appeared in it meanwhile is not ours to drop.
            _run(engine, f"DROP SCHEMA {schema}")


@contextmanager
def _scratch_folder(schema_folder: Path) -> Iterator[Path]:
    """Yield the name of a folder in the schema's folder. It is removed, and those of its parents that were not there before."""
    made = [folder for folder in (schema_folder, schema_folder.parent) if not folder.exists()]
    folder = schema_folder / f"{_SCRATCH_PREFIX}{uuid.uuid4().hex[:12]}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            with suppress(OSError):  # not there, or not empty because someone else writes
                parent.rmdir()


def _locked_folder(schema_folder: Path) -> Path | None:
    """Return the log folder of a table of ours that may not be written, although the schema's folder may."""
    logs = (schema_folder / table.name / "_delta_log" for table in declared_tables())
    return next((log for log in logs if log.is_dir() and not os.access(log, os.W_OK)), None)


def _run(engine: Engine, command: str) -> None:
    """Run a command that only names a schema or a table, validated or made here.

    Commands take no parameters, so names are part of their text; each is one line, which says more here than in a file.
    """
    engine.spark.sql(command).collect()


def _fix(engine: Engine, lakehouse: Path) -> str:
    if engine.kind == "local":
        return f"make {lakehouse / engine.names.catalog / engine.names.schema} a folder you may write, or name another --lakehouse"
    return new_schema_fix(engine)
