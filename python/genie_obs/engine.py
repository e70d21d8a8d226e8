"""Table engines: where a Spark session comes from and how it finds tables.

Only this module opens Spark sessions, and only inside functions: on Databricks the runtime brings pyspark, off Databricks
it is the extra ``local``.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from genie_obs import __version__
from genie_obs.errors import ConfigError, EngineError, clean_text
from genie_obs.process import share_one_heap
from genie_obs.secret import Secret
from genie_obs.sql import Names

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyspark.sql import SparkSession

    from genie_obs.schema import Column, Table

logger = logging.getLogger(__name__)

# Sail keeps the catalog name `system` for itself, so the simulated system tables are registered under another one.
LOCAL_SYSTEM_CATALOG = "databricks_system"
_FIRST_SYSTEM_SCHEMA = "access"
_LOOPBACK_SERVER = re.compile(r"sc://(localhost|127\.0\.0\.1|\[::1\])(:|/|$)")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
# What may stand in an error of the Databricks SDK or of a Spark client, which name the settings they were given.
_SECRET_VARIABLE = re.compile(r"TOKEN|SECRET|PASSWORD|SPARK_REMOTE")
_MAX_REASON_CHARACTERS = 400
EXTRA_FILES_AT_MOST = 100  # beyond one a partition; an hourly run reaches it in some four days
_STATISTICS = "delta.dataSkippingStatsColumns"
_FILE_RETENTION = "delta.deletedFileRetentionDuration"
_LOG_RETENTION, _LOG_RETENTION_DEFAULT = "delta.logRetentionDuration", "interval 30 days"
_SQL_TO_DELTA = {"STRING": "string", "BIGINT": "long", "INT": "integer", "DOUBLE": "double", "BOOLEAN": "boolean"}
_SQL_TO_DELTA |= {"DATE": "date", "TIMESTAMP": "timestamp"}


class Engine(Protocol):
    """A Spark session and what differs between engines: names, table layout, changing a table, removing what is old."""

    kind: str
    is_loopback: bool  # everything runs on this machine: workspaces may be simulated ones, over plain http
    binds_parameters: bool  # whether queries may carry :parameters to the server
    spark: SparkSession
    names: Names

    def layout_clause(self, table: Table) -> str:
        """Return what follows the declared part of CREATE TABLE."""

    def add_columns(self, table: Table, columns: Sequence[Column]) -> None:
        """Add columns to an existing table."""

    def set_statistics(self, table: Table) -> None:
        """Let Delta keep least and greatest values of the declared columns only, from now on: its log would quote texts else."""

    def version(self, table: Table) -> int:
        """Return the version of a table."""

    def purge(self, table: Table) -> None:
        """Write files anew in which rows are only marked as removed, so that no file of the newest version holds them."""

    def vacuum(self, table: Table) -> None:
        """Remove every file that only older versions need, now. Who reads an older version meanwhile fails."""

    def compact(self, table: Table) -> None:
        """Join small files where there are many, unless the platform does so by itself."""

    def refresh(self) -> None:
        """Make tables visible that others created since this session started."""

    def close(self) -> None:
        """Release the session and what was started for it."""


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Where tables are."""

    engine: str = "local"  # local, databricks, or sc://host:port
    lakehouse: Path = Path("lakehouse")  # local engine: the folder of Delta folders
    catalog: str = "main"
    schema: str = "genie_analytics"
    system_catalog: str = "system"  # only for Spark servers without Unity Catalog


def open_engine(settings: EngineSettings) -> Engine:
    """Open the engine the settings ask for.

    Raises:
        ConfigError: if the lakehouse folder is none, or the packages of the engine are not installed.
        EngineError: if the session cannot be opened.
    """
    if settings.engine == "local":
        return LocalEngine(settings)
    return ClusterEngine(settings)


