"""Erases stored texts or rows, of a person, of a space or of an age, so that no later run brings them back.

The ledger comes first: a message in state `erased` is never read again, and no answer for it is accepted. Then every table loses its
texts. Then the engine rewrites files that still hold removed rows. Older versions of a table keep what was removed until they are
vacuumed.

A run that asked for a message before it was erased may store it again. Then it is erased again at the end of that run. If that run was
killed, this happens at the end of the next run that stores something.
"""

from __future__ import annotations

import getpass
import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.config import Scope
from genie_obs.erasure.derived import ERASED, build_erasure, message_dates, tables_erased_with
from genie_obs.erasure.receipt import Receipt, hash_user
from genie_obs.erasure.selector import Extent, Selector
from genie_obs.errors import ConfigError
from genie_obs.lakehouse.schema import erasable_tables, table
from genie_obs.lakehouse.tables import Tables
from genie_obs.runs.open_runs import SILENT_AFTER, is_dead

logger = logging.getLogger(__name__)

_KEYS = ("workspace_id", "message_id")
# In one MERGE. Its rows are small, so they stay far below what one message to the engine may hold.
_MESSAGES_AT_ONCE = 100_000
# No run lasts this long, so an answer that was requested before its message was erased has arrived by then.
_COMES_BACK_WITHIN = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a selector names and is not erased yet."""

    messages: pa.Table
    spaces: pa.Table
    unknown_asker_count: int

    @property
    def stored_count(self) -> int:
        """Return how many of the messages are stored."""
        return sum(self.messages["is_stored"].to_pylist())

    def to_dict(self) -> dict[str, Any]:
        """Return the counts for `--json`."""
        return {
            "is_dry_run": True,
            "message_count": self.messages.num_rows,
            "stored_count": self.stored_count,
            "space_count": self.spaces.num_rows,
            "unknown_asker_count": self.unknown_asker_count,
        }


def select_erasable(tables: Tables, selector: Selector, extent: Extent) -> Found:
    """Return what a selector names and is not erased yet. Changes nothing."""
    values = selector.values()
    unknown = tables.rows("erasure/select_unknown_askers", **values) if selector.user else [{"message_count": 0}]
    spaces = _spaces_schema().empty_table()
    if selector.is_whole_space:
        scope = {"space_id": selector.space_id, "workspace_ids": values["workspace_ids"]}
        spaces = tables.select("erasure/select_erasable_spaces", **scope).cast(_spaces_schema())
    messages = tables.select("erasure/select_erasable", user=selector.user or "", is_row_erased=extent.is_row, **values)
    return Found(messages=messages, spaces=spaces, unknown_asker_count=unknown[0]["message_count"])


def run_erase(
    tables: Tables,
    selector: Selector,
    extent: Extent,
    *,
    now: Callable[[], datetime],
    is_vacuumed: bool = False,
    run_id: str | None = None,
) -> Receipt:
    """Erase what a selector names and return the receipt, which is also stored. A repeated call continues where the first stopped.

    Args:
        tables: the tables; all of them exist.
        selector: which messages.
        extent: how much of them.
        now: the clock.
        is_vacuumed: also remove older versions of the tables, at once; a reader that still uses them fails.
        run_id: the run that erases old texts, if it is one.

    Raises:
        ConfigError: if older versions are to be removed while a run of the job is active; nothing is changed.
        EngineError: if the tables fail; the receipt then says `failed`.
    """
    if is_vacuumed:
        _check_no_run_is_active(tables, now())
    tables.limit_statistics()
    erasure_id = uuid.uuid4().hex
    found = select_erasable(tables, selector, extent)
    # Read before the messages lose them. If a space or an age is named too, only messages are erased, not the person elsewhere.
    names = _names_of(tables, selector.user) if selector.user and selector.is_whole_person else []
    receipt = Receipt(
        erasure_id=erasure_id,
        started_at=now(),
        engine=tables.kind,
        requested_by=tables.current_user() or getpass.getuser(),
        run_id=run_id,
        user_hash=hash_user(erasure_id, selector.user) if selector.user else None,
        space_id=selector.space_id,
        before_date=selector.before_date,
        workspace_ids=list(selector.workspace_ids) or None,
        is_row_erased=extent.is_row,
        unknown_asker_count=found.unknown_asker_count,
        versions_before=_versions(tables),
    )
    receipt.save(tables)
    try:
        _erase_messages(tables, found.messages, extent, receipt, now())
        _erase_spaces(tables, found.spaces, receipt)
        _erase_person(tables, names)
        tables.purge(*_names_of_tables())
        if is_vacuumed:
            tables.vacuum(*_names_of_tables())
            receipt.is_vacuumed = True
        receipt.status = "done"
    except BaseException:
        receipt.status = "failed"
        raise
    finally:
        receipt.finished_at, receipt.versions_after = now(), _versions(tables)
        receipt.save(tables)
    return receipt


def erase_older(tables: Tables, scope: Scope, before_date: date, *, run_id: str, now: Callable[[], datetime]) -> int:
    """Erase the texts of messages that were asked before a day. Return the number of messages."""
    [old] = tables.rows("erasure/select_old_messages", before_date=before_date, workspace_ids=scope.workspace_ids)
    if not old["message_count"]:
        return 0
    selector = Selector(workspace_ids=scope.workspace_ids, before_date=before_date)
    return run_erase(tables, selector, Extent.TEXTS, now=now, run_id=run_id).message_count


def erase_what_came_back(tables: Tables, now: datetime) -> int:
    """Erase again what a run stored after it was erased. Return the number of messages."""
    since = now - _COMES_BACK_WITHIN
    if not tables.rows("erasure/select_erased_lately", since=since)[0]["message_count"]:
        return 0
    returned = tables.select("erasure/select_come_back", since=since)
    if not returned.num_rows:
        return 0
    for extent in Extent:
        for batch in _batches(returned.filter(pc.equal(returned["reason_code"], extent.value)), extent):
            _erase_with_messages(tables, batch)
    tables.purge(*tables_erased_with("message"))
    logger.warning("%d messages were stored while they were erased, and are erased again", returned.num_rows)
    return int(returned.num_rows)


def _check_no_run_is_active(tables: Tables, now: datetime) -> None:
    """Refuse while a run is active. It may have files that it has not committed yet: without them its next commit would fail."""
    for run in tables.rows("runs/select_recent_runs"):
        if run["status"] == "running" and not is_dead(run, now):
            raise ConfigError(
                f"--vacuum: a run of the job started at {run['started_at']:%Y-%m-%d %H:%M} UTC and has not ended; nothing was changed",
                "Wait for it. A run that was killed counts as active until it has been silent for "
                f"{SILENT_AFTER // timedelta(minutes=1)} minutes.",
            )


def _erase_messages(tables: Tables, messages: pa.Table, extent: Extent, receipt: Receipt, now: datetime) -> None:
    for batch in _batches(messages, extent):
        dates = batch["witnessed_date"].unique().to_pylist()
        tables.execute("erasure/merge_erased_ledger", erased=batch, witnessed_dates=dates, updated_at=now)
        receipt.message_count += batch.num_rows
        receipt.stored_count += batch.num_rows - batch["created_date"].null_count
        _erase_with_messages(tables, batch)


def _erase_with_messages(tables: Tables, batch: pa.Table) -> None:
    """Erase messages from every table whose rows belong to messages."""
    for name in tables_erased_with("message"):
        dates = message_dates(table(name))
        rows = batch.filter(batch[dates[0]].is_valid()) if dates else batch
        _erase(tables, name, "message", rows, **{f"{key}s": rows[key].unique().to_pylist() for key in dates})


def _erase_spaces(tables: Tables, spaces: pa.Table, receipt: Receipt) -> None:
    for name in tables_erased_with("space"):
        _erase(tables, name, "space", spaces)
    receipt.space_count = spaces.num_rows


def _erase_person(tables: Tables, names: list[str]) -> None:
    """Erase a person from every table that is erased with a person. One name at a time, because a row may hold several of them."""
    for name in tables_erased_with("person"):
        for of_person in names:
            _erase(tables, name, "person", pa.table({"name": [of_person]}))


def _erase(tables: Tables, name: str, whom: str, rows: pa.Table, **values: Any) -> None:
    if rows.num_rows:
        tables.change(name, build_erasure(name, whom), {ERASED: rows}, **values)


def _names_of(tables: Tables, user: str) -> list[str]:
    """Return every id and e-mail address of a person, in small letters: the given one, and those that messages show."""
    [found] = tables.rows("erasure/select_names_of_person", user=user)
    return sorted({user, *(found["names"] or ())})


def _batches(messages: pa.Table, extent: Extent) -> Iterator[pa.Table]:
    """Yield the relation of the merges, in batches of neighbouring days."""
    keys = messages.select([*_KEYS, "witnessed_date", "created_date"]).cast(_keys_schema())
    count = keys.num_rows
    whole = (
        keys.append_column("reason_code", pa.repeat(pa.scalar(extent.value), count))
        .append_column("state_reason", pa.repeat(pa.scalar(extent.sentence), count))
        .append_column("is_row_erased", pa.repeat(pa.scalar(extent.is_row), count))
        .append_column("is_asker_erased", pa.repeat(pa.scalar(extent.is_asker), count))
    )
    for start in range(0, count, _MESSAGES_AT_ONCE):
        yield whole.slice(start, _MESSAGES_AT_ONCE)


def _keys_schema() -> pa.Schema:
    return table("message_ledger").arrow_schema(*_KEYS, "witnessed_date", "created_date")


def _spaces_schema() -> pa.Schema:
    return table("space_details").arrow_schema("workspace_id", "space_id")


def _names_of_tables() -> list[str]:
    return [item.name for item in erasable_tables()]


def _versions(tables: Tables) -> list[str]:
    return [f"{name}={version}" for name, version in tables.versions().items() if name in _names_of_tables()]
