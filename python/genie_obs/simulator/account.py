"""The made-up account and everything that can happen in it.

Every operation changes what the API answers and leaves the audit rows and statements that the real service would leave. All of them may be
called while the account is served: one lock guards the account.
"""

import random
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from genie_obs.simulator.audit import AuditEvent, AuditLog
from genie_obs.simulator.content import pick_follow_up, pick_plan
from genie_obs.simulator.ids import MICROSECONDS, NEVER_US, child_id, from_us, hex_id, seeded_uuid, to_us
from genie_obs.simulator.model import (
    AccountSpec,
    Clock,
    SimulatedConversation,
    SimulatedMessage,
    SimulatedSpace,
    SimulatedUser,
    SimulatedWorkspace,
)
from genie_obs.simulator.outcomes import apply_outcome, new_statement_id, statements_of, text_question
from genie_obs.simulator.schemas import AUDIT
from genie_obs.simulator.statements import StatementLog

Access = Literal["hidden", "forbidden", "can_run"]
_ZERO = timedelta(0)
_RATINGS_UI = {"POSITIVE": "THUMBS_UP", "NEGATIVE": "THUMBS_DOWN", "NONE": "NONE"}


class SimulatedAccount:
    """One Databricks account with its workspaces, its history and a clock that only `advance` and `grow` move."""

    def __init__(self, spec: AccountSpec) -> None:
        self.spec = spec
        self.account_id = seeded_uuid(spec.seed, "account")
        self.client_id = seeded_uuid(spec.seed, "observer")
        self.client_secret = f"simulated-{seeded_uuid(spec.seed, 'credential')}"
        self.clock = Clock(to_us(spec.until))
        self.workspaces: dict[str, SimulatedWorkspace] = {}
        self.observer = SimulatedUser(
            user_id=7_000_000_000_000_001, email=self.client_id, name="genie-obs", application_id=self.client_id
        )
        self.audit = AuditLog()
        self.statements = StatementLog()
        self.lock = threading.RLock()
        self.publications: dict[str, object] = {}  # kept by system_tables: how far each folder is written
        self.rng = random.Random(f"{spec.seed}/operations")
        self.last_seq = 0

    # -- time and look-up -------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The account's time, UTC."""
        return from_us(self.clock.now_us)

    def advance(self, delta: timedelta) -> None:
        """Move the clock forward; running messages progress, delayed rows become visible.

        Raises:
            ValueError: if `delta` is negative.
        """
        if delta < _ZERO:
            raise ValueError("the account's clock only moves forward")
        with self.lock:
            self.clock.now_us += delta // timedelta(microseconds=1)

    def next_seq(self) -> int:
        """Return the next sequence number of audit events and statements."""
        self.last_seq += 1
        return self.last_seq

    def space(self, workspace_id: str, space_id: str) -> SimulatedSpace:
        """Return a space.

        Raises:
            KeyError: if there is none with that id.
        """
        return self.workspaces[workspace_id].spaces[space_id]

    def conversation_of(self, message: SimulatedMessage) -> SimulatedConversation:
        """Return the conversation a message belongs to."""
        return self.space(message.workspace_id, message.space_id).conversations[message.conversation_id]

    def messages(self) -> Iterator[SimulatedMessage]:
        """Return every message there ever was, the deleted ones included."""
        for workspace in list(self.workspaces.values()):
            for space in list(workspace.spaces.values()):
                for conversation in list(space.conversations.values()):
                    yield from list(conversation.messages.values())

    # -- asking -----------------------------------------------------------------------------------------------------------------------

    def ask(
        self,
        *,
        workspace_id: str,
        space_id: str | None = None,
        user_id: int | str | None = None,
        conversation_id: str | None = None,
        text: str | None = None,
        at: datetime | None = None,
        via: Literal["ui", "api"] = "ui",
        outcome: str | None = None,
        audit_delay: timedelta = _ZERO,
        statement_delay: timedelta = _ZERO,
        message_id: str | None = None,
        audit: bool = True,
    ) -> SimulatedMessage:
        """Ask a question; without `conversation_id` in a new conversation, without `space_id` in the conversation's or the first readable space.

        `outcome` is one of `outcomes.OUTCOMES` in any case (`None`: COMPLETED). The answer is there at once, except for `running` (it passes
        through the states and completes 40 seconds later by the account's clock) and `stuck` (never completes). With `audit=False` the audit
        log never hears of the message.
        """
        with self.lock:
            space, conversation = self._place(workspace_id, space_id, conversation_id)
            user = self._user(workspace_id, user_id) if user_id is not None else self._default_user(space, conversation)
            at_us = self._instant(at)
            is_new = conversation is None
            if conversation is None:
                conversation = self.open_conversation(space, user, at_us, conversation_id=conversation_id)
            wanted = (outcome or "completed").lower()
            duration_us = (
                40 * MICROSECONDS if wanted == "running" else min(12 * MICROSECONDS, self.clock.now_us - at_us)
            )
            message = self.add_message(
                space,
                conversation,
                user,
                at_us=at_us,
                finish_us=at_us + duration_us,
                outcome=wanted,
                via=via,
                text=text,
                message_id=message_id,
                rng=self.rng,
            )
            if not conversation.title:
                conversation.title = message.content[:80]
            for statement in statements_of(message, space, self.next_seq, self.rng, delay_us=_us(statement_delay)):
                self.statements.add(statement)
            if audit:
                self.record_question(message, is_new=is_new, visible_us=at_us + _us(audit_delay))
            return message

    def open_conversation(
        self,
        space: SimulatedSpace,
        user: SimulatedUser | None,
        at_us: int,
        *,
        conversation_id: str | None = None,
        rng: random.Random | None = None,
    ) -> SimulatedConversation:
        """Add an empty conversation; it leaves no audit row before its first message."""
        conversation = SimulatedConversation(
            conversation_id=conversation_id or hex_id(rng or self.rng, at_us),
            space_id=space.space_id,
            title="",
            user=user,
            created_us=at_us,
        )
        space.conversations[conversation.conversation_id] = conversation
        return conversation

    def add_message(
        self,
        space: SimulatedSpace,
        conversation: SimulatedConversation,
        user: SimulatedUser | None,
        *,
        at_us: int,
        finish_us: int,
        outcome: str,
        via: str,
        rng: random.Random,
        text: str | None = None,
        message_id: str | None = None,
        is_rephrasing: bool = False,
    ) -> SimulatedMessage:
        """Add a message without audit rows or statements; the question continues the conversation."""
        previous = next(reversed(conversation.messages.values()), None)
        message = SimulatedMessage(
            workspace_id=space.workspace_id,
            space_id=space.space_id,
            conversation_id=conversation.conversation_id,
            message_id=message_id or hex_id(rng, at_us),
            content=text or "",
            user=user,
            created_us=at_us,
            finish_us=finish_us,
            final_status="COMPLETED",
            clock=self.clock,
            via=via,
            is_private=conversation.is_private,
        )
        self._phrase(message, space, previous, rng, is_text=outcome == "text", is_rephrasing=is_rephrasing)
        apply_outcome(message, space, outcome, rng)
        conversation.messages[message.message_id] = message
        return message

    def _phrase(
        self,
        message: SimulatedMessage,
        space: SimulatedSpace,
        previous: SimulatedMessage | None,
        rng: random.Random,
        *,
        is_text: bool,
        is_rephrasing: bool,
    ) -> None:
        if is_text:
            question, message.text = text_question(rng, space)
            message.content = message.content or question
            return
        last = previous.plan if previous is not None else None
        if last is None:
            message.plan = pick_plan(rng, space.fact)
        else:
            message.plan = last if is_rephrasing else pick_follow_up(rng, last)
        if not message.content:
            message.content = message.plan.ask(rng, follow_up=last is not None and not is_rephrasing)

    def record_question(self, message: SimulatedMessage, *, is_new: bool, visible_us: int) -> None:
        """Append the audit rows of asking: names without prefix come from the UI, `genie…` from the API (observed)."""
        if message.via == "api":
            action = "genieStartConversationMessage" if is_new else "genieCreateConversationMessage"
            self.record(action, message=message, user=message.user, at_us=message.created_us, visible_us=visible_us)
            return
        if is_new:
            is_agent = self.conversation_of(message).is_agent
            self.record(
                "createConversation",
                workspace_id=message.workspace_id,
                space_id=message.space_id,
                conversation_id=message.conversation_id,
                user=message.user,
                at_us=message.created_us - MICROSECONDS // 2,
                visible_us=visible_us,
                params={"conversation_type": "DEEP_RESEARCH" if is_agent else "GENIE_CHAT"},  # observed
            )
        self.record(
            "createConversationMessage",
            message=message,
            user=message.user,
            at_us=message.created_us,
            visible_us=visible_us,
        )

    # -- what happens to a message afterwards -----------------------------------------------------------------------------------------

    def rate(
        self,
        message: SimulatedMessage,
        rating: str,
        comment: str | None = None,
        *,
        at: datetime | None = None,
        audit_delay: timedelta = _ZERO,
    ) -> None:
        """Rate a message POSITIVE, NEGATIVE or NONE; a comment is kept with the rating and as a message comment (docs).

        Raises:
            ValueError: if the rating is another word.
        """
        if rating not in _RATINGS_UI:
            raise ValueError(f"no rating {rating!r}; choose one of {', '.join(_RATINGS_UI)}")
        with self.lock:
            at_us = self._instant(at)
            message.feedback = (rating, comment)
            message.touch(at_us)
            if comment is not None:
                self._add_comment(message, comment, at_us)
            # observed: the UI writes THUMBS_UP / THUMBS_DOWN, the API POSITIVE / NEGATIVE
            action, shown = (
                ("genieSendMessageFeedback", rating)
                if message.via == "api"
                else ("updateConversationMessageFeedback", _RATINGS_UI[rating])
            )
            self._write_event(action, message, at_us, audit_delay, params={"feedback_rating": shown})

    def comment(
        self, message: SimulatedMessage, text: str, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Comment on a message (in the UI: request a review)."""
        with self.lock:
            at_us = self._instant(at)
            self._add_comment(message, text, at_us)
            message.touch(at_us)
            self._write_event("createConversationMessageComment", message, at_us, audit_delay)

    def regenerate(
        self,
        message: SimulatedMessage,
        *,
        outcome: str = "completed",
        at: datetime | None = None,
        audit_delay: timedelta = _ZERO,
    ) -> None:
        """Answer the same message again: same id, new SQL and statement."""
        self._answer_again("regenerateConversationMessage", message, outcome, at, audit_delay)

    def update(
        self,
        message: SimulatedMessage,
        text: str,
        *,
        outcome: str = "completed",
        at: datetime | None = None,
        audit_delay: timedelta = _ZERO,
    ) -> None:
        """Edit the question of a message, which is then answered again."""
        message.content = text
        self._answer_again("updateConversationMessage", message, outcome, at, audit_delay)

    edit = update

    def execute(
        self,
        message: SimulatedMessage,
        *,
        at: datetime | None = None,
        audit_delay: timedelta = _ZERO,
        statement_delay: timedelta = _ZERO,
    ) -> str:
        """Run the last query again and return the new statement id; an expired result is there again.

        Raises:
            ValueError: if the message has no query.
        """
        if not message.queries:
            raise ValueError(f"message {message.message_id} has no query to execute")
        with self.lock:
            at_us = self._instant(at)
            statement_id = new_statement_id(at_us, self.rng)
            message.queries[-1].statement_id = statement_id
            if message.final_status == "QUERY_RESULT_EXPIRED":
                message.final_status = "COMPLETED"
            message.touch(at_us)
            space = self.space(message.workspace_id, message.space_id)
            statement = statements_of(message, space, self.next_seq, self.rng, delay_us=0)[-1]
            statement.start_us, statement.update_us = at_us, at_us + statement.duration_ms * 1000
            statement.visible_us = at_us + _us(statement_delay)
            self.statements.add(statement)
            action = "genieExecuteMessageAttachmentQuery" if message.via == "api" else "executeMessageAttachmentQuery"
            self._write_event(
                action,
                message,
                at_us,
                audit_delay,
                params={"attachment_id": message.attachment_id(f"query-{len(message.queries) - 1}")},
            )
            return statement_id

    def expire_result(self, message: SimulatedMessage) -> None:
        """Let the cached result vanish: COMPLETED becomes QUERY_RESULT_EXPIRED, without an audit row (observed)."""
        with self.lock:
            message.final_status = "QUERY_RESULT_EXPIRED"
            message.body = None

    def delete_message(
        self, message: SimulatedMessage, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Delete one message: the API answers 404 from now on."""
        with self.lock:
            message.deleted = True
            self._write_event("deleteConversationMessage", message, self._instant(at), audit_delay)

    def delete_conversation(
        self, workspace_id: str, conversation_id: str, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Delete a conversation with its messages.

        Raises:
            KeyError: if the workspace has no such conversation.
        """
        with self.lock:
            space, conversation = self._place(workspace_id, None, conversation_id)
            if conversation is None:
                raise KeyError(conversation_id)
            conversation.deleted = True
            for message in conversation.messages.values():
                message.deleted = True
            at_us = self._instant(at)
            self.record(
                "deleteConversation",
                workspace_id=workspace_id,
                space_id=space.space_id,
                conversation_id=conversation_id,
                user=conversation.user,
                at_us=at_us,
                visible_us=at_us + _us(audit_delay),
            )

    def trash_space(
        self, workspace_id: str, space_id: str, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Move a space to the trash: everything in it answers 404; its messages are not marked as deleted."""
        with self.lock:
            space = self.space(workspace_id, space_id)
            space.trashed = True
            at_us = self._instant(at)
            self.record(
                "trashSpace",
                workspace_id=workspace_id,
                space_id=space_id,
                user=space.owner,
                at_us=at_us,
                visible_us=at_us + _us(audit_delay),
            )

    def read(
        self,
        message: SimulatedMessage,
        *,
        times: int = 1,
        at: datetime | None = None,
        user_id: int | str | None = None,
        audit_delay: timedelta = _ZERO,
        user_agent: str | None = None,
    ) -> None:
        """Poll a message `times` times: nothing but audit rows (observed: every poll is a row)."""
        with self.lock:
            at_us = self._instant(at)
            user = self._user(message.workspace_id, user_id) if user_id is not None else message.user
            action = "genieGetConversationMessage" if message.via == "api" else "getConversationMessage"
            self.record(
                action,
                message=message,
                user=user,
                at_us=at_us,
                visible_us=at_us + _us(audit_delay),
                repeat=times,
                step_us=MICROSECONDS,
                user_agent=user_agent,
            )

    # -- permissions and odd rows -----------------------------------------------------------------------------------------------------

    def deny_space(self, workspace_id: str, space_id: str, *, mode: Access = "hidden") -> None:
        """Take CAN MANAGE on a space from the observer.

        `hidden`: everything answers 404 (observed in place of 403); `forbidden`: 403; `can_run`: the space can be read, but of the
        conversations only the observer's own.
        """
        with self.lock:
            self.space(workspace_id, space_id).access = mode

    def allow_space(self, workspace_id: str, space_id: str) -> None:
        """Give the observer CAN MANAGE on a space."""
        with self.lock:
            self.space(workspace_id, space_id).access = "manage"

    def refused_event(
        self,
        *,
        workspace_id: str,
        action: str = "genieGetConversationMessage",
        status: int = 403,
        space_id: str | None = None,
        conversation_id: str | None = None,
        message_id: str | None = None,
        user_id: int | str | None = None,
        at: datetime | None = None,
        audit_delay: timedelta = _ZERO,
    ) -> None:
        """Append the audit row of a call that was refused, with whatever ids the caller sent."""
        with self.lock:
            at_us = self._instant(at)
            self.record(
                action,
                workspace_id=workspace_id,
                space_id=space_id,
                conversation_id=conversation_id,
                user=self._user(workspace_id, user_id) if user_id is not None else None,
                at_us=at_us,
                visible_us=at_us + _us(audit_delay),
                params=None if message_id is None else {"message_id": message_id},
                error=(status, "PERMISSION_DENIED" if status == 403 else "RESOURCE_DOES_NOT_EXIST"),
            )

    def add_raw_audit_row(self, *, audit_delay: timedelta = _ZERO, **columns: Any) -> None:
        """Append an audit row of which any column can be given by its name; `request_params` as a dict, structs as dicts.

        Raises:
            ValueError: if the table has no such column.
        """
        unknown = set(columns) - set(AUDIT.names)
        if unknown:
            raise ValueError(f"system.access.audit has no column {', '.join(sorted(unknown))}")
        with self.lock:
            at_us = self._instant(columns.get("event_time"))
            workspace_id = columns.get("workspace_id", next(iter(self.workspaces)))
            if isinstance(columns.get("request_params"), dict):
                columns["request_params"] = list(columns["request_params"].items())
            action = columns.get("action_name", "getSpace")
            self.record(
                action,
                workspace_id=workspace_id,
                user=None,
                at_us=at_us,
                visible_us=at_us + _us(audit_delay),
                columns=columns,
            )

    def record(
        self,
        action: str,
        *,
        user: SimulatedUser | None,
        at_us: int,
        visible_us: int,
        message: SimulatedMessage | None = None,
        workspace_id: str | None = None,
        **more: Any,
    ) -> None:
        """Append an audit event; `more` are further fields of `AuditEvent`."""
        workspace = message.workspace_id if message is not None else workspace_id
        if workspace is None:
            raise ValueError("an audit event needs a workspace or a message")
        self.audit.add(
            AuditEvent(
                seq=self.next_seq(),
                at_us=at_us,
                visible_us=visible_us,
                workspace_id=workspace,
                action=action,
                user=user,
                message=message,
                **more,
            )
        )

    def republish_statement(self, workspace_id: str, statement_id: str) -> None:
        """Publish a statement's row again with a later `update_time` and a longer duration (docs: only the newest row stays)."""
        with self.lock:
            statement = self.statements.by_id[workspace_id, statement_id]
            statement.seq = self.next_seq()
            statement.update_us = self.clock.now_us
            statement.duration_ms += 137

    def grow(self, *, until: datetime) -> None:
        """Let life go on up to `until` at the account's usual volume; the clock stands at `until` afterwards."""
        from genie_obs.simulator.life import grow  # noqa: PLC0415 - life is built on this module

        with self.lock:
            grow(self, to_us(until))

    # -- internals --------------------------------------------------------------------------------------------------------------------

    def _instant(self, at: datetime | None) -> int:
        at_us = self.clock.now_us if at is None else to_us(at)
        if at_us > self.clock.now_us:
            raise ValueError(f"{at} lies after the account's clock ({self.now.isoformat()}); advance it first")
        return at_us

    def _place(
        self, workspace_id: str, space_id: str | None, conversation_id: str | None
    ) -> tuple[SimulatedSpace, SimulatedConversation | None]:
        spaces = self.workspaces[workspace_id].spaces
        if space_id is not None:
            return spaces[space_id], spaces[space_id].conversations.get(conversation_id or "")
        for space in spaces.values():
            if conversation_id in space.conversations:
                return space, space.conversations[conversation_id]
        if conversation_id is not None:
            raise KeyError(f"workspace {workspace_id} has no conversation {conversation_id}")
        return next(
            (space for space in spaces.values() if space.access == "manage" and not space.trashed),
            next(iter(spaces.values())),
        ), None

    def _user(self, workspace_id: str, user_id: int | str) -> SimulatedUser:
        return self.workspaces[workspace_id].users[int(user_id)]

    def _default_user(self, space: SimulatedSpace, conversation: SimulatedConversation | None) -> SimulatedUser | None:
        return conversation.user if conversation is not None else space.audience[0]

    def _write_event(
        self, action: str, message: SimulatedMessage, at_us: int, delay: timedelta, params: dict[str, str] | None = None
    ) -> None:
        self.record(
            action, message=message, user=message.user, at_us=at_us, visible_us=at_us + _us(delay), params=params
        )

    def _add_comment(self, message: SimulatedMessage, text: str, at_us: int) -> None:
        comments = message.comments if message.comments is not None else []
        comments.append(
            {
                "space_id": message.space_id,
                "conversation_id": message.conversation_id,
                "message_id": message.message_id,
                "message_comment_id": child_id(message.message_id, f"comment-{len(comments)}"),
                "content": text,
                "created_timestamp": at_us // 1000,
                "user_id": message.user_id,
            }
        )
        message.comments = comments

    def _answer_again(
        self, action: str, message: SimulatedMessage, outcome: str, at: datetime | None, audit_delay: timedelta
    ) -> None:
        with self.lock:
            at_us = self._instant(at)
            space = self.space(message.workspace_id, message.space_id)
            message.stuck_status = None
            created_us, message.created_us = message.created_us, at_us
            message.finish_us = at_us + (40 * MICROSECONDS if outcome.lower() == "running" else 0)
            apply_outcome(message, space, outcome.lower(), self.rng)
            for statement in statements_of(message, space, self.next_seq, self.rng, delay_us=0):
                self.statements.add(statement)
            message.created_us = created_us
            message.touch(at_us)
            self._write_event(action, message, at_us, audit_delay)


def _us(delta: timedelta) -> int:
    return min(delta // timedelta(microseconds=1), NEVER_US // 2)
