"""The only way to the tables: runs statement files with bound values, passes rows as Arrow, creates and upgrades tables."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import pyarrow as pa

from genie_obs.errors import EngineError, SourceError
from genie_obs.lakehouse.arrow_rows import to_rows
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.errors import engine_errors, first_line
from genie_obs.lakehouse.merge import NEW_ROWS, build_merge, date_keys
from genie_obs.lakehouse.schema import Column, Table, tables
from genie_obs.lakehouse.schema import table as table_named
from genie_obs.lakehouse.sources import Source, SourceFound, State, check_source, explain_unreadable
from genie_obs.lakehouse.sql import (
    Value,
    inline_parameters,
    insert_only,
    limit_to_days,
    limit_to_scope,
    mark_relations,
    parameters_of,
    qualify,
    system_tables_of,
)
from genie_obs.lakehouse.statements import has_statement, load_statement

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

T = TypeVar("T")

Input: TypeAlias = Value | pa.Table

# If two writers change one table, the later commit fails and must be repeated on the new version. Each engine says it in its words.
_CONFLICT_SIGNS = (
    "Failed to commit transaction",
    "CONCURRENT",
    "Concurrent",
    "MetadataChangedException",
    "ProtocolChanged",
    "Missing commit file",  # Sail, while another writer is just writing it
)
_CONFLICT_ATTEMPTS = 12
MAX_RELATION_BYTES = 64 * 1024 * 1024
"""Of one relation as Arrow. Its statement travels as one gRPC message, and Spark Connect's client sends at most 128 MiB."""
_MAX_CONFLICT_WAIT_SECONDS = 5.0


