"""Table engines: a Spark session with what differs between engines. Opens the one that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from genie_obs.config import EngineSettings
from genie_obs.lakehouse.engines.cluster import ClusterEngine
from genie_obs.lakehouse.engines.local import LocalEngine
from genie_obs.lakehouse.sql import Names

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from genie_obs.lakehouse.schema import Column, Table


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
        """From now on, let Delta keep least and greatest values of the declared columns only. Otherwise its log quotes texts."""

    def version(self, table: Table) -> int:
        """Return the version of a table."""

    def purge(self, table: Table) -> None:
        """Rewrite files in which rows are only marked as removed, so that no file of the newest version holds them."""

    def vacuum(self, table: Table) -> None:
        """Remove now every file that only older versions need. A reader that still uses an older version fails."""

    def compact(self, table: Table) -> None:
        """Join small files where there are many, unless the platform does so by itself."""

    def refresh(self) -> None:
        """Make tables visible that others created since this session started."""

    def close(self) -> None:
        """Release the session and what was started for it."""


def open_engine(settings: EngineSettings) -> Engine:
    """Open the engine that the settings name.

    Raises:
        ConfigError: if the lakehouse is not a folder, or the packages of the engine are not installed.
        EngineError: if the session cannot be opened.
    """
    if settings.engine == "local":
        return LocalEngine(settings)
    return ClusterEngine(settings)
