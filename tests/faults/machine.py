"""Histories: what happens to an account, what goes wrong, and the job in between, drawn and shrunk by Hypothesis."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from tests.faults.acts import DELAYS, MESSAGE_ACTS, WORLD_ACTS, Act, Before, Meanwhile
from tests.faults.job_process import MOMENTS, Point
from tests.faults.oracle import Oracle, keyed
from tests.faults.world import Row, RunEnd, RunPlan, World

from genie_obs.simulator import FaultRule
from genie_obs.simulator.server.refusals import REFUSALS

COMMANDS = (
    "*",
    "ingestion_runs",
    "ledger/merge_witnesses",
    "space_details",
    "message_details",
    "ledger/merge_outcomes",
    "datasets/statements/merge_statements",
)
# Longer than any wait of the job: a day until a closed space is asked again or a failed message is tried again, and a
# clock that was two hours ahead.
QUIET = timedelta(hours=27)

picks = st.integers(0, 40)
message_acts = st.builds(Act, st.sampled_from(MESSAGE_ACTS), picks, st.integers(0, 7), st.integers(0, len(DELAYS) - 1))
world_acts = st.builds(Act, st.sampled_from(WORLD_ACTS), picks, st.integers(0, 7))
meanwhiles = st.lists(
    st.builds(Meanwhile, st.integers(1, 25), st.one_of(message_acts, message_acts, world_acts)), max_size=2
)
# What happens between two runs.
befores = st.builds(
    Before,
    st.lists(st.one_of(message_acts, message_acts, message_acts, world_acts), max_size=6).map(tuple),
    st.sampled_from((0, 1, 20, 150, 1500)),
    st.sampled_from((0, 3, 8, 16)),
)
troubles = st.one_of(
    st.sampled_from([{"status": status} for status in (400, 401, 429, 500, 502, 503, 504)]),
    st.sampled_from(
        [
            {"status": 429, "retry_after": "1"},
            {"status": 429, "retry_after": "20"},
            {"status": 429, "retry_after": "Fri, 20 Nov 2026 15:00:30 GMT"},
            {"status": 503, "retry_after": "soon"},
        ]
    ),
    st.sampled_from(
        [
            {"action": action}
            for action in (
                "reset", "truncate", "invalid_json", "html_502", "html_404", "wrong_content_type", "redirect", "empty_page",
                "repeat_page_token", "expire_token", "expire_token", "timeout", "stall", "gzip_bomb",
            )
        ]
    ),
    st.sampled_from([{"refusal": name} for name in REFUSALS]),
)  # fmt: skip
operations = st.one_of(
    st.just("*"),
    st.sampled_from(
        (
            "get_message",
            "list_messages",
            "list_*",
            "get_space",
            "list_spaces",
            "list_conversations",
            "scim_user",
            "token",
        )
    ),
)


@st.composite
def fault_rules(draw: st.DrawFn) -> FaultRule:
    """Draw one way of the service to misbehave: some requests in a row, or any with some probability."""
    trouble = draw(troubles)
    is_costly = trouble.get("action") in {"timeout", "stall", "gzip_bomb"}  # in real time, or in memory
    most, probabilities = (2, [1.0]) if is_costly else (30, [1.0, 0.5, 0.25])
    return FaultRule(
        operation=draw(operations), skip=draw(st.sampled_from((0, 0, 1, 3, 7))), times=draw(st.integers(1, most)),
        probability=draw(st.sampled_from(probabilities)), **trouble,
    )  # fmt: skip


faults = st.lists(fault_rules(), min_size=3, max_size=6)
some_faults: st.SearchStrategy[list[FaultRule]] = st.one_of(st.just([]), faults, faults)
points = st.builds(
    Point,
    statement=st.sampled_from(COMMANDS),
    number=st.sampled_from((1, 1, 2, 3)),
    moment=st.sampled_from(MOMENTS),
    milliseconds=st.integers(0, 40),
)
flags = st.fixed_dictionaries(
    {"batch_size": st.sampled_from(("2", "10000")), "max_concurrency": st.sampled_from(("1", "4", "64"))}
)
# Of a whole workspace, for a whole run: every call, every call but those for tokens, or those for tokens alone.
lasting_refusals = st.sampled_from(sorted(name for name, refusal in REFUSALS.items() if not refusal.needs_new_token))
refused_operations = st.sampled_from(("*", "[!t]*", "[!t]*", "token"))
TROUBLED = {"timeout_seconds": "0.4"}


@dataclass
class Tally:
    """What a campaign has done so far, over all histories."""

    histories: int = 0
    acts: int = 0
    runs: int = 0
    killed: int = 0
    twins: int = 0
    disks_full: int = 0
    jumps: int = 0
    checks: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def fault_count(self) -> int:
        """Return how many faults were injected."""
        return sum(self.faults.values())


TALLY = Tally()


class History(RuleBasedStateMachine):
    """One account's life: acts, troubles, runs; after every run what always holds, after every rest the whole truth."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None

    @initialize(
        seed=st.integers(0, 999),
        quirks=st.booleans(),
        message_count=st.integers(10, 30),
        workspace_count=st.integers(1, 2),
    )
    def begin(self, seed: int, quirks: bool, message_count: int, workspace_count: int) -> None:
        self.world = World(seed=seed, quirks=quirks, message_count=message_count, workspace_count=workspace_count)
        self.oracle = Oracle(self.world)

    # -- what happens -----------------------------------------------------------------------------------------------------

    @rule(before=befores)
    def life_goes_on(self, before: Before) -> None:
        self._world.ask_much(before.questions)
        for act in before.acts:
            self._world.apply(act)
        TALLY.acts += before.questions + len(before.acts)
        if before.minutes:
            self._world.advance(timedelta(minutes=before.minutes))

    # -- the job: every run is preceded by life, so that a short history has much of it ---------------------------------------

    @rule(before=befores, faults=faults, meanwhile=meanwhiles, given=flags)
    def run_with_faults(
        self, *, before: Before, faults: list[FaultRule], meanwhile: list[Meanwhile], given: dict[str, str]
    ) -> None:
        self.life_goes_on(before)
        [end] = self._run(RunPlan(flags=given | TROUBLED), faults=faults, meanwhile=meanwhile)
        assert end.error is None, f"a fault of the service ended the run: {end.error}"

    @rule(before=befores, refusal=lasting_refusals, operation=refused_operations, pick=picks, given=flags)
    def run_refused(self, *, before: Before, refusal: str, operation: str, pick: int, given: dict[str, str]) -> None:
        self.life_goes_on(before)
        self._world.heal()
        workspaces = sorted(self._world.account.workspaces)
        workspace_id = workspaces[pick % len(workspaces)]
        ledger = keyed(self._world, "message_ledger")
        fault = FaultRule(refusal=refusal, operation=operation, workspace_id=workspace_id)
        [end] = self._run(RunPlan(flags=given), faults=[fault])
        self.oracle.check_refused(workspace_id, ledger, end)

    @rule(before=befores, dies_at=points, faults=some_faults, meanwhile=meanwhiles, given=flags)
    def run_killed_at_a_command(
        self,
        *,
        before: Before,
        dies_at: Point,
        faults: list[FaultRule],
        meanwhile: list[Meanwhile],
        given: dict[str, str],
    ) -> None:
        self.life_goes_on(before)
        self._run(RunPlan(dies_at=dies_at, flags=given | TROUBLED), faults=faults, meanwhile=meanwhile)

    @rule(before=befores, faults=some_faults, after_requests=st.integers(1, 25), given=flags)
    def run_killed_while_fetching(
        self, *, before: Before, faults: list[FaultRule], after_requests: int, given: dict[str, str]
    ) -> None:
        self.life_goes_on(before)
        self._run(RunPlan(dies_after_requests=after_requests, flags=given | TROUBLED), faults=faults)

    @rule(before=befores, faults=some_faults, milliseconds=st.integers(0, 900), given=flags)
    def run_killed_any_time(
        self, *, before: Before, faults: list[FaultRule], milliseconds: int, given: dict[str, str]
    ) -> None:
        self.life_goes_on(before)
        self._run(RunPlan(dies_after_milliseconds=milliseconds, flags=given | TROUBLED), faults=faults)

    @rule(
        before=befores,
        dies_at=st.one_of(st.none(), points),
        faults=some_faults,
        meanwhile=meanwhiles,
        first=flags,
        second=flags,
    )
    def two_runs_at_once(
        self,
        *,
        before: Before,
        dies_at: Point | None,
        faults: list[FaultRule],
        meanwhile: list[Meanwhile],
        first: dict[str, str],
        second: dict[str, str],
    ) -> None:
        self.life_goes_on(before)
        plans = RunPlan(dies_at=dies_at, flags=first | TROUBLED), RunPlan(flags=second | TROUBLED)
        ends = self._run(*plans, faults=faults, meanwhile=meanwhile)
        errors = [end.error for end in ends if end.error is not None]
        assert not errors, f"two runs at once, and one failed: {errors}"

    @rule(before=befores, at=points, faults=some_faults, given=flags)
    def run_on_a_full_disk(self, *, before: Before, at: Point, faults: list[FaultRule], given: dict[str, str]) -> None:
        self.life_goes_on(before)
        self._run(RunPlan(disk_full_at=at, flags=given | TROUBLED), faults=faults)

    @rule(
        before=befores,
        seconds=st.sampled_from((-7200, -90, 50, 7200)),
        after=st.integers(0, 12),
        dies_at=st.one_of(st.none(), points),
        given=flags,
    )
    def run_with_a_clock_that_jumps(
        self, *, before: Before, seconds: int, after: int, dies_at: Point | None, given: dict[str, str]
    ) -> None:
        self.life_goes_on(before)
        TALLY.jumps += 1
        plan = RunPlan(clock_jump_seconds=seconds, clock_jump_after=after, dies_at=dies_at, flags=given)
        [end] = self._run(plan)
        assert end.error is None, f"a clock that jumps ended the run: {end.error}"

    @rule()
    def come_to_rest(self) -> None:
        self._world.heal()
        self._settle()

    def read(self, table: str) -> list[Row]:
        """Return the rows of one of our tables."""
        return self._world.read(table)

    @property
    def faults_hit(self) -> int:
        """Return how many faults were injected."""
        return sum(self._world.server.hits.values())

    # -- inner workings ---------------------------------------------------------------------------------------------------

    @property
    def _world(self) -> World:
        assert self.world is not None
        return self.world

    def _run(
        self, *plans: RunPlan, faults: list[FaultRule] | None = None, meanwhile: list[Meanwhile] | None = None
    ) -> list[RunEnd]:
        plans = plans or (RunPlan(),)
        self.oracle.before_run()
        ends = self._world.run(*plans, faults=faults or (), meanwhile=meanwhile or ())
        TALLY.runs += len(ends)
        TALLY.killed += sum(end.is_killed for end in ends)
        TALLY.twins += len(plans) > 1
        TALLY.disks_full += sum(
            plan.disk_full_at is not None and end.error is not None for plan, end in zip(plans, ends, strict=True)
        )
        for plan, end in zip(plans, ends, strict=True):
            assert not end.is_killed or plan.may_die, "a run died that nobody killed"
        self.oracle.after_run(ends)
        return ends

    def _settle(self) -> None:
        self._world.advance(QUIET)
        self._run_well()
        for _ in range(2):
            if self.oracle.awaits_statements():
                self._world.advance(timedelta(hours=1))
                self._run_well()
        self.oracle.check_settled()
        TALLY.checks += 1

    def _run_well(self) -> None:
        [end] = self._run()
        assert end.record is not None, f"a run without any fault failed: {end.error}"
        assert end.record["status"] == "succeeded", f"a run without any fault is {end.record['status']}: {end.record}"

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            if sys.exc_info()[0] is None:
                self.finish()
        finally:
            self.close()

    def close(self) -> None:
        """Stop the world and count what went wrong in it."""
        self._world.close()
        TALLY.faults.update(self._world.server.hits)

    def finish(self) -> None:
        """Come to rest with every permission back; a further run must then find nothing at all to do."""
        self._world.heal(permissions=True)
        self._settle()
        TALLY.histories += 1
        versions = self._world.versions()
        if self._world.seed % 3:
            return  # one history in three is enough to see that
        [end] = self._run()
        assert end.record is not None
        assert end.record["due_count"] == end.record["new_message_count"] == 0, f"still due after a rest: {end.record}"
        assert self._world.server.stats.calls() == 0, "a run with nothing to do asked the service"
        assert self._world.versions() == versions, "a run with nothing to do wrote"
