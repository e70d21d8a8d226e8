"""Erasing what was stored: the texts, or the rows, of a person, a space or an age, so that no later run brings them back.

The ledger goes first: a message in state `erased` is never read again and no answer for it is taken. Then `message_details`
loses the texts, then the engine writes files anew that still hold removed rows. Older versions of a table keep what was
removed until they are vacuumed.

A run that asked for a message before it was erased may store it once more. What came back so is erased again at the end of
that run, or of the next one that stores something if that was killed.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs._version import __version__
from genie_obs.config import Scope
from genie_obs.errors import ConfigError, Problem
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.tables import Tables
from genie_obs.runs.open_runs import SILENT_AFTER, is_dead

logger = logging.getLogger(__name__)

_NEVER = date(9999, 12, 31)
_KEYS = ("workspace_id", "message_id")
# One MERGE each: of keys alone, so that a view of them stays far below what Spark Connect takes.
_MESSAGES_AT_ONCE = 100_000
# No run lasts as long, so an answer that was on its way while its message was erased has arrived by then.
_COMES_BACK_WITHIN = timedelta(days=7)
_TEXT_TABLES = ("message_details", "message_ledger", "space_details")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Selector:
    """Which messages: all that is given must hold."""

    workspace_ids: tuple[str, ...] = ()
    user: str | None = None  # e-mail in small letters, or id
    space_id: str | None = None
    before_date: date | None = None  # asked before this UTC day

    def values(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        return {
            "workspace_ids": ",".join(self.workspace_ids),
            "space_id": self.space_id or "",
            "before_date": self.before_date or _NEVER,
        }


class Extent(StrEnum):
    """How much of a message goes; the ledger gives it as the reason."""

    TEXTS = "erased: texts"
    TEXTS_AND_ASKER = "erased: texts and asker"
    ROW = "erased: row"

    @property
    def is_row(self) -> bool:
        """Say whether the row goes as a whole."""
        return self is Extent.ROW

    @property
    def is_asker(self) -> bool:
        """Say whether who asked goes too."""
        return self is not Extent.TEXTS


@dataclass(kw_only=True)
class Receipt:
    """One row of `erasures`; the columns are documented in its declaration. Instants are UTC."""

    erasure_id: str
    started_at: datetime
    engine: str
    requested_by: str
    finished_at: datetime | None = None
    status: str = "running"
    run_id: str | None = None
    version: str = __version__
    user_hash: str | None = None
    space_id: str | None = None
    before_date: date | None = None
    workspace_ids: list[str] | None = None
    is_row_erased: bool = False
    message_count: int = 0
    stored_count: int = 0
    space_count: int = 0
    unknown_asker_count: int = 0
    versions_before: list[str] = field(default_factory=list)
    versions_after: list[str] = field(default_factory=list)
    is_vacuumed: bool = False

    def save(self, tables: Tables) -> None:
        """Write the receipt as it is now; safe to repeat."""
        row = pa.Table.from_pylist([asdict(self)], table("erasures").arrow_schema())
        tables.execute("erasure/merge_erasure", erasure_receipt=row)

    def to_json(self) -> str:
        """Return the receipt as one line of JSON; instants in ISO 8601."""
        return json.dumps(asdict(self), default=lambda value: value.isoformat(), ensure_ascii=False)


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


def parse_selector(
    scope: Scope, *, user: str | None, space: str | None, older_than: str | None, today: date
) -> Selector:
    """Check what the command line names.

    Args:
        scope: its workspaces; a space is named by `space`.
        user: e-mail address, or id as in `user_id`.
        space: id of a space.
        older_than: a number of days, or a day (UTC) as 2026-01-31.
        today: the day the number of days counts back from.

    Raises:
        ConfigError: if nothing is named, or something cannot be read; all problems together.
    """
    user, space, older_than = ((text or "").strip() or None for text in (user, space, older_than))
    problems: list[Problem] = []
    if not (user or space or older_than):
        problems.append(
            Problem("nothing says what to erase", "Name it: --user, --space or --older-than; several narrow it down.")
        )
    if user and re.search(r"\s", user):
        problems.append(Problem("--user holds a blank", "Give one e-mail address, or one user id."))
    if space and not _ID.fullmatch(space):
        problems.append(Problem(f"--space {space!r} is not an id", "Give the last part of the space's address."))
    before: date | None = None
    if older_than:
        try:
            before = (
                today - timedelta(days=int(older_than)) if older_than.isdecimal() else date.fromisoformat(older_than)
            )
        except (ValueError, OverflowError):
            fix = "Give a number of days, or a day such as 2026-01-31."
            problems.append(Problem(f"--older-than {older_than!r} cannot be read", fix))
    if before and before > today:
        problems.append(Problem(f"--older-than {older_than} lies in the future", "Give a day up to today (UTC)."))
    if problems:
        raise ConfigError(problems)
    return Selector(
        workspace_ids=scope.workspace_ids, user=user.lower() if user else None, space_id=space, before_date=before
    )


def select_erasable(tables: Tables, selector: Selector, extent: Extent) -> Found:
    """Return what a selector names and is not erased yet. Changes nothing."""
    values = selector.values()
    unknown = tables.rows("erasure/select_unknown_askers", **values) if selector.user else [{"message_count": 0}]
    spaces = _spaces_schema().empty_table()
    if selector.space_id and not selector.user and not selector.before_date:
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
    """Erase what a selector names and return the receipt, which is also stored. Repeating it goes on where it stopped.

    Args:
        tables: the tables; all of them exist.
        selector: which messages.
        extent: how much of them.
        now: the clock.
        is_vacuumed: also remove older versions of the tables, at once; whoever reads them meanwhile fails.
        run_id: the run whose retention this is.

    Raises:
        ConfigError: if older versions are to be removed while a run of the job is active; nothing is changed.
        EngineError: if the tables fail; the receipt then says `failed`.
    """
    if is_vacuumed:
        _check_no_run_is_active(tables, now())
    tables.limit_statistics()
    erasure_id = uuid.uuid4().hex
    found = select_erasable(tables, selector, extent)
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
        _erase_spaces(tables, found.spaces, receipt, now())
        tables.purge(*_TEXT_TABLES)
        if is_vacuumed:
            tables.vacuum(*_TEXT_TABLES)
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
    """Erase the texts of messages asked before a day, if there are any, and return how many messages that were."""
    [old] = tables.rows("erasure/select_old_messages", before_date=before_date, workspace_ids=scope.workspaces_text)
    if not old["message_count"]:
        return 0
    selector = Selector(workspace_ids=scope.workspace_ids, before_date=before_date)
    return run_erase(tables, selector, Extent.TEXTS, now=now, run_id=run_id).message_count


def erase_what_came_back(tables: Tables, now: datetime) -> int:
    """Erase once more what a run stored although it was erased meanwhile; return how many messages that were."""
    since = now - _COMES_BACK_WITHIN
    if not tables.rows("erasure/select_erased_lately", since=since)[0]["message_count"]:
        return 0
    found = tables.select("erasure/select_come_back", since=since)
    if not found.num_rows:
        return 0
    for extent in Extent:
        for piece in _pieces(found.filter(pc.equal(found["state_reason"], extent.value)), extent):
            _merge_details(tables, piece)
    tables.purge("message_details")
    logger.warning("%d messages were stored while they were erased, and are erased again", found.num_rows)
    return int(found.num_rows)


def _check_no_run_is_active(tables: Tables, now: datetime) -> None:
    """Refuse while a run may have files that it has not committed yet: removing those would break its next commit."""
    for run in tables.rows("runs/select_recent_runs"):
        if run["status"] == "running" and not is_dead(run, now):
            minutes = SILENT_AFTER // timedelta(minutes=1)
            raise ConfigError(
                f"--vacuum: a run of the job started at {run['started_at']:%Y-%m-%d %H:%M} UTC and has not ended; nothing was changed",
                f"Wait for it. A run that was killed counts as active until it has been silent for {minutes} minutes.",
            )


def hash_user(erasure_id: str, user: str) -> str:
    """Return what stands in a receipt for the person it forgets."""
    return hashlib.sha256(f"{erasure_id}:{user}".encode()).hexdigest()


def _erase_messages(tables: Tables, messages: pa.Table, extent: Extent, receipt: Receipt, now: datetime) -> None:
    for piece in _pieces(messages, extent):
        dates = piece["witnessed_date"].unique().to_pylist()
        tables.execute("erasure/merge_erased_ledger", erased_messages=piece, witnessed_dates=dates, updated_at=now)
        receipt.message_count += piece.num_rows
        receipt.stored_count += _merge_details(tables, piece)


def _merge_details(tables: Tables, piece: pa.Table) -> int:
    stored = piece.filter(piece["created_date"].is_valid())
    if stored.num_rows:
        dates = stored["created_date"].unique().to_pylist()
        tables.execute("erasure/merge_erased_messages", erased_messages=stored, created_dates=dates)
    return int(stored.num_rows)


def _erase_spaces(tables: Tables, spaces: pa.Table, receipt: Receipt, now: datetime) -> None:
    if spaces.num_rows:
        tables.execute("erasure/merge_erased_spaces", erased_spaces=spaces, updated_at=now)
        receipt.space_count = spaces.num_rows


def _pieces(messages: pa.Table, extent: Extent) -> Iterator[pa.Table]:
    """Yield the relation of the merges, in pieces of neighbouring days."""
    keys = messages.select([*_KEYS, "witnessed_date", "created_date"]).cast(_keys_schema())
    count = keys.num_rows
    whole = (
        keys.append_column("reason", pa.repeat(pa.scalar(extent.value), count))
        .append_column("is_row_erased", pa.repeat(pa.scalar(extent.is_row), count))
        .append_column("is_asker_erased", pa.repeat(pa.scalar(extent.is_asker), count))
    )
    for start in range(0, count, _MESSAGES_AT_ONCE):
        yield whole.slice(start, _MESSAGES_AT_ONCE)


def _keys_schema() -> pa.Schema:
    return table("message_ledger").arrow_schema(*_KEYS, "witnessed_date", "created_date")


def _spaces_schema() -> pa.Schema:
    return table("space_details").arrow_schema("workspace_id", "space_id")


def _versions(tables: Tables) -> list[str]:
    return [f"{name}={version}" for name, version in tables.versions().items() if name in _TEXT_TABLES]
