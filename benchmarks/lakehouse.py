"""Lakehouses made larger: copies of what is stored, with ids of their own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from benchmarks.harness import say

OURS = Path("main") / "genie_analytics"
# Tables that grow with the messages, and the columns whose values are new in every copy.
GROWING = {
    OURS / "message_details": ("message_id", "conversation_id", "statement_id"),
    OURS / "message_ledger": ("message_id", "conversation_id"),
    Path("system/access/audit"): ("event_id",),
    Path("system/query/history"): ("statement_id",),
}
_ROWS_AT_ONCE = 100_000  # bounds memory
_RETENTION = timedelta(days=365)  # of system tables


def multiply(source: Path, target: Path, messages: int) -> None:
    """Copy a lakehouse so that it holds at least this many messages, all of them on the same days."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    append_copies(source, partial, copies=-(-messages // message_count(source)) - 1)
    for table in GROWING:
        # As in a real warehouse: one file a day, not one per append, and a checkpoint of the log.
        DeltaTable(str(partial / table)).optimize.compact()
        DeltaTable(str(partial / table)).create_checkpoint()
    partial.rename(target)


def message_count(lakehouse: Path) -> int:
    """Return how many messages are stored."""
    count: int = DeltaTable(str(lakehouse / OURS / "message_details")).count()
    return count


def append_copies(source: Path, target: Path, *, copies: int, days_apart: int = 0) -> None:
    """Append copies of what `source` holds. Each lies `days_apart` days before the previous one.

    System tables get no rows older than Databricks keeps them.
    """
    for table, ids in GROWING.items() if copies else ():
        started = time.perf_counter()
        delta = DeltaTable(str(source / table))
        rows = delta.to_pyarrow_table()
        numbers = range(1, copies + 1)
        if days_apart and table.parts[0] == "system":
            numbers = range(1, min(copies, _RETENTION.days // days_apart) + 1)
        partitions = delta.metadata().partition_columns
        for batch in _batches(rows, ids, numbers, days_apart):
            write_deltalake(str(target / table), batch, mode="append", partition_by=partitions or None)
        say(f"{table}: {rows.num_rows * len(numbers):,} rows more in {time.perf_counter() - started:.0f} s")


def _batches(rows: pa.Table, ids: Iterable[str], numbers: range, days_apart: int) -> Iterator[pa.Table]:
    at_once = max(1, _ROWS_AT_ONCE // max(1, rows.num_rows))
    for start in range(0, len(numbers), at_once):
        copies = [
            earlier(renamed(rows, ids, number), days_apart * number) for number in numbers[start : start + at_once]
        ]
        yield pa.concat_tables(copies)


def renamed(rows: pa.Table, ids: Iterable[str], number: int) -> pa.Table:
    """Return the rows with ids of their own."""
    for name in ids:
        rows = _replaced(rows, name, pc.binary_join_element_wise(rows[name], f"-{number}", ""))
    return rows


def earlier(rows: pa.Table, days: int) -> pa.Table:
    """Return the rows with every date, instant and epoch so many days earlier."""
    if days == 0:
        return rows
    span = timedelta(days=days)
    for field in rows.schema:
        if pa.types.is_timestamp(field.type):
            rows = _replaced(rows, field.name, pc.subtract(rows[field.name], pa.scalar(span)))
        elif pa.types.is_date(field.type):
            moved = pc.subtract(rows[field.name].cast(pa.timestamp("s")), pa.scalar(span))
            rows = _replaced(rows, field.name, moved)
        elif field.name.endswith("_timestamp"):
            rows = _replaced(rows, field.name, pc.subtract(rows[field.name], int(span.total_seconds()) * 1_000))
    return rows


def _replaced(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    place = rows.schema.get_field_index(name)
    field = rows.schema.field(place)
    return rows.set_column(place, field, values.cast(field.type))


def link_tree(source: Path, target: Path) -> None:
    """Copy a folder of Delta tables without copying bytes. That is safe, because no file of them is ever changed."""
    shutil.copytree(source, target, copy_function=os.link)
