"""What an account holds, and the few ways to add to it. Everything else is built on them."""

import random
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from genie_obs.simulator.account.audit import AuditEvent, AuditLog
from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.outcomes import apply_outcome, text_question
from genie_obs.simulator.account.publication import Publication
from genie_obs.simulator.account.space import SimulatedConversation, SimulatedSpace
from genie_obs.simulator.account.spec import AccountSpec
from genie_obs.simulator.account.statements import StatementLog
from genie_obs.simulator.account.user import SimulatedUser
from genie_obs.simulator.account.workspace import SimulatedWorkspace
from genie_obs.simulator.business.plan import pick_follow_up, pick_plan
from genie_obs.simulator.ids import hex_id, seeded_uuid
from genie_obs.simulator.instants import SECOND_US, Clock, from_us, to_us


class AccountState:
    """Workspaces, messages, audit rows and statements of one account, and its clock."""

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
        self.publications: dict[str, Publication] = {}  # what has been written, by folder
        self.rng = random.Random(f"{spec.seed}/operations")
        self.last_seq = 0

    @property
    def now(self) -> datetime:
        """The account's time, UTC."""
        return from_us(self.clock.now_us)

    def advance(self, delta: timedelta) -> None:
        """Move the clock forward. Running messages go on, and delayed rows become visible.

        Raises:
            ValueError: if `delta` is negative.
        """
        if delta < timedelta(0):
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
        """Return all messages that there ever were, the deleted ones too."""
        for workspace in list(self.workspaces.values()):
            for space in list(workspace.spaces.values()):
                for conversation in list(space.conversations.values()):
                    yield from list(conversation.messages.values())

    def open_conversation(
        self,
        space: SimulatedSpace,
        user: SimulatedUser | None,
        at_us: int,
        *,
        conversation_id: str | None = None,
        rng: random.Random | None = None,
    ) -> SimulatedConversation:
        """Add an empty conversation. It leaves no audit row before its first message."""
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
        """Add a message, without audit rows and statements. Without `text` its question continues the conversation."""
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
        """Append the audit rows of a question. Actions of the API have the prefix `genie`, those of the UI have none (observed)."""
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
                at_us=message.created_us - SECOND_US // 2,
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
        """Append an audit event. `more` are other fields of `AuditEvent`.

        Raises:
            ValueError: if there is neither a message nor a workspace.
        """
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

    def instant(self, at: datetime | None) -> int:
        """Return `at`, or now, in microseconds since 1970.

        Raises:
            ValueError: if the instant lies in the account's future.
        """
        at_us = self.clock.now_us if at is None else to_us(at)
        if at_us > self.clock.now_us:
            raise ValueError(f"{at} lies after the account's clock ({self.now.isoformat()}); advance it first")
        return at_us

    def place(
        self, workspace_id: str, space_id: str | None, conversation_id: str | None
    ) -> tuple[SimulatedSpace, SimulatedConversation | None]:
        """Return the space that the ids mean, and the conversation if it exists.

        Raises:
            KeyError: if an id is given that the workspace does not have.
        """
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

    def user(self, workspace_id: str, user_id: int | str) -> SimulatedUser:
        """Return a user of a workspace.

        Raises:
            KeyError: if there is none with that id.
        """
        return self.workspaces[workspace_id].users[int(user_id)]

    def default_user(self, space: SimulatedSpace, conversation: SimulatedConversation | None) -> SimulatedUser | None:
        """Return who asks if nobody is named."""
        return conversation.user if conversation is not None else space.audience[0]
