"""People at work: what they ask, and what follows from it."""

import bisect
import itertools
import random
from datetime import datetime, timedelta

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.outcomes import statements_of
from genie_obs.simulator.account.space import SimulatedConversation, SimulatedSpace
from genie_obs.simulator.account.user import SimulatedUser
from genie_obs.simulator.instants import HOUR_US, MINUTE_US, SECOND_US, from_us

# Comments of a rating, drawn with equal chance; None: a rating without a comment.
_PRAISE = (
    None, None, None,
    "exactly what I needed",
    "Great, matches our report",
    "👍 fast",
    "sehr hilfreich",
)  # fmt: skip
_COMPLAINTS = (
    None,
    "wrong numbers, should exclude returns",
    "Does not match the finance report",
    "It used the wrong date column",
    "I asked for EMEA, not all regions",
    "too slow",
    "no answer at all :(",
    "falsche Tabelle",
)
_REVIEW = "Please review: is this the official number?"


class Life:
    """Lets people ask in the spaces of one account, up to a limit in time."""

    def __init__(
        self, account: SimulatedAccount, rng: random.Random, *, limit_us: int, visible_limit_us: int | None
    ) -> None:
        self.account = account
        self.rng = rng
        self.limit_us = limit_us
        self.visible_limit_us = visible_limit_us  # no row becomes visible after it; None: no limit
        self.spaces = [
            space
            for workspace in account.workspaces.values()
            for space in workspace.spaces.values()
            if not space.trashed
        ]
        self.space_weights = list(itertools.accumulate(space.weight for space in self.spaces))
        self.audience_weights = {
            space.space_id: list(itertools.accumulate(user.activity for user in space.audience if not user.is_deleted))
            for space in self.spaces
        }
        self.has_oddities = account.spec.quirks

    def pick_space(self, progress: float) -> SimulatedSpace:
        """Return a space that people still use after the share `progress` (0 to 1) of the history."""
        for _ in range(20):
            space = self.spaces[self._draw(self.space_weights)]
            if space.active_until >= progress:
                return space
        return self.spaces[0]

    def pick_user(self, space: SimulatedSpace) -> SimulatedUser:
        """Return somebody who may ask in the space. Active users are picked more often."""
        people = [user for user in space.audience if not user.is_deleted]
        return people[self._draw(self.audience_weights[space.space_id])] if people else space.owner

    def _draw(self, cumulative: list[float]) -> int:
        return bisect.bisect(cumulative, self.rng.random() * cumulative[-1], hi=len(cumulative) - 1)

    def converse(
        self,
        space: SimulatedSpace,
        start_us: int,
        turns: int,
        *,
        conversation: SimulatedConversation | None = None,
        pace_us: int = 150 * SECOND_US,
    ) -> int:
        """Ask `turns` questions from `start_us` on, fewer if the limit comes first. Return how many were asked."""
        user = self.pick_user(space) if conversation is None else (conversation.user or self.pick_user(space))
        via = "api" if user.application_id is not None or self.rng.random() < 0.04 else "ui"
        if conversation is None:
            conversation = self.account.open_conversation(space, user, start_us, rng=self.rng)
            conversation.is_agent = self.has_oddities and self.rng.random() < 0.03
        pace_us = max(1, min(pace_us, (self.limit_us - start_us) // (turns + 1)))
        at_us, previous_failed = start_us, False
        for turn in range(turns):
            if at_us > self.limit_us:
                return turn
            message = self.ask(space, conversation, user, at_us, via=via, is_rephrasing=previous_failed)
            previous_failed = (message.final_status == "FAILED" or message.is_clarification) and self.rng.random() < 0.7
            at_us += int(pace_us * self.rng.uniform(0.4, 1.0))
        return turns

    def ask(
        self,
        space: SimulatedSpace,
        conversation: SimulatedConversation,
        user: SimulatedUser,
        at_us: int,
        *,
        via: str,
        is_rephrasing: bool = False,
        outcome: str | None = None,
    ) -> SimulatedMessage:
        """Ask one question, with its statements, audit rows, reads and reactions."""
        rng = self.rng
        is_new = not conversation.messages
        finish_us = at_us + int(min(6 + rng.lognormvariate(2.2, 0.6), 240) * SECOND_US)
        if self.visible_limit_us is not None:
            finish_us = min(finish_us, self.visible_limit_us)
        message = self.account.add_message(
            space,
            conversation,
            user,
            at_us=at_us,
            finish_us=finish_us,
            outcome=outcome or self._outcome(space),
            via=via,
            rng=rng,
            is_rephrasing=is_rephrasing,
        )
        if is_new:
            conversation.title = message.content[:80]
        # docs: statements appear within an hour; here some take longer
        low, high = (2, 35) if rng.random() < 0.94 else (60, 150)
        statement_delay_us = int(rng.uniform(low, high) * MINUTE_US)
        for statement in statements_of(message, space, self.account.next_seq, rng, delay_us=statement_delay_us):
            statement.visible_us = self._visible(statement.visible_us)
            self.account.statements.add(statement)
        visible_us = self._visible(at_us + self.audit_delay_us())
        self.account.record_question(message, is_new=is_new, visible_us=visible_us)
        self._record_reads(message, visible_us)
        self._react(message)
        return message

    def audit_delay_us(self) -> int:
        """Return how late an audit row is: 1 to 15 minutes, rarely hours (observed: nothing is guaranteed)."""
        if self.has_oddities and self.rng.random() < 0.01:
            return int(self.rng.uniform(1, 9) * HOUR_US)
        return int(self.rng.triangular(1, 15, 4) * MINUTE_US)

    def _visible(self, at_us: int) -> int:
        return at_us if self.visible_limit_us is None else min(at_us, self.visible_limit_us)

    def _outcome(self, space: SimulatedSpace) -> str:
        difficulty = 0.4 + (int(space.space_id[-2:], 16) / 255) * 1.4
        draw = self.rng.random()
        for outcome, share in (
            ("failed", 0.055 * difficulty),
            ("clarification", 0.04 * difficulty),
            ("text", 0.07),
            ("cancelled", 0.015),
        ):
            draw -= share
            if draw < 0:
                return outcome
        return "completed"

    def _record_reads(self, message: SimulatedMessage, visible_us: int) -> None:
        """Add the audit rows of polls and of looks at the result: one row each (observed)."""
        verb = "genieGet" if message.via == "api" else "get"
        polls = self.rng.randrange(2, 9) if message.via == "api" else self.rng.randrange(1, 4)
        self.account.record(
            f"{verb}ConversationMessage",
            message=message,
            user=message.user,
            at_us=message.created_us + 2 * SECOND_US,
            visible_us=visible_us,
            repeat=polls,
            step_us=2 * SECOND_US,
        )
        if message.queries and self.has_oddities and self.rng.random() < 0.6:
            self.account.record(
                f"{verb}MessageAttachmentQueryResult",
                message=message,
                user=message.user,
                at_us=message.finish_us if message.stuck_status is None else message.created_us,
                visible_us=visible_us,
                params={"attachment_id": message.attachment_id(f"query-{len(message.queries) - 1}")},
            )

    def _react(self, message: SimulatedMessage) -> None:
        """Let the asker rate some answers; with oddities also comment on some, run them again, or have them answered again."""
        draw = self.rng.random()
        reacted_us = message.created_us + int(self.rng.uniform(1, 9) * MINUTE_US)
        later = from_us(min(reacted_us, self.limit_us + 5 * MINUTE_US, self.account.clock.now_us))
        delay = self._delay(later.timestamp())
        if draw < (0.12 if message.final_status == "FAILED" else 0.085):
            self._rate(message, later, delay)
        elif draw > 0.985 and self.has_oddities and message.status == "COMPLETED":
            self._return_to(message, draw, later, delay)

    def _rate(self, message: SimulatedMessage, later: datetime, delay: timedelta) -> None:
        is_praise = self.rng.random() < (0.1 if message.final_status == "FAILED" else 0.72)
        comment = self.rng.choice(_PRAISE if is_praise else _COMPLAINTS)
        self.account.rate(message, "POSITIVE" if is_praise else "NEGATIVE", comment, at=later, audit_delay=delay)

    def _return_to(self, message: SimulatedMessage, draw: float, later: datetime, delay: timedelta) -> None:
        if draw > 0.995 and message.queries:
            self.account.execute(message, at=later, audit_delay=delay, statement_delay=delay)
        elif draw > 0.992:
            self.account.comment(message, _REVIEW, at=later, audit_delay=delay)
        elif message.queries and message.finish_us <= later.timestamp() * 1e6:
            if draw > 0.988:
                self.account.regenerate(message, at=later, audit_delay=delay)
            else:
                self.account.update(message, message.content + ", please", at=later, audit_delay=delay)

    def _delay(self, at_seconds: float) -> timedelta:
        at_us = int(at_seconds * SECOND_US)
        return timedelta(microseconds=max(0, self._visible(at_us + self.audit_delay_us()) - at_us))
