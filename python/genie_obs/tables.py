"""The one door to tables: run a statement file with bound values, hand rows over as Arrow, create and upgrade tables."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from genie_obs.engine import Engine
from genie_obs.errors import ConfigError, EngineError
from genie_obs.schema import Table, tables
from genie_obs.sql import Value, inline_parameters, load_statement, parameters_of, qualify

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

# Two writers of one table: the later commit fails and must be repeated on the new version. Names differ per engine.
_CONFLICT_SIGNS = (
    "Failed to commit transaction",
    "CONCURRENT",
    "Concurrent",
    "MetadataChangedException",
    "ProtocolChanged",
    "Missing commit file",  # Sail, while another writer is just writing it
)
_CONFLICT_ATTEMPTS = 12
_MAX_CONFLICT_WAIT_SECONDS = 5.0


class Tables:
    """Statements over one engine. Not thread-safe: one statement at a time; each call blocks until it is done."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def kind(self) -> str:
        """Return which engine this is: local, databricks or connect."""
        return self._engine.kind

    @property
    def is_loopback(self) -> bool:
        """Return whether everything runs on this machine, so that plain http to it is no risk."""
        return self._engine.is_loopback

    def select(self, statement: str, **values: Value) -> pa.Table:
        """Run a query file and return its rows; instants are UTC."""
        started = time.monotonic()
        rows = self._query(statement, values).toArrow()
        logger.debug("%s: %d rows in %.0f ms", statement, rows.num_rows, 1000 * (time.monotonic() - started))
        return rows

    def rows(self, statement: str, **values: Value) -> list[dict[str, Any]]:
        """Run a query file whose result is small and return its rows as dictionaries; instants are aware, UTC."""
        rows: list[dict[str, Any]] = self.select(statement, **values).to_pylist()
        return rows

    def execute(self, statement: str, **values: Value) -> None:
        """Run a command file (MERGE, INSERT), again when another writer committed in between.

        Raises:
            EngineError: if it still collides after several attempts.
        """
        text = inline_parameters(self._load(statement, values), values)
        for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
            started = time.monotonic()
            try:
                self._engine.spark.sql(text).collect()
            except Exception as error:
                if not any(sign in str(error) for sign in _CONFLICT_SIGNS):
                    raise
                if attempt == _CONFLICT_ATTEMPTS:
                    raise EngineError(
                        f"{statement} collided with another writer {attempt} times. Is a second run of the job active?"
                    ) from error
                logger.info("%s collided with another writer, attempt %d", statement, attempt)
                time.sleep(random.uniform(0, min(0.1 * 2**attempt, _MAX_CONFLICT_WAIT_SECONDS)))  # noqa: S311  # spreads two writers apart
            else:
                logger.debug("%s: %.0f ms", statement, 1000 * (time.monotonic() - started))
                return

    def set_view(self, name: str, rows: pa.Table) -> None:
        """Make rows readable by statements as a temporary view, replacing the one of that name."""
        self._engine.spark.createDataFrame(rows).createOrReplaceTempView(name)

    def has_table(self, name: str) -> bool:
        """Say whether one of our tables exists."""
        return bool(self._engine.spark.catalog.tableExists(self._engine.names.table(name)))

    def create(self) -> dict[str, list[str]]:
        """Create what is missing: schema, tables, and columns that older versions did not have.

        Returns what was done: table name to the columns added, all of them for a new table. Safe to repeat.
        """
        spark, names = self._engine.spark, self._engine.names
        done: dict[str, list[str]] = {}
        self._engine.refresh()
        missing = [table for table in tables() if not self.has_table(table.name)]
        # Asked first: in Unity Catalog CREATE SCHEMA IF NOT EXISTS wants the grant even where the schema exists.
        if missing and not spark.catalog.databaseExists(f"`{names.catalog}`.`{names.schema}`"):
            spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{names.catalog}`.`{names.schema}`").collect()
        for table in missing:
            try:
                spark.sql(qualify(table.ddl, names) + "\n" + self._engine.layout_clause(table)).collect()
            except Exception:
                # Another process may have made it in between.
                self._engine.refresh()
                if not self.has_table(table.name):
                    raise
                continue
            done[table.name] = [column.name for column in table.columns]
        for table in tables():
            if table.name not in done and (added := self._upgrade(table)):
                done[table.name] = added
        self._engine.refresh()
        return done

    def require_columns(self, system_table: str, columns: Sequence[str], *, fix: str) -> None:
        """Check that a system table is there and has the columns we read.

        Raises:
            ConfigError: naming what is missing and the fix.
        """
        name = self._engine.names.system_table(system_table)
        try:
            present = set(self._engine.spark.table(name).columns)
        except Exception as error:
            if "NOT_FOUND" not in str(error) and "not found" not in str(error):
                raise ConfigError(f"system.{system_table} cannot be read: {_first_line(error)}. {fix}") from error
            raise ConfigError(f"system.{system_table} does not exist or is not visible. {fix}") from error
        if missing := [column for column in columns if column not in present]:
            raise ConfigError(
                f"system.{system_table} lacks the column {', '.join(missing)}, which discovery needs. {fix}"
            )

    def _load(self, statement: str, values: Mapping[str, Value]) -> str:
        text = load_statement(statement)
        if parameters_of(text) != set(values):
            raise ValueError(f"{statement} takes {sorted(parameters_of(text))}, got {sorted(values)}")
        return qualify(text, self._engine.names)

    def _query(self, statement: str, values: Mapping[str, Value]) -> DataFrame:
        # A list of dates prunes files only as literals in IN (…); everything else is bound where the server can.
        inlined = {
            name: value
            for name, value in values.items()
            if not self._engine.binds_parameters or isinstance(value, list | tuple | set | frozenset)
        }
        bound = {name: value for name, value in values.items() if name not in inlined}
        text = inline_parameters(self._load(statement, values), inlined)
        return self._engine.spark.sql(text, args=bound) if bound else self._engine.spark.sql(text)

    def _upgrade(self, table: Table) -> list[str]:
        present = set(self._engine.spark.table(self._engine.names.table(table.name)).columns)
        missing = [column for column in table.columns if column.name not in present]
        if missing:
            self._engine.add_columns(table, missing)
            logger.info("added %d columns to %s", len(missing), table.name)
        return [column.name for column in missing]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
