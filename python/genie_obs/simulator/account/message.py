"""What an account is made of: workspaces, spaces, users, conversations, messages and their statements."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from genie_obs.simulator.account.quirk import Quirk
from genie_obs.simulator.business.domains import Domain, Fact
from genie_obs.simulator.business.plan import Plan
from genie_obs.simulator.ids import NEVER_US, child_id, from_us

# Order in which a running message passes through the states, with the share of its duration spent until then. SDK: MessageStatus.
_STAGES = (
    (0.04, "SUBMITTED"),
    (0.12, "FETCHING_METADATA"),
    (0.25, "FILTERING_CONTEXT"),
    (0.60, "ASKING_AI"),
    (0.70, "PENDING_WAREHOUSE"),
    (1.00, "EXECUTING_QUERY"),
)


@dataclass(frozen=True, kw_only=True)
class AccountSpec:
    """What to make up. The same values give the same account, byte for byte."""

    seed: int = 7
    workspace_count: int = 3
    space_count: int = 14
    user_count: int = 60
    days: int = 90
    message_count: int = 3_000
    turns_per_conversation: float | None = (
        None  # None: a realistic mix of 1 to 12; a number: every conversation has that many
    )
    until: datetime  # the account's "now", aware; all history lies before it
    quirks: bool = True  # False: no oddities, nothing forbidden, everything terminal

    def __post_init__(self) -> None:
        counts = {"workspace_count": 1, "space_count": 1, "user_count": 1, "days": 1, "message_count": 0}
        problems = [f"{name} must be at least {low}" for name, low in counts.items() if getattr(self, name) < low]
        if self.until.tzinfo is None:
            problems.append("until must carry a time zone")
        if self.turns_per_conversation is not None and self.turns_per_conversation < 1:
            problems.append("turns_per_conversation must be at least 1")
        if self.space_count < self.workspace_count:
            problems.append("space_count must be at least workspace_count")
        if problems:
            raise ValueError("; ".join(problems))
        object.__setattr__(self, "until", self.until.astimezone(UTC))


class Clock:
    """The account's time, shared by everything in it."""

    __slots__ = ("now_us",)

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us


@dataclass(slots=True, eq=False)
class SimulatedUser:
    """A person, or a service principal when `application_id` is set."""

    user_id: int
    email: str  # for a service principal its application id (observed in audit)
    name: str
    application_id: str | None = None
    is_deleted: bool = False  # SCIM answers 404, messages stay
    activity: float = 1.0  # relative number of conversations


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
        return self.sql_override if self.sql_override is not None else self.plan.sql()


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
    finish_us: int  # from here on `final_status` holds
    final_status: str
    clock: Clock
    via: str = "ui"
    plan: Plan | None = None
    queries: list[Query] = field(default_factory=list)
    text: str | None = None  # answer or, with `is_clarification`, Genie's question back
    is_clarification: bool = False
    superseded_text: str | None = None  # between two queries of a self-correction
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
        """Status as the API shows it now."""
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
        """Numeric id of the asker, as in SCIM."""
        if self.quirks & Quirk.USER_ZERO:
            return 0
        return self.user.user_id if self.user is not None and not self.quirks & Quirk.USER_NULL else None

    @property
    def created_at(self) -> datetime:
        """When the question was asked, UTC."""
        return from_us(self.created_us)

    @property
    def updated_us(self) -> int:
        """Last change that the API shows, in microseconds since 1970."""
        finished = self.finish_us if self.clock.now_us >= self.finish_us else self.created_us
        return max(finished, self.modified_us)

    @property
    def audit_visible_at(self) -> datetime | None:
        """When the first audit row that proves the message becomes visible; None when there is none."""
        return None if self.audit_visible_us >= NEVER_US else from_us(self.audit_visible_us)

    @property
    def statement_ids(self) -> list[str]:
        """Statements of all query attachments, in order."""
        return [query.statement_id for query in self.queries if query.statement_id]

    @property
    def rating(self) -> str | None:
        """POSITIVE, NEGATIVE, NONE, or None when never rated."""
        return self.feedback[0] if self.feedback else None

    def attachment_id(self, name: str) -> str:
        """Return the id of the attachment called `name` (`query-0`, `text`, …)."""
        return child_id(self.message_id, name)

    def touch(self, at_us: int) -> None:
        """Note a change: the API shows a later update time and the rendered body is forgotten."""
        self.modified_us = max(self.modified_us, at_us)
        self.body = None


@dataclass(slots=True, eq=False)
class SimulatedConversation:
    """Messages in the order they were asked."""

    conversation_id: str
    space_id: str
    title: str
    user: SimulatedUser | None
    created_us: int
    messages: dict[str, SimulatedMessage] = field(default_factory=dict)
    is_agent: bool = False
    is_benchmark: bool = False  # not listed by `list conversations`
    is_private: bool = False
    deleted: bool = False


@dataclass(slots=True, eq=False)
class SimulatedSpace:
    """A Genie space (agent)."""

    space_id: str
    workspace_id: str
    title: str
    description: str
    warehouse_id: str
    domain: Domain
    fact: Fact
    owner: SimulatedUser
    created_us: int
    audience: list[SimulatedUser] = field(default_factory=list)
    weight: float = 1.0  # relative number of conversations
    active_until: float = 1.0  # share of the history after which nobody asks here any more
    access: str = "manage"  # the observer's: manage | can_run | hidden | forbidden
    trashed: bool = False
    modified_us: int = 0
    conversations: dict[str, SimulatedConversation] = field(default_factory=dict)
    eval_runs: list[dict[str, Any]] = field(default_factory=list)
    eval_results: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class SimulatedWorkspace:
    """One workspace; `reachable` and `accepts_credentials` may be changed while it is served."""

    def __init__(self, *, workspace_id: str, name: str, deployment: str, created_us: int) -> None:
        self.workspace_id = workspace_id
        self.name = name
        self.deployment = deployment  # host name it would have; never resolvable
        self.created_us = created_us
        self.url: str | None = None
        self.accepts_credentials = True
        self.spaces: dict[str, SimulatedSpace] = {}
        self.users: dict[int, SimulatedUser] = {}
        self._reachable = True
        self._on_reachable: Callable[[bool], None] | None = None

    @property
    def reachable(self) -> bool:
        """Whether its port is open."""
        return self._reachable

    @reachable.setter
    def reachable(self, value: bool) -> None:
        self._reachable = value
        if self._on_reachable is not None:
            self._on_reachable(value)

    def watch_reachable(self, callback: Callable[[bool], None] | None) -> None:
        """Register the server's switch; it is called in the thread that sets `reachable`."""
        self._on_reachable = callback