class LocalEngine:
    """Sail, a Spark Connect server inside this process, over Delta folders ``<lakehouse>/<catalog>/<schema>/<table>``."""

    kind = "local"
    is_loopback = True
    binds_parameters = True

    def __init__(self, settings: EngineSettings) -> None:
        self._root = _checked_lakehouse(settings.lakehouse)
        self._alias: tempfile.TemporaryDirectory[str] | None = None
        if not _PLAIN_PATH.fullmatch(str(self._root)):
            # Sail writes to the percent-encoded path when it has blanks or accents, and then does not find it again.
            self._alias = tempfile.TemporaryDirectory(prefix="genie-obs-")
            (Path(self._alias.name) / "lakehouse").symlink_to(self._root, target_is_directory=True)
            self._root = Path(self._alias.name) / "lakehouse"
        self.names = Names(catalog=settings.catalog, schema=settings.schema, system_catalog=LOCAL_SYSTEM_CATALOG)
        self._registered: set[str] = set()
        # Sail makes the first schema of each catalog as it starts.
        self._schemas = {
            self.names.table("x").rpartition(".")[0],
            self.names.system_table(f"{_FIRST_SYSTEM_SCHEMA}.x").rpartition(".")[0],
        }
        self._server = _start_sail(self.names)
        host, port = self._server.listening_address
        self.spark = _connect(f"sc://{host}:{port}")
        self.refresh()

    def layout_clause(self, table: Table) -> str:
        """Return PARTITIONED BY and LOCATION: Sail has no liquid clustering, and its catalog lives in memory only."""
        location = str(self._our_folder(table)).replace("'", "\\'")
        partitioning = f"PARTITIONED BY ({', '.join(table.partition_by)})\n" if table.partition_by else ""
        return f"{partitioning}LOCATION '{location}'\nTBLPROPERTIES ('{_STATISTICS}' = '{','.join(table.statistics)}')"

    def add_columns(self, table: Table, columns: Sequence[Column]) -> None:
        """Add columns through the Delta log, since Sail has no ALTER TABLE, and register the table anew."""
        from deltalake import Field

        self._delta(table).alter.add_columns(
            [Field(c.name, _delta_type(c.sql_type), metadata={"comment": c.comment}) for c in columns]
        )
        self.spark.sql(f"DROP TABLE {self.names.table(table.name)}").collect()
        self._registered.discard(self.names.table(table.name))
        self.refresh()

    def set_statistics(self, table: Table) -> None:
        """Set the property that names the columns, unless it is set."""
        wanted = ",".join(table.statistics)
        if self._delta(table).metadata().configuration.get(_STATISTICS) != wanted:
            self._delta(table).alter.set_table_properties({_STATISTICS: wanted})

    def version(self, table: Table) -> int:
        """Return the version of a table."""
        return int(self._delta(table).version())

    def purge(self, table: Table) -> None:
        """Do nothing: Sail writes every file anew from which it removes a row."""

    def vacuum(self, table: Table) -> None:
        """Remove old files, and old commits, in which statistics of tables made by earlier versions quote texts."""
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
        """Join the files of each partition once they are many, and remove those that no version of the last week needs.

        Every run adds a file to each partition it touches, and Sail joins none.
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
        """Stop the session and the server."""
        self.spark.stop()
        self._server.stop()
        if self._alias is not None:
            self._alias.cleanup()

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


class ClusterEngine:
    """The session of a Databricks job, or any Spark Connect server with Delta."""

    def __init__(self, settings: EngineSettings) -> None:
        self.kind = "databricks" if settings.engine == "databricks" else "connect"
        self.is_loopback = bool(_LOOPBACK_SERVER.match(settings.engine))
        self.names = Names(catalog=settings.catalog, schema=settings.schema, system_catalog=settings.system_catalog)
        self.spark = _ambient_session() if self.kind == "databricks" else _connect(settings.engine)
        self.binds_parameters = _binds_parameters(self.spark)

    def layout_clause(self, table: Table) -> str:
        """Return liquid clustering and deletion vectors; never together with partitions."""
        properties = f"'delta.enableDeletionVectors' = 'true', '{_STATISTICS}' = '{','.join(table.statistics)}'"
        return f"CLUSTER BY ({', '.join(table.cluster_by)})\nTBLPROPERTIES ({properties})"

    def add_columns(self, table: Table, columns: Sequence[Column]) -> None:
        """Add columns with their comments."""
        listed = ", ".join(f"{c.name} {c.sql_type} COMMENT '{c.comment}'" for c in columns)
        self.spark.sql(f"ALTER TABLE {self.names.table(table.name)} ADD COLUMNS ({listed})").collect()

    def set_statistics(self, table: Table) -> None:
        """Set the property that names the columns, unless it is set."""
        wanted = ",".join(table.statistics)
        if self._properties(table).get(_STATISTICS) != wanted:
            self._alter(table, f"SET TBLPROPERTIES ('{_STATISTICS}' = '{wanted}')")

    def version(self, table: Table) -> int:
        """Return the version of a table."""
        [row] = self.spark.sql(f"DESCRIBE HISTORY {self.names.table(table.name)} LIMIT 1").collect()
        return int(row["version"])

    def purge(self, table: Table) -> None:
        """Write files anew whose deletion vectors mark rows as removed: the rows themselves are still in them."""
        self.spark.sql(f"REORG TABLE {self.names.table(table.name)} APPLY (PURGE)").collect()

    def vacuum(self, table: Table) -> None:
        """Remove old files. How long they are kept is a property of the table, since serverless compute has no setting to go below it."""
        before = self._properties(table).get(_FILE_RETENTION)
        self._alter(table, f"SET TBLPROPERTIES ('{_FILE_RETENTION}' = 'interval 0 seconds')")
        try:
            self.spark.sql(f"VACUUM {self.names.table(table.name)}").collect()
        finally:
            undo = (
                f"SET TBLPROPERTIES ('{_FILE_RETENTION}' = '{before}')"
                if before
                else f"UNSET TBLPROPERTIES ('{_FILE_RETENTION}')"
            )
            self._alter(table, undo)

    def compact(self, table: Table) -> None:
        """Do nothing: on Databricks predictive optimization does, elsewhere whoever runs the server."""

    def refresh(self) -> None:
        """Do nothing: the catalog of the server is shared."""

    def close(self) -> None:
        """Leave the session alone on Databricks, where it belongs to the job or notebook; release it elsewhere."""
        if self.kind == "connect" or not _is_on_databricks():
            self.spark.stop()

    def _properties(self, table: Table) -> dict[str, str]:
        rows = self.spark.sql(f"SHOW TBLPROPERTIES {self.names.table(table.name)}").collect()
        return {row["key"]: row["value"] for row in rows}

    def _alter(self, table: Table, what: str) -> None:
        self.spark.sql(f"ALTER TABLE {self.names.table(table.name)} {what}").collect()


def _checked_lakehouse(folder: Path) -> Path:
    system = folder / "system"
    if not folder.is_dir() or not system.is_dir():
        what = "does not exist" if not folder.exists() else "has no 'system' folder"
        raise ConfigError(
            f"--lakehouse {folder}: not a lakehouse folder, it {what}. "
            "Name a folder that holds system/access/audit, or make one with 'genie-obs simulate' or 'genie-obs demo'."
        )
    return folder.resolve()


def _start_sail(names: Names) -> Any:
    import pyarrow as pa

    try:
        # Sail and Arrow allocate with mimalloc, which gives back what is free only by and by: a run would hold a third more memory
        # than it uses. Sail's reads its settings when it is loaded; Arrow's was loaded long before, so Arrow takes another.
        pa.set_memory_pool(pa.system_memory_pool())
        share_one_heap()
        with _environment(MIMALLOC_PURGE_DELAY=os.environ.get("MIMALLOC_PURGE_DELAY", "0")):
            from pysail.spark import SparkConnectServer
    except ImportError as error:
        raise ConfigError(
            "--engine local needs packages that are not installed. Install them with: pip install 'genie-obs[local]'"
        ) from error
    catalogs = ", ".join(
        f'{{name="{name}", type="memory", initial_database=["{schema}"]}}'
        for name, schema in ((names.catalog, names.schema), (names.system_catalog, _FIRST_SYSTEM_SCHEMA))
    )
    # Sail reads its settings from the environment when the server starts, and only from there.
    with _environment(SAIL_CATALOG__LIST=f"[{catalogs}]", SAIL_CATALOG__DEFAULT_CATALOG=names.catalog, RUST_LOG="off"):
        server = SparkConnectServer("127.0.0.1", 0)
        server.start(background=True)
    return server


class _environment:  # noqa: N801  # a context manager reads as a verb
    """Set environment variables for a block and put the old ones back."""

    def __init__(self, **values: str) -> None:
        self._values = values
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._values}
        os.environ.update(self._values)

    def __exit__(self, *exc: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _connect(url: str) -> SparkSession:
    shown = url.partition(";")[0]  # what follows may be a token
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigError(
            f"--engine {shown} needs a Spark Connect client. Install it with: pip install 'genie-obs[local]'"
        ) from error
    _keep_values_out_of_logs()
    try:
        # create, not getOrCreate: a process may hold several engines, each with its own server.
        session = SparkSession.builder.remote(url).create()
        session.conf.set("spark.sql.session.timeZone", "UTC")
    except Exception as error:  # noqa: BLE001  # whatever it is, its text may repeat the token of the address
        # The type only, and no cause: pyspark's text repeats the whole address.
        raise EngineError(
            f"Opening a Spark session at {shown} failed ({type(error).__name__}). Check that the server is up."
        ) from None
    return session


def _binds_parameters(session: SparkSession) -> bool:
    """Say whether the server binds :parameters: with Delta's SQL extension, Spark 4.1 and 4.2 ignore them.

    Seen with delta-spark 4.4.0 on Spark 4.2.0: its parser inherits parsePlanWithParameters, which drops the values.
    """
    try:
        return bool(session.sql("SELECT :probe AS probe", args={"probe": 1}).collect())
    except Exception as error:
        if "UNBOUND_SQL_PARAMETER" in str(error):
            return False
        raise EngineError(f"Asking the Spark server failed: {str(error).splitlines()[0][:300]}") from error


def _keep_values_out_of_logs() -> None:
    # pyspark and Databricks Connect log failed statements, values included, to stderr by themselves.
    logging.getLogger("SQLQueryContextLogger").disabled = True


def _is_on_databricks() -> bool:
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def _ambient_session() -> SparkSession:
    _keep_values_out_of_logs()
    try:
        session = _runtime_session() if _is_on_databricks() else _remote_session()
        session.conf.set("spark.sql.session.timeZone", "UTC")
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001  # the SDK, gRPC and Databricks Connect raise what they like
        hidden = [Secret(value) for name, value in os.environ.items() if _SECRET_VARIABLE.search(name)]
        reason = clean_text(error, limit=_MAX_REASON_CHARACTERS, hidden=hidden)
        raise EngineError(
            f"--engine databricks: no Spark session here. {type(error).__name__}: {reason}\n"
            "Run this as a Databricks job, sign in as docs/connect.md says, or use --engine local."
        ) from None
    return session


def _runtime_session() -> SparkSession:
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def _remote_session() -> SparkSession:
    """Open a session on a workspace's compute from outside, through Databricks Connect.

    Workspace, sign-in and compute are what the Databricks SDK finds in variables and profile; serverless where no compute is named.
    """
    try:
        from databricks.connect import DatabricksSession
    except ImportError as error:
        raise ConfigError(
            "--engine databricks outside Databricks needs Databricks Connect and Python 3.12. "
            "Install both with: pip install 'genie-obs[connect]'"
        ) from error
    from databricks.sdk.core import Config

    builder = DatabricksSession.builder.userAgent(f"genie-obs/{__version__}")
    if "SPARK_REMOTE" not in os.environ:
        found = Config()
        if not found.cluster_id and not found.serverless_compute_id:
            builder = builder.serverless()
    session: SparkSession = builder.getOrCreate()
    return session


def _delta_type(sql_type: str) -> Any:
    from deltalake.schema import ArrayType, PrimitiveType

    if sql_type.startswith("ARRAY<"):
        return ArrayType(PrimitiveType(_SQL_TO_DELTA[sql_type[6:-1]]), contains_null=True)
    return PrimitiveType(_SQL_TO_DELTA[sql_type])