class Tables:
    """Statements over one engine. Not thread-safe: one statement at a time; each call blocks until it is done.

    A statement takes its values by name. An Arrow table becomes the relation of that name, in that statement only; any other
    value becomes the parameter. Rows are not temporary views, because some engines keep those until the session ends.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stand_ins: dict[str, str] = {}
        self._existing: set[str] = set()  # our tables that are known to exist

    @property
    def kind(self) -> str:
        """Return which engine this is: local, databricks or connect."""
        return self._engine.kind

    @property
    def is_loopback(self) -> bool:
        """Return whether everything runs on this machine, so that plain http to it is no risk."""
        return self._engine.is_loopback

    def select(self, statement: str, **values: Input) -> pa.Table:
        """Run a query file and return its rows; instants are UTC.

        Raises:
            SourceError: if it reads a system table, and the engine fails.
            EngineError: if the engine fails otherwise.
        """
        started = time.monotonic()
        text, relations, bound = self._prepare(statement, values)
        try:
            with engine_errors(what=statement):
                rows = self._sql(text, self._frames(relations), bound).toArrow()
        except EngineError as error:
            for name in system_tables_of(load_statement(statement)):
                unreadable = explain_unreadable(name, error.__cause__ or error)
                raise SourceError(unreadable["problem"], source=name, state=unreadable["state"]) from error
            raise
        logger.debug("%s: %d rows in %.0f ms", statement, rows.num_rows, 1000 * (time.monotonic() - started))
        return rows

    def rows(self, statement: str, **values: Input) -> list[dict[str, Any]]:
        """Run a query file whose result is small and return its rows as dictionaries; instants are aware, UTC."""
        return to_rows(self.select(statement, **values))

    def execute(self, statement: str, *, expect_new: bool = False, **values: Input) -> int:
        """Run a MERGE file. Repeat it if another writer committed in between.

        With `expect_new`, rows whose keys are not stored are inserted first. That rewrites no file and costs a fraction. The whole
        MERGE runs only if some rows were stored already. Returns how many were; 0 without `expect_new`. (Engines count the rows of
        a whole MERGE differently: Apache Spark counts what changed, Sail also what it copied.)

        Rows that are too large for one message to the engine are merged in several parts.

        Raises:
            EngineError: if it still collides after several attempts.
        """
        relations, parameters = _split(values)
        text = inline_parameters(self._load(statement, parameters), parameters)
        return self.write(statement, text, insert_only(text) if expect_new else None, relations)

    def merge(self, name: str, rows: pa.Table, *, expect_new: bool = False, **values: Value) -> int:
        """Store rows of one of our tables, one per key, as its declaration says. Repeating it changes nothing.

        Columns that `rows` lacks are NULL. `rows` also has the columns that the table's rules read, and `values` are the parameters
        of these rules. For `expect_new` and the result see `execute`.

        Raises:
            EngineError: if it still collides after several attempts.
        """
        declared = table_named(name)
        rows = _with_all_columns(rows, declared)
        values |= {f"{key}s": sorted(rows[key].unique().to_pylist()) for key in date_keys(declared)}

        def spell(text: str) -> str:
            return inline_parameters(qualify(text, self._engine.names), values)

        only_new = spell(build_merge(name, is_insert_only=True)) if expect_new else None
        return self.write(name, spell(build_merge(name)), only_new, {NEW_ROWS: rows})

    def merge_from(self, name: str, statement: str, **values: Value) -> None:
        """Store the rows that a query file returns, as `merge` does; no row leaves the engine.

        `values` are the parameters of the query, and for each column of `date_keys` the list of the days that it touches, as `merge`
        makes them.

        Raises:
            EngineError: if the engine fails, or it still collides with another writer after several attempts.
        """
        query = "(\n" + limit_to_scope(load_statement(statement), values) + "\n)"
        text = qualify(build_merge(name, rows=query), self._engine.names, self._stand_ins)
        self.write(statement, inline_parameters(text, values), None, {})

    def change(self, name: str, statement: str, relations: Mapping[str, pa.Table], **values: Value) -> None:
        """Run a MERGE that was made from the declaration of one of our tables.

        Raises:
            EngineError: if it still collides with another writer after several attempts.
        """
        text = inline_parameters(qualify(statement, self._engine.names), values)
        self.write(name, text, None, relations)

    def write(self, what: str, whole: str, only_new: str | None, relations: Mapping[str, pa.Table]) -> int:
        """Run one MERGE: everything that a run writes to a table goes through here.

        Args:
            what: the statement, or the table whose MERGE was made from its declaration.
            whole: the MERGE, ready for the engine.
            only_new: the same MERGE, but it only inserts. It is given if most rows are expected to be new.
            relations: the rows, by the name under which the MERGE reads them.

        Returns:
            How many rows were stored already, if `only_new` was given; else 0.
        """
        stored_count = 0
        if only_new is not None:
            inserted = sum(self._merge(what, only_new, part) for part in _parts(relations))
            stored_count = sum(rows.num_rows for rows in relations.values()) - inserted
        if only_new is None or stored_count:
            for part in _parts(relations):
                self._merge(what, whole, part)
        return stored_count

    def _merge(self, statement: str, text: str, relations: Mapping[str, pa.Table]) -> int:
        frames = self._frames(relations)
        [counts] = self._persist(statement, lambda: self._sql(text, frames).collect())
        return int(counts[0])  # every engine puts the sum first

    def current_user(self) -> str:
        """Return the user of this session, '' if the engine does not say."""
        return self.rows("lakehouse/select_current_user")[0]["user_name"] or ""

    def versions(self) -> dict[str, int]:
        """Return the version of each of our tables."""
        return {table.name: self._engine.version(table) for table in tables()}

    def limit_statistics(self) -> None:
        """Keep texts out of the statistics in our Delta logs from now on. New tables are made this way. Safe to repeat."""
        for table in tables():
            self._persist("setting statistics", lambda table=table: self._engine.set_statistics(table))  # type: ignore[misc]

    def purge(self, *names: str) -> None:
        """Rewrite the files of the newest version of these tables that still hold removed rows."""
        for name in names:
            self._persist(f"purging {name}", lambda name=name: self._engine.purge(table_named(name)))  # type: ignore[misc]

    def vacuum(self, *names: str) -> None:
        """Remove at once every file that only older versions of these tables need."""
        for name in names:
            self._persist(f"vacuuming {name}", lambda name=name: self._engine.vacuum(table_named(name)))  # type: ignore[misc]

    def compact(self) -> None:
        """Join small files where the platform does not do it. A failure is only logged, and the next run tries again."""
        for table in tables():
            try:
                self._engine.compact(table)
            except Exception as error:  # noqa: BLE001  # a full disk, another writer: nothing of the run's own work
                logger.warning("joining the small files of %s failed: %s", table.name, type(error).__name__)

    def _persist(self, what: str, work: Callable[[], T]) -> T:
        """Change a table, and return what the work returns. Repeat it if another writer committed in between.

        Raises:
            EngineError: if the engine fails, or it still collides after several attempts.
        """
        attempt = 0
        while True:
            attempt += 1
            started = time.monotonic()
            try:
                result = work()
            except Exception as error:
                if not any(sign in str(error) for sign in _CONFLICT_SIGNS):
                    raise EngineError(f"{what} failed: {first_line(error)}") from error
                if attempt == _CONFLICT_ATTEMPTS:
                    problem = f"{what} collided with another writer {attempt} times"
                    raise EngineError(problem, "Let one run of the job end before the next one starts.") from error
                logger.info("%s collided with another writer, attempt %d", what, attempt)
                time.sleep(random.uniform(0, min(0.1 * 2**attempt, _MAX_CONFLICT_WAIT_SECONDS)))  # noqa: S311  # spreads two writers apart
            else:
                logger.debug("%s: %.0f ms", what, 1000 * (time.monotonic() - started))
                return result

    def has_table(self, name: str) -> bool:
        """Say whether one of our tables exists."""
        with engine_errors():
            return name in self._existing or self._exists(name)

    def create(self) -> dict[str, list[str]]:
        """Create what is missing: schema, tables, and columns that older versions did not have.

        Returns what was done: table name to the columns added, all of them for a new table. Safe to repeat.

        Raises:
            EngineError: if the engine fails.
        """
        with engine_errors():
            return self._create()

    def _create(self) -> dict[str, list[str]]:
        spark, names = self._engine.spark, self._engine.names
        done: dict[str, list[str]] = {}
        self._engine.refresh()
        present = {table: self._columns(table) for table in tables()}
        missing = [table for table, columns in present.items() if columns is None]
        # In Unity Catalog, CREATE SCHEMA IF NOT EXISTS needs the grant even if the schema exists. So this asks first.
        if missing and not spark.catalog.databaseExists(f"`{names.catalog}`.`{names.schema}`"):
            spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{names.catalog}`.`{names.schema}`").collect()
        for table in missing:
            try:
                spark.sql(qualify(table.ddl, names) + "\n" + self._engine.layout_clause(table)).collect()
            except Exception:
                # Another process may have made it in between.
                self._engine.refresh()
                present[table] = self._columns(table)
                if present[table] is None:
                    raise
                continue
            done[table.name] = [column.name for column in table.columns]
        for table, columns in present.items():
            if columns is not None and (added := self._upgrade(table, columns)):
                done[table.name] = added
        self._engine.refresh()
        self._existing.update(table.name for table in present)
        return done

    def adopt_source(self, source: Source) -> SourceFound:
        """Look at a system table. If its columns have changed, a view is read instead of it. Raises nothing."""
        self._stand_ins.pop(source.name, None)
        try:
            rows = self._engine.spark.table(self._engine.names.system_table(source.name))
            found = dict(_leaves(rows.schema))
        except Exception as error:  # noqa: BLE001  # engines raise many kinds of errors
            return SourceFound(source=source, **explain_unreadable(source.name, error))
        check = check_source(source, found)
        if check.problems:
            problem = f"system.{source.name}: {'; '.join(check.problems)}; nothing can be made of it without"
            return SourceFound(
                source=source,
                state=State.LACKS_COLUMNS,
                problem=problem,
                drift=tuple(f"system.{source.name}: {line}" for line in check.problems),
            )
        if check.drift:
            rows.selectExpr(*check.expressions).createOrReplaceTempView(source.stand_in)
            self._stand_ins[source.name] = source.stand_in
        return SourceFound(source=source, state=State.READ, drift=tuple(check.drift))

    def outdated(self) -> list[str]:
        """Return those of our tables that were made by an older version and lack columns; all of them must exist."""
        return [table.name for table in tables() if _missing(table, self._columns(table) or set())]

    def _columns(self, table: Table) -> set[str] | None:
        """Return the columns of a table, None if it does not exist. If it exists, this takes one request."""
        with engine_errors(what=table.name):
            try:
                return set(self._engine.spark.table(self._engine.names.table(table.name)).columns)
            except Exception:
                if self._exists(table.name):
                    raise
                return None

    def _exists(self, name: str) -> bool:
        return bool(self._engine.spark.catalog.tableExists(self._engine.names.table(name)))

    def _load(self, statement: str, values: Mapping[str, Value]) -> str:
        text = load_statement(statement)
        if parameters_of(text) != set(values):
            raise ValueError(f"{statement} takes {sorted(parameters_of(text))}, got {sorted(values)}")
        text = limit_to_days(limit_to_scope(text, values), values)
        return qualify(text, self._engine.names, self._stand_ins)

    def _prepare(
        self, statement: str, values: Mapping[str, Input]
    ) -> tuple[str, Mapping[str, pa.Table], Mapping[str, Value]]:
        """Return the text of a query for this engine, the relations it reads, and the values to bind."""
        relations, parameters = _split(values)
        # A list prunes files only as literals in IN (…); everything else is bound where the server can.
        inlined = {
            name: value
            for name, value in parameters.items()
            if not self._engine.binds_parameters or isinstance(value, list | tuple | set | frozenset)
        }
        bound = {name: value for name, value in parameters.items() if name not in inlined}
        text = inline_parameters(self._load(statement, parameters), inlined)
        return text, relations, bound

    def _frames(self, relations: Mapping[str, pa.Table]) -> dict[str, DataFrame]:
        return {name: self._engine.spark.createDataFrame(rows) for name, rows in relations.items()}

    def _sql(self, text: str, frames: Mapping[str, DataFrame], bound: Mapping[str, Value] | None = None) -> DataFrame:
        options: dict[str, Any] = {"args": dict(bound), **frames} if bound else dict(frames)
        return self._engine.spark.sql(mark_relations(text, frames) if frames else text, **options)

    def _upgrade(self, table: Table, present: set[str]) -> list[str]:
        missing = _missing(table, present)
        if missing:
            self._engine.add_columns(table, missing)
            logger.info("added %d columns to %s", len(missing), table.name)
            for column in missing:
                self._fill(table, column)
        return [column.name for column in missing]

    def _fill(self, table: Table, column: Column) -> None:
        """Give older rows their value of a new column, if the table's folder says how: `fill_<column>.sql`."""
        name = f"{table.folder}/fill_{column.name}"
        if has_statement(name):
            self.write(name, qualify(load_statement(name), self._engine.names), None, {})


