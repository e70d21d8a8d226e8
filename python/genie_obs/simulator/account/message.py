"""A message: a question, its answer, and the queries behind the answer."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from genie_obs.simulator.account.quirk import Quirk
from genie_obs.simulator.account.user import SimulatedUser
from genie_obs.simulator.business.plan import Plan
from genie_obs.simulator.business.sql import sql_of
from genie_obs.simulator.ids import child_id
from genie_obs.simulator.instants import NEVER_US, Clock, from_us

# The states of a running message, in order (SDK: MessageStatus). Each lasts until this share of the time to the answer.
_STAGES = (
    (0.04, "SUBMITTED"),
    (0.12, "FETCHING_METADATA"),
    (0.25, "FILTERING_CONTEXT"),
    (0.60, "ASKING_AI"),
    (0.70, "PENDING_WAREHOUSE"),
    (1.00, "EXECUTING_QUERY"),
)


@dataclass(slots=True)
class Query:
    """One SQL statement Genie wrote for a message."""

    plan: Plan
    statement_id: str | None
    row_count: int | None = None
    is_truncated: bool = False
    sql_override: str | None = None

    @property
    def sql(self) -> str:
        """The statement's text."""
        return self.sql_override if self.sql_override is not None else sql_of(self.plan)


@dataclass(slots=True, eq=False)
class SimulatedMessage:
    """One turn: a question and its answer. `status` follows the account's clock."""

    workspace_id: str
    space_id: str
    conversation_id: str
    message_id: str
    content: str
    user: SimulatedUser | None
    created_us: int
    finish_us: int  # the status is `final_status` from this instant on
    final_status: str
    clock: Clock
    via: str = "ui"
    plan: Plan | None = None
    queries: list[Query] = field(default_factory=list)
    text: str | None = None  # the answer; with `is_clarification` the question that Genie asks back
    is_clarification: bool = False
    superseded_text: str | None = None  # what Genie said between two queries, when it corrected itself
    suggestions: tuple[str, ...] = ()
    has_chart: bool = False
    error: tuple[str, str] | None = None  # (type, text)
    feedback: tuple[str, str | None] | None = None  # (rating, comment)
    comments: list[dict[str, Any]] | None = None
    quirks: Quirk = Quirk.NONE
    stuck_status: str | None = None
    modified_us: int = 0
    deleted: bool = False
    is_private: bool = False
    audit_visible_us: int = NEVER_US
    body: bytes | None = None  # rendered JSON of a settled message

    @property
    def status(self) -> str:
        """The status that the API shows now."""
        now_us = self.clock.now_us
        if now_us >= self.finish_us:
            return self.final_status
        if self.stuck_status is not None:
            return self.stuck_status
        share = (now_us - self.created_us) / max(1, self.finish_us - self.created_us)
        return next((name for limit, name in _STAGES if share < limit), "EXECUTING_QUERY")

    @property
    def is_settled(self) -> bool:
        """Whether the status no longer depends on the clock."""
        return self.clock.now_us >= self.finish_us or self.stuck_status is not None

    @property
    def user_id(self) -> int | None:
        """The numeric id of the asker, as in SCIM. Quirks can make it 0 or None."""
        if self.quirks & Quirk.USER_ZERO:
            return 0
        return self.user.user_id if self.user is not None and not self.quirks & Quirk.USER_NULL else None

    @property
    def created_at(self) -> datetime:
        """When the question was asked, UTC."""
        return from_us(self.created_us)

    @property
    def updated_us(self) -> int:
        """The last change that the API shows, in microseconds since 1970."""
        finished = self.finish_us if self.clock.now_us >= self.finish_us else self.created_us
        return max(finished, self.modified_us)

    @property
    def audit_visible_at(self) -> datetime | None:
        """When the first audit row that proves the message becomes visible, UTC. None if there is no such row."""
        return None if self.audit_visible_us >= NEVER_US else from_us(self.audit_visible_us)

    @property
    def statement_ids(self) -> list[str]:
        """The statement ids of all query attachments, in order."""
        return [query.statement_id for query in self.queries if query.statement_id]

    @property
    def rating(self) -> str | None:
        """POSITIVE, NEGATIVE or NONE. None if the message was never rated."""
        return self.feedback[0] if self.feedback else None

    def attachment_id(self, name: str) -> str:
        """Return the id of the attachment called `name` (`query-0`, `text`, …)."""
        return child_id(self.message_id, name)

    def touch(self, at_us: int) -> None:
        """Note a change at `at_us`: the API shows it as the update time, and the body is rendered again."""
        self.modified_us = max(self.modified_us, at_us)
        self.body = None
