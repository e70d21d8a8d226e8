"""The local engine: Sail, a Spark Connect server inside this process, over Delta folders.

Its commands are one line each and take no parameters: names in them are quoted by `Names`, and paths are escaped.
"""

from __future__ import annotations

import atexit
import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from genie_obs.config import EngineSettings
from genie_obs.errors import ConfigError
from genie_obs.lakehouse.engines.sail import FIRST_SYSTEM_SCHEMA, SailServer
from genie_obs.lakehouse.engines.session import connect
from genie_obs.lakehouse.schema import STATISTICS_PROPERTY
from genie_obs.lakehouse.sql import Names

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from genie_obs.lakehouse.schema import Column, Table

# Sail keeps the catalog name `system` for itself, so the simulated system tables are registered under another one.
LOCAL_SYSTEM_CATALOG = "databricks_system"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
EXTRA_FILES_AT_MOST = 100  # beyond one file for each partition; hourly runs reach it in about four days
_LOG_RETENTION, _LOG_RETENTION_DEFAULT = "delta.logRetentionDuration", "interval 30 days"


class LocalEngine:
    """Sail, a Spark Connect server inside this process, over Delta folders ``<lakehouse>/<catalog>/<schema>/<table>``."""

    kind = "local"
    is_loopback = True
    binds_parameters = True

    def __init__(self, settings: EngineSettings) -> None:
        self.names = Names(catalog=settings.catalog, schema=settings.schema, system_catalog=LOCAL_SYSTEM_CATALOG)
        self._registered: set[str] = set()
        # Sail makes the first schema of each catalog as it starts.
        self._schemas = {
            self.names.table("x").rpartition(".")[0],
            self.names.system_table(f"{FIRST_SYSTEM_SCHEMA}.x").rpartition(".")[0],
        }
        with ExitStack() as opened:
            self._root = _plain_path(_checked_lakehouse(settings.lakehouse), opened)
            server = SailServer(self.names)
            opened.callback(server.stop)
            self.spark = connect(server.url)
            opened.callback(self.spark.stop)
            self.refresh()
            self._opened = opened.pop_all()  # nothing failed: it stays open until close()
        # This also keeps the engine and its server alive until it is closed: frames may be used when nothing else holds the engine.
        atexit.register(self._leave)

    def layout_clause(self, table: Table) -> str:
        """Return PARTITIONED BY and LOCATION: Sail has no liquid clustering, and its catalog lives in memory only."""
        location = str(self._our_folder(table)).replace("'", "\\'")
        partitioning = f"PARTITIONED BY ({', '.join(table.partition_by)})\n" if table.partition_by else ""
        return f"{partitioning}LOCATION '{location}'\nTBLPROPERTIES ('{STATISTICS_PROPERTY}' = '{','.join(table.statistics)}')"

    def add_columns(self, table: Table, columns: Sequence[Column]) -> None:
        """Add columns through the Delta log, since Sail has no ALTER TABLE, and register the table anew."""
        from deltalake import Schema

        fields = [pa.field(c.name, c.arrow_type, metadata={"comment": c.comment}) for c in columns]
        self._delta(table).alter.add_columns(list(Schema.from_arrow(pa.schema(fields)).fields))
        self.spark.sql(f"DROP TABLE {self.names.table(table.name)}").collect()
        self._registered.discard(self.names.table(table.name))
        self.refresh()

    def set_statistics(self, table: Table) -> None:
        """Set the property that names the columns, unless it is set."""
        wanted = ",".join(table.statistics)
        if self._delta(table).metadata().configuration.get(STATISTICS_PROPERTY) != wanted:
            self._delta(table).alter.set_table_properties({STATISTICS_PROPERTY: wanted})

    def version(self, table: Table) -> int:
        """Return the version of a table."""
        return int(self._delta(table).version())

    def purge(self, table: Table) -> None:
        """Do nothing: Sail rewrites every file from which it removes a row."""

    def vacuum(self, table: Table) -> None:
        """Remove old files, and old commits too: their statistics may hold texts."""
        self._delta(table).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        before = self._delta(table).metadata().configuration.get(_LOG_RETENTION, _LOG_RETENTION_DEFAULT)
        self._delta(table).alter.set_table_properties({_LOG_RETENTION: "interval 0 seconds"})
        try:
            delta = self._delta(table)
            delta.create_checkpoint()
            delta.cleanup_metadata()
        finally:
            self._delta(table).alter.set_table_properties({_LOG_RETENTION: before})

    def compact(self, table: Table) -> None:
        """Join the files of each partition when there are many. Remove those that no version of the last week needs.

        Every run adds a file to each partition that it writes to, and Sail does not join them by itself.
        """
        delta = self._delta(table)
        if len(delta.file_uris()) - len(delta.partitions()) > EXTRA_FILES_AT_MOST:
            delta.optimize.compact()
            delta.vacuum(dry_run=False)

    def refresh(self) -> None:
        """Register every Delta folder of our schema and of the system catalog that is not registered yet."""
        ours = self._root / self.names.catalog / self.names.schema
        for folder in sorted(ours.glob("*/_delta_log")):
            self._register(self.names.table(folder.parent.name), folder.parent)
        for folder in sorted((self._root / "system").glob("*/*/_delta_log")):
            schema = folder.parent.parent.name
            self._register(self.names.system_table(f"{schema}.{folder.parent.name}"), folder.parent)

    def close(self) -> None:
        """Stop the session and then the server. Safe to repeat."""
        atexit.unregister(self._leave)
        self._opened.close()

    def _leave(self) -> None:
        """Let the process end although nobody closed the engine.

        When a process ends, pyspark calls the server of every session that is still open. It repeats a call without an answer for ten
        minutes. A closed client makes no call. This runs before pyspark's own function, because it was registered after it.
        """
        self.spark.client.close()

    def _delta(self, table: Table) -> DeltaTable:
        from deltalake import DeltaTable

        return DeltaTable(str(self._our_folder(table)))

    def _our_folder(self, table: Table) -> Path:
        return self._folder(self.names.catalog, self.names.schema, table.name)

    def _folder(self, catalog: str, schema: str, table: str) -> Path:
        return self._root / catalog / schema / table

    def _register(self, name: str, folder: Path) -> None:
        if name in self._registered:
            return
        location = str(folder).replace("'", "\\'")
        schema = name.rpartition(".")[0]
        # Commands are done when sql() returns; a collect() would only ask for their empty result.
        if schema not in self._schemas:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            self._schemas.add(schema)
        self.spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION '{location}'")
        self._registered.add(name)


def _checked_lakehouse(folder: Path) -> Path:
    system = folder / "system"
    if not folder.is_dir() or not system.is_dir():
        what = "does not exist" if not folder.exists() else "has no 'system' folder"
        raise ConfigError(
            f"--lakehouse {folder}: not a lakehouse folder, it {what}",
            "Name a folder that holds system/access/audit, or make one with 'genie-obs simulate' or 'genie-obs demo'.",
        )
    return folder.resolve()


def _plain_path(folder: Path, opened: ExitStack) -> Path:
    """Return a path of the folder that Sail can use: the folder itself, or a link to it that `opened` removes.

    If a path has blanks or accents, Sail writes to its percent-encoded form and then does not find it again.
    """
    if _PLAIN_PATH.fullmatch(str(folder)):
        return folder
    link = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="genie-obs-"))) / "lakehouse"
    link.symlink_to(folder, target_is_directory=True)
    return link
