"""The lake of the statement tests on Apache Spark: our tables are those the engine creates there, system tables are folders."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql import SparkSession
from tests.sql.statements import lake
from tests.sql.statements.lake import Lake, Row

from genie_obs.config import EngineSettings
from genie_obs.lakehouse.engines.cluster import ClusterEngine
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.statements import our_tables
from genie_obs.lakehouse.tables import Tables

SYSTEM_TABLES = ("access/audit", "access/workspaces_latest", "query/history")
CATALOG = "spark_catalog"


def spark_settings(server: str, schema: str) -> EngineSettings:
    """Return settings for a server without Unity Catalog: its one catalog holds system and own tables."""
    return EngineSettings(engine=server, catalog=CATALOG, schema=schema, system_catalog=CATALOG)


def register_folder(spark: SparkSession, schema: str, name: str, folder: Path) -> None:
    """Let `schema.name` be the Delta table in a folder, in place of the one it was."""
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{schema}").collect()
    spark.sql(f"DROP TABLE IF EXISTS {CATALOG}.{schema}.{name}").collect()
    spark.sql(f"CREATE TABLE {CATALOG}.{schema}.{name} USING DELTA LOCATION '{folder}'").collect()


def register_system_tables(spark: SparkSession, system: Path) -> None:
    """Let the system tables be those in a lakehouse's `system` folder, for every session of the server."""
    for name in SYSTEM_TABLES:
        schema, _, bare_name = name.partition("/")
        register_folder(spark, schema, bare_name, system / name)


class SparkLake(Lake):
    """Tables with liquid clustering and deletion vectors, which `deltalake` cannot write, are filled and read through Spark."""

    def __init__(self, root: Path, server: str, schema: str) -> None:
        self._root = root
        for name, arrow_schema in lake._SYSTEM_TABLES.items():
            partitions = ["event_date"] if name == "access/audit" else None
            write_deltalake(self._folder(name), arrow_schema.empty_table(), partition_by=partitions)
        self._engine = ClusterEngine(spark_settings(server, schema))
        register_system_tables(self._engine.spark, root / "system")
        self.tables = Tables(self._engine)
        self.tables.create()
        warehouse = self._engine.spark.conf.get("spark.sql.warehouse.dir") or ""
        self._warehouse = Path(urlsplit(warehouse).path) / f"{schema}.db"
        self._empty = {name: self.version(name) for name in (*our_tables(), *SYSTEM_TABLES)}

    def fill(self, name: str, *rows: Row) -> None:
        if name not in our_tables():
            super().fill(name, *rows)
            return
        full_name = self._engine.names.table(name)
        self._engine.spark.sql(f"DELETE FROM {full_name}").collect()  # noqa: S608  # a validated name
        if rows:
            filling = self._engine.spark.createDataFrame(pa.Table.from_pylist(list(rows), table(name).arrow_schema()))
            self._engine.spark.sql(f"INSERT INTO {full_name} SELECT * FROM {{filling}}", filling=filling).collect()  # noqa: S608

    def read(self, name: str) -> list[Row]:
        rows: list[Row] = self._engine.spark.table(self._engine.names.table(name)).toArrow().to_pylist()
        return sorted(
            rows, key=lambda row: tuple(str(row.get(column)) for column in (*lake._KEY, "space_id", "run_id"))
        )

    def version(self, name: str) -> int:
        if name not in our_tables():
            return super().version(name)
        return max(int(commit.stem) for commit in (self._warehouse / name / "_delta_log").glob("*[0-9].json"))
