"""The spaces of one workspace, updated once a day. They decide whether their messages may be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genie_obs.clock import Clock
from genie_obs.datasets.spaces.departures import Departure
from genie_obs.datasets.spaces.space_rows import parse_instant, parse_space
from genie_obs.drift import DriftCounter
from genie_obs.errors import (
    ApiError,
    NotFoundError,
    PermissionDeniedError,
    name_unexpected,
)
from genie_obs.genie_api.api import GenieApi
from genie_obs.genie_api.workers import side_by_side
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.sizes import text_bytes
from genie_obs.ledger.reasons import Reason
from genie_obs.ledger.recheck import is_stale
from genie_obs.security.content_policy import ContentGuard

logger = logging.getLogger(__name__)

_CODES = {reason.value: reason for reason in Reason}
_ASKED_AT_ONCE = 64  # the limiter allows no more in flight, unless told to
# Of texts that may wait to be merged. Configurations may be large, and an account may have thousands of spaces. But a MERGE that
# changes rows rewrites the whole table, so there should be few of them.
_MANY_BYTES = 32 * 1024 * 1024
# What is kept of a space in memory for the whole run. Its configuration is not.
_KEPT = (
    "space_id", "title", "etag", "space_updated_at", "state", "reason_code", "state_reason", "http_status", "fetched_at",
    "went_state", "went_at",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SpaceVerdict:
    """Whether the messages of a space may be read, as of `checked_at` (UTC)."""

    title: str | None
    is_readable: bool
    code: Reason  # why not, if it may not be read
    reason: str | None
    http_status: int | None
    checked_at: datetime


class SpaceDirectory:
    """Knows the spaces of one workspace: lists them once a day, and then asks for each that may have changed.

    For example, of 1,000 spaces 3 were edited since yesterday and 2 are new. The listing shows it by etag or time of update, so the day
    costs 1 listing of 10 pages and 5 requests. A space that was forbidden is asked for every day, unless it was deleted.
    """

    def __init__(
        self,
        api: GenieApi,
        known: Iterable[Row],
        *,
        workspace_id: str,
        client_id: str,
        clock: Clock,
        content_guard: ContentGuard,
        drift: DriftCounter | None = None,
        departures: Mapping[str, Departure] | None = None,
    ) -> None:
        """Make a directory.

        Args:
            api: of the workspace.
            known: what is stored of its spaces.
            workspace_id: its id.
            client_id: of the service principal, for the advice.
            clock: decides what is a day old.
            content_guard: removes from a space what may not be stored.
            drift: counts what this version does not know.
            departures: what the audit log says of spaces that went or came back, by space_id.
        """
        self._api = api
        self._content_guard = content_guard
        self._drift = drift or DriftCounter()
        self._departures = departures or {}
        self._workspace_id = workspace_id
        self._client_id = client_id
        self._clock = clock
        self._known: dict[str, Row] = {row["space_id"]: row for row in known}
        self._taken = set(self._known)  # spaces that have a row, or will have one as soon as what was taken is merged
        self._manage: dict[str, asyncio.Task[bool]] = {}
        self._changed: dict[str, Row] = {}  # rows to merge, by space_id
        self._changed_bytes = 0

    async def refresh(self, wanted: Iterable[str], *, save: Callable[[], Awaitable[None]]) -> None:
        """Ask for the spaces that were last asked for a day ago, and for those of `wanted` that never were.

        `save` merges what has changed. It is called whenever many bytes wait, but not at the end.

        Raises:
            WorkspaceError: if the whole workspace is lost.
        """
        now = self._clock.now()
        new = {space_id for space_id in wanted if space_id not in self._known}
        stale = {space_id for space_id, row in self._known.items() if is_stale(row, now)}
        listed = await self._list() if stale or not self._known else {}
        unchanged = {space_id for space_id, space in listed.items() if self._is_unchanged(space)}
        for space_id in unchanged:
            self._record_readable(space_id, listed[space_id])
        asked = sorted((new | stale | set(listed)) - unchanged)
        waiting = iter(asked)

        async def ask() -> None:
            for space_id in waiting:
                await self._ask(space_id)
                if self._changed_bytes >= _MANY_BYTES:
                    await save()

        async with side_by_side() as group:
            for _ in range(min(len(asked), _ASKED_AT_ONCE)):
                group.create_task(ask())

    def verdict(self, space_id: str) -> SpaceVerdict:
        """Return what is known of a space that `refresh` was told about."""
        row = self._known[space_id]
        return SpaceVerdict(
            title=row["title"],
            is_readable=row["state"] == "readable",
            code=_CODES.get(row["reason_code"], Reason.NO_PERMISSION),
            reason=row["state_reason"],
            http_status=row["http_status"],
            checked_at=row["fetched_at"],
        )

    def take_changed(self) -> list[Row]:
        """Return the rows that changed since the last call, to be merged in this order; `is_new` says that none is stored yet."""
        changed, self._changed, self._changed_bytes = list(self._changed.values()), {}, 0
        self._taken.update(row["space_id"] for row in changed)
        return changed

    def try_again(self) -> None:
        """Forget the checks that did not end with an answer, because the workspace is tried once more."""
        self._manage = {
            space_id: check
            for space_id, check in self._manage.items()
            if check.done() and not check.cancelled() and check.exception() is None
        }

    async def may_read_messages(self, space_id: str) -> bool:
        """Ask once per run whether we hold CAN MANAGE, and mark the space forbidden if not.

        Databricks answers 404 both for what is gone and for what one may not see; this tells them apart.

        Raises:
            ApiError: if the service does not say. Every caller of this run gets the same error.
        """
        if space_id not in self._manage:
            self._manage[space_id] = asyncio.ensure_future(self._check_manage(space_id))
        return await self._manage[space_id]

    async def _check_manage(self, space_id: str) -> bool:
        if await self._api.can_manage(space_id):
            return True
        what = "the space can be read, but messages of others need CAN MANAGE"
        self._record_forbidden(space_id, 403, what, read_at=self._read_at(space_id))
        return False

    def _read_at(self, space_id: str) -> datetime | None:
        known = self._known.get(space_id, {})
        return known["fetched_at"] if known.get("state") == "readable" and known.get("http_status") else None

    async def _list(self) -> dict[str, Row]:
        try:
            spaces = [space async for space in self._api.list_spaces()]
        except ApiError as error:
            # The run goes on without the listing: each known space is then asked for alone.
            logger.warning("listing the spaces of workspace %s failed: %s", self._workspace_id, error)
            return {}
        return {space["space_id"]: space for space in spaces if isinstance(space.get("space_id"), str)}

    def _is_unchanged(self, space: Row) -> bool:
        """Say whether the listing proves that nothing changed since the space was read; else it must be read."""
        known = self._known.get(space["space_id"])
        if known is None or known["state"] != "readable":
            return False
        etag, updated_at = space.get("etag"), parse_instant(space.get("update_time"))
        return bool(etag and etag == known["etag"]) or bool(updated_at and updated_at == known["space_updated_at"])

    async def _ask(self, space_id: str) -> None:
        was_forbidden = self._known.get(space_id, {}).get("state") == "forbidden"
        try:
            space = await self._read(space_id)
        except (PermissionDeniedError, NotFoundError) as error:
            what = "not shared with the service principal, or gone" if error.status == 404 else "access refused"  # noqa: PLR2004
            self._record_forbidden(space_id, error.status, what)
        except ApiError as error:
            logger.warning("reading space %s of workspace %s failed: %s", space_id, self._workspace_id, error)
            self._leave_open(space_id)
        else:
            self._record_readable(space_id, space)
            if was_forbidden:
                await self._recheck(space_id)

    async def _recheck(self, space_id: str) -> None:
        try:
            await self.may_read_messages(space_id)
        except ApiError as error:
            # The answer is unknown, so the messages are tried.
            logger.warning("checking space %s of workspace %s failed: %s", space_id, self._workspace_id, error)

    async def _read(self, space_id: str) -> Mapping[str, Any]:
        try:
            return await self._api.get_space(space_id, include_serialized_space=True)
        except (PermissionDeniedError, NotFoundError):
            # The configuration needs CAN EDIT, the title does not.
            return await self._api.get_space(space_id)

    def _leave_open(self, space_id: str) -> None:
        """Leave the answer open: what was known stays. If nothing was, the messages are tried. The next run asks again."""
        open_row = {"space_id": space_id, "state": "readable", "fetched_at": self._clock.now()}
        self._known.setdefault(space_id, dict.fromkeys(_KEPT) | open_row)

    def _record_readable(self, space_id: str, space: Mapping[str, Any]) -> None:
        try:
            row = parse_space(space, self._drift)
            policy = self._content_guard.policy_of(self._workspace_id, space_id)
            row = self._content_guard.protect(row, table("space_details").texts, policy)
        except Exception as error:  # noqa: BLE001  # the per-item boundary: one odd space must not stop the run
            logger.error("space %s: %s", space_id, name_unexpected(error))  # noqa: TRY400  # the error may quote the space
            self._leave_open(space_id)
            return
        self._record(space_id, row, state="readable", code=None, reason=None, http_status=200)

    def _record_forbidden(
        self, space_id: str, http_status: int | None, what: str, *, read_at: datetime | None = None
    ) -> None:
        """Note that a space cannot be read. If it was read at `read_at`, after it went, it is there and lacks a grant."""
        went = self._departures.get(space_id)
        if went is not None and went.code is not None and (read_at is None or read_at < went.at):
            values, reason = went.columns(), went.reason
            self._record(space_id, values, state="forbidden", code=went.code, reason=reason, http_status=http_status)
            return
        grant = (
            f"grant service principal {self._client_id} CAN MANAGE on space {space_id}, or make it a workspace admin"
        )
        code, reason = Reason.NO_PERMISSION, f"{what}; {grant}"
        self._record(space_id, {}, state="forbidden", code=code, reason=reason, http_status=http_status)

    def _record(
        self,
        space_id: str,
        values: Row,
        *,
        state: str,
        code: Reason | None,
        reason: str | None,
        http_status: int | None,
    ) -> None:
        now = self._clock.now()
        status = {
            "state": state,
            "reason_code": code,
            "state_reason": reason,
            "http_status": http_status,
            "fetched_at": now,
            "updated_at": now,
        }
        earlier = self._changed.get(space_id) or {
            "workspace_id": self._workspace_id,
            "space_id": space_id,
            "is_new": space_id not in self._taken,
        }
        self._changed[space_id] = {**earlier, **values, **status}
        self._changed_bytes += text_bytes(values.values())
        known = self._known.get(space_id, {}) | self._changed[space_id]
        self._known[space_id] = {name: known.get(name) for name in _KEPT}