def _split(values: Mapping[str, Input]) -> tuple[dict[str, pa.Table], dict[str, Value]]:
    relations = {name: value for name, value in values.items() if isinstance(value, pa.Table)}
    return relations, {name: value for name, value in values.items() if not isinstance(value, pa.Table)}


def _parts(relations: Mapping[str, pa.Table]) -> Iterator[Mapping[str, pa.Table]]:
    """Yield the rows of a MERGE, which reads one relation, in parts that fit into a message. A row is never split."""
    for name, rows in relations.items():
        if rows.nbytes > MAX_RELATION_BYTES and rows.num_rows > 1:
            half = rows.num_rows // 2
            for part in (rows.slice(0, half), rows.slice(half)):
                yield from _parts({**relations, name: part})
            return
    yield relations


def _with_all_columns(rows: pa.Table, declared: Table) -> pa.Table:
    """Return rows with every column of a table, NULL if they lack it. The other columns, which its rules read, stay."""
    for column in declared.columns:
        if column.name not in rows.column_names:
            rows = rows.append_column(column.name, pa.nulls(rows.num_rows, column.arrow_type))
    return rows


def _missing(table: Table, present: set[str]) -> list[Column]:
    return [column for column in table.columns if column.name not in present]


def _leaves(struct: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and type of every column of a schema, and of every field of its structs."""
    for item in struct.fields:
        kind = item.dataType.simpleString()
        yield prefix + item.name, "string" if kind.startswith(("varchar(", "char(")) else kind
        if hasattr(item.dataType, "fields"):
            yield from _leaves(item.dataType, f"{prefix}{item.name}.")
