"""The engine of a Databricks job, or of any Spark Connect server with Delta.

Its commands are one line each and take no parameters: names in them are quoted by `Names`, the rest comes from declarations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from genie_obs.config import EngineSettings
from genie_obs.errors import EngineError
from genie_obs.lakehouse.engines.session import abandoned_on_error, ambient_session, connect, is_on_databricks
from genie_obs.lakehouse.errors import first_line
from genie_obs.lakehouse.schema import STATISTICS_PROPERTY
from genie_obs.lakehouse.sql import Names

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from genie_obs.lakehouse.schema import Column, Table

_LOOPBACK_SERVER = re.compile(r"sc://(localhost|127\.0\.0\.1|\[::1\])(:|/|$)")
_FILE_RETENTION = "delta.deletedFileRetentionDuration"


class ClusterEngine:
    """The session of a Databricks job, or any Spark Connect server with Delta."""

    def __init__(self, settings: EngineSettings) -> None:
        self.kind = "databricks" if settings.engine == "databricks" else "connect"
        self.is_loopback = bool(_LOOPBACK_SERVER.match(settings.engine))
        self.names = Names(catalog=settings.catalog, schema=settings.schema, system_catalog=settings.system_catalog)
        if self.kind == "databricks":
            self.spark = ambient_session()
            self.binds_parameters = _binds_parameters(self.spark)
        else:
            self.spark = connect(settings.engine)
            with abandoned_on_error(self.spark):
                self.binds_parameters = _binds_parameters(self.spark)

    def layout_clause(self, table: Table) -> str:
        """Return liquid clustering and deletion vectors; never together with partitions."""
        properties = f"'delta.enableDeletionVectors' = 'true', '{STATISTICS_PROPERTY}' = '{','.join(table.statistics)}'"
        return f"CLUSTER BY ({', '.join(table.cluster_by)})\nTBLPROPERTIES ({properties})"

    def add_columns(self, table: Table, columns: Sequence[Column]) -> None:
        """Add columns with their comments."""
        listed = ", ".join(f"{c.name} {c.sql_type} COMMENT '{c.comment}'" for c in columns)
        self.spark.sql(f"ALTER TABLE {self.names.table(table.name)} ADD COLUMNS ({listed})").collect()

    def set_statistics(self, table: Table) -> None:
        """Set the property that names the columns, unless it is set."""
        wanted = ",".join(table.statistics)
        if self._properties(table).get(STATISTICS_PROPERTY) != wanted:
            self._alter(table, f"SET TBLPROPERTIES ('{STATISTICS_PROPERTY}' = '{wanted}')")

    def version(self, table: Table) -> int:
        """Return the version of a table."""
        [row] = self.spark.sql(f"DESCRIBE HISTORY {self.names.table(table.name)} LIMIT 1").collect()
        return int(row["version"])

    def purge(self, table: Table) -> None:
        """Rewrite files in which deletion vectors mark rows as removed, because the rows themselves are still in them."""
        self.spark.sql(f"REORG TABLE {self.names.table(table.name)} APPLY (PURGE)").collect()

    def vacuum(self, table: Table) -> None:
        """Remove old files at once. A property of the table says how long they are kept, and serverless compute has no other way."""
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
        """Do nothing: on Databricks, predictive optimization does it. Elsewhere it is the task of the server's owner."""

    def refresh(self) -> None:
        """Do nothing: the catalog of the server is shared."""

    def close(self) -> None:
        """Stop the session, except on Databricks, where it belongs to the job or notebook."""
        if self.kind == "connect" or not is_on_databricks():
            self.spark.stop()

    def _properties(self, table: Table) -> dict[str, str]:
        rows = self.spark.sql(f"SHOW TBLPROPERTIES {self.names.table(table.name)}").collect()
        return {row["key"]: row["value"] for row in rows}

    def _alter(self, table: Table, what: str) -> None:
        self.spark.sql(f"ALTER TABLE {self.names.table(table.name)} {what}").collect()


def _binds_parameters(session: SparkSession) -> bool:
    """Say whether the server binds :parameters. With Delta's SQL extension, Spark 4.1 and 4.2 ignore them.

    Seen with delta-spark 4.4.0 on Spark 4.2.0: its parser inherits parsePlanWithParameters, which drops the values.
    """
    try:
        return bool(session.sql("SELECT :probe AS probe", args={"probe": 1}).collect())
    except Exception as error:
        if "UNBOUND_SQL_PARAMETER" in str(error):
            return False
        raise EngineError(f"Asking the Spark server failed: {first_line(error)}", "Check that it is up.") from error
