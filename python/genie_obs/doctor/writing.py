"""Proves that the target schema can be written: in a scratch table that is gone afterwards, and without touching ours."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from genie_obs.doctor.report import Check, fail, ok
from genie_obs.doctor.tables import current_principal, first_line
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.schema import tables
from genie_obs.lakehouse.tables import Tables

_NAME = "target schema"
_SCRATCH_PREFIX = "genie_obs_doctor_"


def check_target(engine: Engine, lakehouse: Path) -> Check:
    """Write, change and remove rows as the job does; leaves neither a table, a schema nor a folder behind.

    On a cluster a delete of no row in each of our tables shows that they may be changed; where all of them exist, creating
    tables is not needed and not tried.
    """
    where = f"{engine.names.catalog}.{engine.names.schema}"
    try:
        on = Tables(engine)
        existing = [table for table in tables() if on.has_table(table.name)]
        if engine.kind != "local":
            for table in existing:
                # Of no row: the privilege is checked, no file is read and no version is made.
                engine.spark.sql(f"DELETE FROM {engine.names.table(table.name)} WHERE FALSE").collect()  # noqa: S608  # validated name
            if len(existing) == len(tables()):
                return ok(_NAME, f"{where}: all our tables may be changed")
        with _scratch_place(engine, lakehouse) as (schema, folder):
            _prove(engine, schema, folder)
        if folder is not None and (locked := _locked_folders(folder.parent)):
            return fail(_NAME, f"{where}: {locked} is read-only", fix=f"chmod -R u+w {folder.parent}")
    except Exception as error:  # noqa: BLE001  # engines and file systems raise what they like; here it is a finding
        return fail(_NAME, f"{where} cannot be written: {first_line(error)}", fix=_fix(engine, lakehouse))
    return ok(_NAME, f"{where}: a scratch table was created, filled, emptied and dropped")


def _prove(engine: Engine, schema: str, folder: Path | None) -> None:
    scratch = f"{schema}.`{_SCRATCH_PREFIX}{uuid.uuid4().hex[:12]}`"
    location = ""
    if folder is not None:
        escaped = str(folder).replace("'", "\\'")
        location = f" LOCATION '{escaped}'"
    engine.spark.sql(f"CREATE TABLE {scratch} (probe INT) USING DELTA{location}").collect()
    try:
        engine.spark.sql(f"INSERT INTO {scratch} VALUES (1)").collect()  # noqa: S608  # a name made here
        engine.spark.sql(f"DELETE FROM {scratch} WHERE probe = 1").collect()  # noqa: S608  # a name made here
    finally:
        engine.spark.sql(f"DROP TABLE {scratch}").collect()


@contextmanager
def _scratch_place(engine: Engine, lakehouse: Path) -> Iterator[tuple[str, Path | None]]:
    """Yield the target schema and, for the local engine, a folder for the scratch table; takes away what it made."""
    names = engine.names
    schema = names.table("probe").rpartition(".")[0]
    if engine.kind == "local":
        with _scratch_folder(lakehouse.resolve() / names.catalog / names.schema) as folder:
            engine.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}").collect()
            yield schema, folder
        return
    is_new = not engine.spark.catalog.databaseExists(schema)
    if is_new:
        engine.spark.sql(f"CREATE SCHEMA {schema}").collect()
    try:
        yield schema, None
    finally:
        if is_new:
            # Without CASCADE: whatever appeared in it meanwhile is not ours to drop.
            engine.spark.sql(f"DROP SCHEMA {schema}").collect()


@contextmanager
def _scratch_folder(schema_folder: Path) -> Iterator[Path]:
    """Yield a folder name in the schema's folder; removes it and those parents that were not there before."""
    made = [folder for folder in (schema_folder, schema_folder.parent) if not folder.exists()]
    folder = schema_folder / f"{_SCRATCH_PREFIX}{uuid.uuid4().hex[:12]}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            with suppress(OSError):  # not there, or not empty because someone else writes
                parent.rmdir()


def _locked_folders(schema_folder: Path) -> str | None:
    """Return the log folder of one of our tables that may not be written, though the schema's folder may."""
    logs = (schema_folder / table.name / "_delta_log" for table in tables())
    return next((str(log) for log in logs if log.is_dir() and not os.access(log, os.W_OK)), None)


def _fix(engine: Engine, lakehouse: Path) -> str:
    if engine.kind == "local":
        return f"make {lakehouse / engine.names.catalog / engine.names.schema} a folder you may write, or name another --lakehouse"
    names, who = engine.names, current_principal(engine)
    return (
        f"GRANT USE CATALOG, CREATE SCHEMA ON CATALOG {names.catalog} TO `{who}`; "
        f"where the schema exists: GRANT ALL PRIVILEGES ON SCHEMA {names.catalog}.{names.schema} TO `{who}`"
    )
