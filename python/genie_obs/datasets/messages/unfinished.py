"""The conversations of one workspace as they are handed out: what a lost workspace left unfinished comes first in the second try."""

from __future__ import annotations

from collections.abc import Iterator

from genie_obs.datasets.messages.outcomes import Outcome
from genie_obs.datasets.messages.planner import ConversationPlan


class UnfinishedPlans:
    """Hands out plans, and keeps those that are not finished.

    For example, the workspace is lost while 16 conversations are read, and of 100 due messages in them 40 have an outcome. The second
    try begins with these 16 and the other 60 messages, then goes on with the plans that were never handed out.
    """

    def __init__(self, plans: Iterator[ConversationPlan]) -> None:
        self._plans = plans
        self._given_back: list[ConversationPlan] = []
        self._open: dict[int, ConversationPlan] = {}
        self._settled: set[str] = set()  # messages of the open plans that have an outcome

    def __iter__(self) -> Iterator[ConversationPlan]:
        return self

    def __next__(self) -> ConversationPlan:
        plan = self._given_back.pop(0) if self._given_back else next(self._plans)
        self._open[id(plan)] = plan
        return plan

    def note(self, outcome: Outcome) -> None:
        """Note that a message has its outcome."""
        if not outcome.is_listed_only:
            self._settled.add(outcome.ledger["message_id"])

    def finish(self, plan: ConversationPlan) -> None:
        """Note that all messages of a plan have their outcome."""
        del self._open[id(plan)]
        self._settled.difference_update(plan.due)

    def give_back(self) -> None:
        """Take the plans that were not finished back, without the messages that have an outcome."""
        left = [plan.without(self._settled.intersection(plan.due)) for plan in self._open.values()]
        self._given_back = [plan for plan in left if plan.due] + self._given_back
        self._open, self._settled = {}, set()
