"""Runs statements. Rows come back as Arrow, errors as text; while a result is fresh, the same statement is not run again."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from genie_obs.errors import GenieObsError, clean_text
from genie_obs.identifiers import quote_identifier
from genie_obs.lakehouse.engines.engine import Engine
from genie_obs.lakehouse.sql import inline_parameters, mark_relations, qualify
from genie_obs.preview.query.parameters import BoundSql
from genie_obs.preview.query.statements import Statement, inside

logger = logging.getLogger(__name__)

MAX_ROWS = 10_000
"""The most rows fetched for one tile. More could not be read, and would be slow to draw."""
_SHARED = "preview_dataset"  # under this name a statement reads the rows of a dataset that was run before
_MAX_RESULTS = 512
_MAX_SHARED_BYTES = 32 * 1024 * 1024  # its rows are sent to the engine in one message, which may have 128 MiB
_MAX_ERROR_CHARACTERS = 1_000

T = TypeVar("T")


class QueryError(GenieObsError):
    """A statement failed. The text can be shown in the tile."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The result of a statement."""

    table: pa.Table
    is_cut: bool  # whether there are more rows than were fetched
    duration_ms: float  # of the run that fetched the rows, also when the result is used again


class Runner:
    """Runs statements on an engine, from several threads. Equal statements share one run and its result.

    A result is used for `fresh_seconds`, and not after the page is reloaded: it then asks with a higher `generation`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        fresh_seconds: float = 300.0,
        max_rows: int = MAX_ROWS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._fresh_seconds = fresh_seconds
        self._max_rows = max_rows
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, tuple[float, Future[Any]]] = OrderedDict()
        self._namespaces: dict[tuple[str, str], str | None] = {}
        self._generation = 0

    def rows(self, bound: BoundSql, *, max_rows: int | None = None) -> Rows:
        """Run a statement and return its rows, by default as many as a tile can show.

        Raises:
            QueryError: if the engine refuses or fails.
        """
        limit = max_rows or self._max_rows
        return self._once(("rows", limit, bound.sql, _frozen(bound.values)), lambda: self._run(bound, limit))

    def tile_rows(self, statement: Statement) -> Rows:
        """Run the statement of a tile and return its rows. Tiles of one dataset share one run of it, unless it has too many rows.

        Raises:
            QueryError: if the engine refuses or fails.
        """
        bound, source = statement.bound, statement.source
        if source is None:
            return self.rows(bound)
        key = ("rows", self._max_rows, bound.sql, _frozen(bound.values))
        return self._once(key, lambda: self._run_over(source, bound))

    def column_type(self, bound: BoundSql) -> str:
        """Return the SQL type of a statement's first column, in lower case; reads no rows.

        Raises:
            QueryError: if the engine refuses.
        """
        return next(iter(self.schema(bound).values()))

    def schema(self, bound: BoundSql) -> dict[str, str]:
        """Return columns and their SQL types, in lower case; reads no rows.

        Raises:
            QueryError: if the engine refuses.
        """
        return self._once(("schema", bound.sql, _frozen(bound.values)), lambda: self._analyse(bound))

    def renew(self, generation: int) -> None:
        """Forget the results of older generations, and find tables that were created since."""
        with self._lock:
            if generation <= self._generation:
                return
            self._generation = generation
            self._results.clear()
        self._engine.refresh()

    def _once(self, key: Hashable, work: Callable[[], T]) -> T:
        with self._lock:
            started_at, future = self._results.get(key, (0.0, None))
            is_ours = future is None or self._monotonic() - started_at > self._fresh_seconds
            if is_ours:
                future = Future()
                self._results[key] = (self._monotonic(), future)
                self._results.move_to_end(key)
                while len(self._results) > _MAX_RESULTS:
                    self._results.popitem(last=False)
        assert future is not None  # noqa: S101  # for the type checker
        if is_ours:
            self._fill(key, future, work)
        result: T = future.result()
        return result

    def _fill(self, key: Hashable, future: Future[T], work: Callable[[], T]) -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # everyone who waits for this result gets the error
            # A failure is not kept: the table that was missing may exist next time.
            with self._lock:
                if self._results.get(key, (0.0, None))[1] is future:
                    del self._results[key]
            future.set_exception(error)

    def _run(self, bound: BoundSql, limit: int, *, shared: pa.Table | None = None) -> Rows:
        started = self._monotonic()
        try:
            table = self._frame(bound, shared).limit(limit + 1).toArrow()
        except Exception as error:
            raise QueryError(_readable(error)) from error
        duration_ms = (self._monotonic() - started) * 1_000
        logger.debug("tile statement: %d rows in %.0f ms", table.num_rows, duration_ms)
        is_cut = table.num_rows > limit
        return Rows(table=table.slice(0, limit), is_cut=is_cut, duration_ms=duration_ms)

    def _run_over(self, source: BoundSql, bound: BoundSql) -> Rows:
        dataset = self.rows(source)
        if dataset.is_cut or dataset.table.nbytes > _MAX_SHARED_BYTES:
            return self._run(bound, self._max_rows)
        outer = bound.sql.replace(inside(source), f"FROM {_SHARED} AS dataset", 1)
        try:
            return self._run(BoundSql(outer, _used(bound, source)), self._max_rows, shared=dataset.table)
        except Exception as error:  # noqa: BLE001  # the rows may have a type that cannot be sent back; the whole statement may still run
            logger.debug("dataset not shared: %s", clean_text(error))
            return self._run(bound, self._max_rows)

    def _analyse(self, bound: BoundSql) -> dict[str, str]:
        try:
            schema = self._frame(bound).schema
        except Exception as error:
            raise QueryError(_readable(error)) from error
        return {field.name: field.dataType.simpleString().lower() for field in schema.fields}

    def _frame(self, bound: BoundSql, shared: pa.Table | None = None) -> Any:
        # A subquery can only be a query. A command in the file (DROP, CREATE) is a syntax error here.
        # Bare names are left to the session (use_namespace): only the engine knows what is a table and what a column, CTE or alias.
        inner = qualify(bound.sql, self._engine.names, our_tables=())
        sql = f"SELECT * FROM (\n{inner}\n) AS tile"  # noqa: S608  # the file's own SQL; values are bound
        bindings = dict(bound.values)
        if not self._engine.binds_parameters:
            sql, bindings = inline_parameters(sql, bindings), {}
        if shared is None:
            return self._engine.spark.sql(sql, args=bindings or None)
        # The rows are passed with the statement. They are no temporary view, since an engine may keep one until the session ends.
        rows = self._engine.spark.createDataFrame(shared)
        return self._engine.spark.sql(mark_relations(sql, {_SHARED}), args=bindings or None, **{_SHARED: rows})


def use_namespace(engine: Engine) -> None:
    """Make our catalog and schema those of the session, so that bare table names are found there, ours included.

    The bundle's `dataset_catalog` and `dataset_schema` do the same for a dashboard on Databricks.
    """
    names = engine.names
    try:
        engine.spark.catalog.setCurrentCatalog(names.catalog)
        # Quoted, since engines parse the name of a schema, and not that of a catalog.
        engine.spark.catalog.setCurrentDatabase(quote_identifier(names.schema))
    except Exception as error:  # noqa: BLE001  # engines raise what they like; without the schema each tile says what it does not find
        logger.warning("bare table names are not found in %s.%s: %s", names.catalog, names.schema, _readable(error))


def _used(bound: BoundSql, source: BoundSql) -> dict[str, Any]:
    """Return the values for the SQL around a dataset. The markers of the dataset's own SQL are not in it."""
    return {name: value for name, value in bound.values.items() if name not in source.values}


def _frozen(values: Mapping[str, Any]) -> tuple[tuple[str, str, Any], ...]:
    # With the type, since 1, 1.0 and True are equal in Python and not in SQL.
    return tuple((name, type(value).__name__, value) for name, value in sorted(values.items()))


def _readable(error: Exception) -> str:
    """Return the message of the engine on one line, without its stack trace, cut to 1,000 characters."""
    text = str(error).split("JVM stacktrace")[0]
    return clean_text(text, limit=_MAX_ERROR_CHARACTERS) or type(error).__name__
