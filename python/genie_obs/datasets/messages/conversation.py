"""Reading the due messages of one conversation: each gets an outcome, whatever happens to the others."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from genie_obs.clock import Clock
from genie_obs.datasets.messages.outcomes import (
    Outcome,
    WorkspaceRun,
    absent,
    failed,
    forbidden,
    listed_only,
    stored,
    withheld,
)
from genie_obs.datasets.messages.parsing.message_drift import find_drift
from genie_obs.datasets.messages.parsing.message_rows import parse_message
from genie_obs.datasets.messages.planner import ConversationPlan
from genie_obs.datasets.messages.users import Asker, UserDirectory
from genie_obs.datasets.spaces.directory import SpaceDirectory, SpaceVerdict
from genie_obs.drift import DriftCounter
from genie_obs.errors import (
    ApiError,
    GenieObsError,
    NotFoundError,
    PermissionDeniedError,
    WorkspaceError,
    name_unexpected,
)
from genie_obs.genie_api.api import GenieApi
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.lakehouse.schema import table
from genie_obs.ledger.reasons import Reason
from genie_obs.ledger.rows import DueMessage
from genie_obs.ledger.states import RECHECK_AFTER
from genie_obs.security.content_policy import ContentGuard

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class ConversationReader:
    """Reads conversations of one workspace, several at once; adds up what came of their due messages."""

    workspace: WorkspaceRun
    api: GenieApi
    spaces: SpaceDirectory
    users: UserDirectory
    content_guard: ContentGuard
    drift: DriftCounter
    clock: Clock
    put: Callable[[Outcome], Awaitable[None]]  # hands an outcome over to be merged; may wait
    settled_count: int = 0  # due messages with an outcome
    unchanged_count: int = 0  # of these, forbidden ones that still are: the ledger is left as it is
    expected_calls: int = 0

    async def read(self, plan: ConversationPlan) -> None:
        """Give every due message of the conversation its outcome.

        Raises:
            WorkspaceError: the workspace is lost; messages without an outcome keep their state.
        """
        verdict = self.spaces.verdict(plan.space_id)
        if not verdict.is_readable:
            await self._refuse(plan.due.values(), verdict)
            return
        self.expected_calls += plan.expected_calls
        waiting = dict(plan.due)
        if plan.is_listed:
            async with self._failures_settle(plan.space_id, waiting):
                await self._list(plan, waiting)
        # One by one: what was planned so, and what a complete listing did not show or nobody could read there.
        for due in list(waiting.values()):
            async with self._failures_settle(plan.space_id, {due.message_id: due}):
                await self._get(due)

    @asynccontextmanager
    async def _failures_settle(self, space_id: str, waiting: dict[str, DueMessage]) -> AsyncIterator[None]:
        """Let what goes wrong inside be the outcome of the messages that still wait for one; none waits afterwards."""
        try:
            yield
        except WorkspaceError:
            raise
        except (NotFoundError, PermissionDeniedError) as error:
            await self._settle_refusal(space_id, waiting.values(), error)
            waiting.clear()
        except ApiError as error:
            await self._fail(waiting.values(), str(error), error.status)
            waiting.clear()
        except Exception as error:  # noqa: BLE001  # the per-item boundary: one odd message must not stop the run
            logger.error("reading a message failed: %s", name_unexpected(error))  # noqa: TRY400  # the error may quote the message
            reason = f"{type(error).__name__} while reading the answer; please report it"
            await self._fail(waiting.values(), reason, None, Reason.UNREADABLE_ANSWER)
            waiting.clear()

    async def _list(self, plan: ConversationPlan, waiting: dict[str, DueMessage]) -> None:
        at = self.clock.now()
        async for page in self.api.list_messages(plan.space_id, plan.conversation_id):
            for raw in page:
                with _skip_when_odd():
                    await self._take(plan, raw, at, waiting)
            if not waiting:
                return  # every due message was there: later pages hold nothing that was asked for
            at = self.clock.now()

    async def _take(
        self, plan: ConversationPlan, raw: Mapping[str, Any], at: datetime, waiting: dict[str, DueMessage]
    ) -> None:
        """Store a message of a listing: one that is due, or one that nobody has heard of yet."""
        message = self._parse(raw, plan)
        message_id = message["message_id"]
        if (due := waiting.get(message_id)) is not None:
            await self._store(due, message, at)
            waiting.pop(message_id)
        elif message_id and message_id not in plan.due and message_id not in plan.final_message_ids:
            await self._store_listed(plan, message, at)

    async def _get(self, due: DueMessage) -> None:
        at = self.clock.now()
        raw = await self.api.get_message(due.space_id, due.conversation_id, due.message_id)
        await self._store(due, self._parse(raw, due), at)

    def _parse(self, raw: Mapping[str, Any], place: ConversationPlan | DueMessage) -> Row:
        message = parse_message(raw)
        self.drift.add_all(find_drift(raw, message))
        message["space_id"] = message["space_id"] or place.space_id
        message["conversation_id"] = message["conversation_id"] or place.conversation_id
        # The one place where text enters: from here on a message is as it may be stored.
        policy = self.content_guard.policy_of(self.workspace.workspace_id, place.space_id)
        protected = self.content_guard.protect(message, table("message_details").texts, policy)
        return {**protected, "content_policy": policy.value}

    async def _store(self, due: DueMessage, message: Row, at: datetime) -> None:
        asker = Asker(email=due.user_email) if due.user_email else await self.users.find(message["user_id"])
        outcome = stored(
            self.workspace,
            due,
            {**message, "user_email": asker.email},
            space_name=self.spaces.verdict(due.space_id).title,
            fetched_at=at,
            is_asker_pending=asker.is_pending,
        )
        await self._settle(outcome)

    async def _store_listed(self, plan: ConversationPlan, message: Row, at: datetime) -> None:
        asker = await self.users.find(message["user_id"])
        place = {"space_id": plan.space_id, "conversation_id": plan.conversation_id}
        outcome = listed_only(
            self.workspace,
            {**message, **place, "user_email": asker.email},
            space_name=self.spaces.verdict(plan.space_id).title,
            fetched_at=at,
            is_asker_pending=asker.is_pending,
        )
        await self.put(outcome)

    async def _settle_refusal(self, space_id: str, refused: Iterable[DueMessage], error: ApiError) -> None:
        """Decide what a 403 or 404 means: no right to read, or nothing there."""
        at = self.clock.now()
        try:
            may_read = await self.spaces.may_read_messages(space_id)
        except ApiError as unknown:
            await self._fail(refused, str(unknown), unknown.status)
            return
        if not may_read:
            await self._refuse(refused, self.spaces.verdict(space_id))
            return
        for due in refused:
            is_absent = isinstance(error, NotFoundError)
            await self._settle(
                absent(self.workspace, due, at=at)
                if is_absent
                else withheld(self.workspace, due, said=error.api_message, http_status=error.status, at=at)
            )

    async def _refuse(self, refused: Iterable[DueMessage], verdict: SpaceVerdict) -> None:
        for due in refused:
            if due.state == "forbidden":
                self.unchanged_count += 1
                self.settled_count += 1
                continue
            outcome = forbidden(
                self.workspace, due, code=verdict.code, reason=verdict.reason or "access refused",
                http_status=verdict.http_status, at=self.clock.now(), retry_at=verdict.checked_at + RECHECK_AFTER,
            )  # fmt: skip
            await self._settle(outcome)

    async def _fail(
        self, unread: Iterable[DueMessage], reason: str, http_status: int | None, code: Reason = Reason.REQUEST_FAILED
    ) -> None:
        at = self.clock.now()
        for due in unread:
            await self._settle(failed(self.workspace, due, code=code, reason=reason, http_status=http_status, at=at))

    async def _settle(self, outcome: Outcome) -> None:
        # The buffer may be full, and a worker that waits here may be cancelled: then the message has no outcome yet.
        await self.put(outcome)
        self.settled_count += 1


@contextmanager
def _skip_when_odd() -> Iterator[None]:
    """Let a message of a page that nobody can read stop none of the others; if it is due, it is asked for alone afterwards."""
    try:
        yield
    except GenieObsError:
        raise
    except Exception as error:  # noqa: BLE001  # the per-item boundary
        logger.error("reading a message failed: %s", name_unexpected(error))  # noqa: TRY400  # the error may quote the message
