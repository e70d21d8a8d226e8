"""A Genie space with its conversations."""

from dataclasses import dataclass, field
from typing import Any

from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.user import SimulatedUser
from genie_obs.simulator.business.domains import Domain, Fact


@dataclass(slots=True, eq=False)
class SimulatedConversation:
    """A conversation. Its messages are in the order in which they were asked."""

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
    active_until: float = 1.0  # nobody asks here after this share of the history
    access: str = "manage"  # of the observer: manage | can_run | hidden | forbidden
    trashed: bool = False
    modified_us: int = 0
    conversations: dict[str, SimulatedConversation] = field(default_factory=dict)
    eval_runs: list[dict[str, Any]] = field(default_factory=list)
    eval_results: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
