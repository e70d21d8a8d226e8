"""The made-up account, and what its users do.

Each operation changes what the API answers. It also leaves the audit rows and the statements that the real service would leave. All
operations may be called while the account is served, because one lock guards the account.
"""

from datetime import datetime, timedelta
from typing import Literal

from genie_obs.simulator.account.incidents import AccountIncidents
from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.outcomes import apply_outcome, new_statement_id, statements_of
from genie_obs.simulator.ids import child_id
from genie_obs.simulator.instants import SECOND_US, duration_us

_ZERO = timedelta(0)
_RATINGS_UI = {"POSITIVE": "THUMBS_UP", "NEGATIVE": "THUMBS_DOWN", "NONE": "NONE"}


class SimulatedAccount(AccountIncidents):
    """One Databricks account with its workspaces and its history. Its clock moves only by `advance` and `growth.grow`."""

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
        """Ask a question and return the message.

        Without `conversation_id` a new conversation is opened. Without `space_id` it is asked in the space of the conversation, or else
        in the first space that the observer can read.

        `outcome` is one of `outcomes.OUTCOMES`, in upper or lower case; `None` means `completed`. The answer is there at once. There are
        two exceptions: a `running` message passes through the states and completes after 40 seconds by the account's clock, and a `stuck`
        one never completes.

        `at` is an aware instant, by default the account's now. `audit_delay` and `statement_delay` say how late the rows become visible.
        With `audit=False` the audit log never shows the message.

        Raises:
            KeyError: if the workspace has no such space, conversation or user.
            ValueError: if there is no such outcome, or `at` lies in the account's future or has no time zone.
        """
        with self.lock:
            space, conversation = self.place(workspace_id, space_id, conversation_id)
            user = self.user(workspace_id, user_id) if user_id is not None else self.default_user(space, conversation)
            at_us = self.instant(at)
            is_new = conversation is None
            if conversation is None:
                conversation = self.open_conversation(space, user, at_us, conversation_id=conversation_id)
            wanted = (outcome or "completed").lower()
            answer_us = 40 * SECOND_US if wanted == "running" else min(12 * SECOND_US, self.clock.now_us - at_us)
            message = self.add_message(
                space,
                conversation,
                user,
                at_us=at_us,
                finish_us=at_us + answer_us,
                outcome=wanted,
                via=via,
                text=text,
                message_id=message_id,
                rng=self.rng,
            )
            if not conversation.title:
                conversation.title = message.content[:80]
            for statement in statements_of(
                message, space, self.next_seq, self.rng, delay_us=duration_us(statement_delay)
            ):
                self.statements.add(statement)
            if audit:
                self.record_question(message, is_new=is_new, visible_us=at_us + duration_us(audit_delay))
            return message

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
        """Rate a message POSITIVE, NEGATIVE or NONE. A comment is kept with the rating, and also as a comment of the message (docs).

        Raises:
            ValueError: if the rating is another word.
        """
        if rating not in _RATINGS_UI:
            raise ValueError(f"no rating {rating!r}; choose one of {', '.join(_RATINGS_UI)}")
        with self.lock:
            at_us = self.instant(at)
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
            at_us = self.instant(at)
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
        """Answer the same message again: its id stays, its SQL and its statement are new."""
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
        """Edit the question of a message. It is then answered again."""
        message.content = text
        self._answer_again("updateConversationMessage", message, outcome, at, audit_delay)

    def execute(
        self,
        message: SimulatedMessage,
        *,
        at: datetime | None = None,
        audit_delay: timedelta = _ZERO,
        statement_delay: timedelta = _ZERO,
    ) -> str:
        """Run the last query again and return the id of the new statement. An expired result is available again.

        Raises:
            ValueError: if the message has no query.
        """
        if not message.queries:
            raise ValueError(f"message {message.message_id} has no query to execute")
        with self.lock:
            at_us = self.instant(at)
            statement_id = new_statement_id(at_us, self.rng)
            message.queries[-1].statement_id = statement_id
            if message.final_status == "QUERY_RESULT_EXPIRED":
                message.final_status = "COMPLETED"
            message.touch(at_us)
            space = self.space(message.workspace_id, message.space_id)
            statement = statements_of(message, space, self.next_seq, self.rng, delay_us=0)[-1]
            statement.start_us, statement.update_us = at_us, at_us + statement.duration_ms * 1000
            statement.visible_us = at_us + duration_us(statement_delay)
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

    def delete_message(
        self, message: SimulatedMessage, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Delete one message: the API answers 404 from now on."""
        with self.lock:
            message.deleted = True
            self._write_event("deleteConversationMessage", message, self.instant(at), audit_delay)

    def delete_conversation(
        self, workspace_id: str, conversation_id: str, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Delete a conversation with its messages.

        Raises:
            KeyError: if the workspace has no such conversation.
        """
        with self.lock:
            space, conversation = self.place(workspace_id, None, conversation_id)
            if conversation is None:
                raise KeyError(conversation_id)
            conversation.deleted = True
            for message in conversation.messages.values():
                message.deleted = True
            at_us = self.instant(at)
            self.record(
                "deleteConversation",
                workspace_id=workspace_id,
                space_id=space.space_id,
                conversation_id=conversation_id,
                user=conversation.user,
                at_us=at_us,
                visible_us=at_us + duration_us(audit_delay),
            )

    def trash_space(
        self, workspace_id: str, space_id: str, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Move a space to the trash: everything in it answers 404. Its messages are not marked as deleted."""
        self._end_space("trashSpace", workspace_id, space_id, at, audit_delay, is_gone=True)

    def delete_space(
        self, workspace_id: str, space_id: str, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Delete a space for good. The API answers as for one in the trash."""
        self._end_space("deleteSpace", workspace_id, space_id, at, audit_delay, is_gone=True)

    def restore_space(
        self, workspace_id: str, space_id: str, *, at: datetime | None = None, audit_delay: timedelta = _ZERO
    ) -> None:
        """Take a space out of the trash: the API answers as before."""
        self._end_space("restoreSpace", workspace_id, space_id, at, audit_delay, is_gone=False)

    def _end_space(
        self,
        action: str,
        workspace_id: str,
        space_id: str,
        at: datetime | None,
        audit_delay: timedelta,
        *,
        is_gone: bool,
    ) -> None:
        with self.lock:
            space = self.space(workspace_id, space_id)
            space.trashed = is_gone
            at_us = self.instant(at)
            self.record(
                action,
                workspace_id=workspace_id,
                space_id=space_id,
                user=space.owner,
                at_us=at_us,
                visible_us=at_us + duration_us(audit_delay),
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
        """Poll a message `times` times. It leaves one audit row for each poll (observed) and changes nothing else."""
        with self.lock:
            at_us = self.instant(at)
            user = self.user(message.workspace_id, user_id) if user_id is not None else message.user
            action = "genieGetConversationMessage" if message.via == "api" else "getConversationMessage"
            self.record(
                action,
                message=message,
                user=user,
                at_us=at_us,
                visible_us=at_us + duration_us(audit_delay),
                repeat=times,
                step_us=SECOND_US,
                user_agent=user_agent,
            )

    # -- internals --------------------------------------------------------------------------------------------------------------------

    def _write_event(
        self, action: str, message: SimulatedMessage, at_us: int, delay: timedelta, params: dict[str, str] | None = None
    ) -> None:
        self.record(
            action,
            message=message,
            user=message.user,
            at_us=at_us,
            visible_us=at_us + duration_us(delay),
            params=params,
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
            at_us = self.instant(at)
            space = self.space(message.workspace_id, message.space_id)
            message.stuck_status = None
            created_us, message.created_us = message.created_us, at_us
            message.finish_us = at_us + (40 * SECOND_US if outcome.lower() == "running" else 0)
            apply_outcome(message, space, outcome.lower(), self.rng)
            for statement in statements_of(message, space, self.next_seq, self.rng, delay_us=0):
                self.statements.add(statement)
            message.created_us = created_us
            message.touch(at_us)
            self._write_event(action, message, at_us, audit_delay)
