"""One run of the extraction job: fills the datasets in their order, skips those whose sources cannot be read, then erases what is due."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from genie_obs.errors import GenieObsError, SourceError
from genie_obs.lakehouse.source_checks import Sources, check_sources, state_of_failure
from genie_obs.lakehouse.sources import is_required
from genie_obs.ledger.reread import mark_for_rereading
from genie_obs.pipeline.datasets import all_datasets, sources_of
from genie_obs.pipeline.erasing import erase_what_is_due
from genie_obs.runs.dataset import Dataset, Run, StepResult
from genie_obs.runs.deadline import Deadline
from genie_obs.runs.heartbeat import Heartbeat
from genie_obs.runs.open_runs import OtherRuns, find_other_runs
from genie_obs.runs.record import RunRecord, describe_deadline
from genie_obs.security.content_policy import ContentGuard
from genie_obs.session.job import RunContext

logger = logging.getLogger(__name__)

LATE_STEPS_SECONDS = 300.0
"""A step may begin so long after the deadline: messages that were stored in time get their statements. What must be erased always is."""


def run_ingest(context: RunContext, *, only: pa.Table | None = None) -> RunRecord:
    """Run the job once and return its record, which is also stored.

    With `only`, rows of the ledger, just these messages are read, again if they were read before. Nothing is discovered then.

    Messages, workspaces and optional sources that cannot be read are noted in the record. They are not errors.

    Raises:
        ConfigError: before anything is written.
        GenieObsError: if the tables fail; the record then says `failed`.
    """
    tables, settings = context.tables, context.settings
    deadline = Deadline(context.clock, settings.deadline_seconds)
    guard = ContentGuard(settings.content, hash_key=context.content_hash_key)
    sources = check_sources(tables, settings.scope, settings.discovery.skip_sources)
    tables.create()
    started = context.clock.monotonic()
    record = RunRecord(
        run_id=uuid.uuid4().hex,
        started_at=context.clock.now(),
        engine=tables.kind,
        workspace_ids=list(settings.scope.workspace_ids) or None,
        space_ids=list(settings.scope.space_ids) or None,
        sources=sources.states,
    )
    others = find_other_runs(tables, settings.scope, record.started_at)
    _tell_of(others)
    record.store(tables, is_new=True)
    run = replace(_open_run(context, record, guard, sources, others, deadline=deadline), only=only)
    run.drift.add_all(sources.drift)
    steps = _Steps(run, record)
    try:
        if only is not None:
            steps.take("marking", lambda: _mark(run, only))
        for dataset in all_datasets():
            if only is None or dataset.is_reread:
                steps.fill(dataset)
        steps.take("erasing", lambda: erase_what_is_due(run))
        ended = replace(steps.record, status="partial" if steps.record.workspace_errors else "succeeded")
    except BaseException as error:
        ended = replace(
            steps.record,
            status="failed",
            error=str(error) if isinstance(error, GenieObsError) else type(error).__name__,
        )
        _store_end(context, run, ended, started, is_failing=True)
        raise
    if ended.is_deadline_reached:
        logger.warning("%s", describe_deadline(ended))
    return _store_end(context, run, ended, started)


class _Steps:
    """Runs one step after another, and adds the result of each to the record."""

    def __init__(self, run: Run, record: RunRecord) -> None:
        self._run = run
        self.record = record

    def fill(self, dataset: Dataset) -> None:
        """Run the step of a dataset, unless a source that it needs cannot be read."""
        if dataset.step is None:
            return
        step = dataset.step
        if self._run.deadline.seconds_left < -LATE_STEPS_SECONDS:
            logger.warning("%s: left for the next run, as the deadline is over", dataset.title)
            self.record = replace(self.record, is_deadline_reached=True)
            return
        needs = sources_of(dataset)
        if unread := [source for source in needs if not self._run.reads(source)]:
            logger.warning(
                "%s: skipped, as %s is not read: %s", dataset.title, unread[0], self._run.unread_sources[unread[0]]
            )
            return
        self._run.progress.step(dataset.title)
        try:
            self.take(dataset.name, lambda: step(self._run))
        except SourceError as error:
            if is_required(error.source):
                raise
            self._give_up(error)

    def take(self, name: str, step: Callable[[], StepResult]) -> None:
        """Run a step, and add its result to the record."""
        started = self._run.clock.monotonic()
        try:
            result = self._run.results[name] = step()
        finally:  # a step may note its result before it fails
            if name in self._run.results:
                self._run.drift.merge(self._run.results[name].drift)
                seconds = self._run.clock.monotonic() - started
                self.record = self.record.after(name, self._run.results[name], seconds=seconds)
        for error in result.unread_sources:
            self._give_up(error)
        self._run.heartbeat.beat()
        if result.is_worth_storing:
            replace(self.record, alive_at=self._run.clock.now()).store(self._run.tables)

    def _give_up(self, error: SourceError) -> None:
        """Note that an optional source failed while it was read. The run goes on without it."""
        logger.warning("%s; the run goes on without it", error)
        failed = state_of_failure(error, kind=self._run.tables.kind)
        self._run.unread_sources[error.source] = failed.detail or failed.state
        states = [failed if state.name == error.source else state for state in self.record.sources]
        self.record = replace(self.record, sources=tuple(states))


def _mark(run: Run, messages: pa.Table) -> StepResult:
    mark_for_rereading(run.tables, messages, now=run.started_at)
    return StepResult(rows=messages.num_rows)


def _open_run(
    context: RunContext,
    record: RunRecord,
    guard: ContentGuard,
    sources: Sources,
    others: OtherRuns,
    *,
    deadline: Deadline,
) -> Run:
    heartbeat = Heartbeat(
        context.tables,
        context.clock,
        run_id=record.run_id,
        started_at=record.started_at,
        started_date=record.started_date,
    )
    return Run(
        run_id=record.run_id,
        started_at=record.started_at,
        tables=context.tables,
        settings=context.settings,
        credentials=context.credentials,
        guard=guard,
        clock=context.clock,
        progress=context.progress,
        heartbeat=heartbeat,
        deadline=deadline,
        workspaces=sources.workspaces,
        unread_sources=sources.unread,
        others=others,
    )


def _tell_of(others: OtherRuns) -> None:
    for other in others.at_work:
        started_at = f"{other['started_at']:%Y-%m-%d %H:%M} UTC"
        logger.warning("a run that started at %s is at work too: what is due is shared", started_at)


def _store_end(
    context: RunContext, run: Run, record: RunRecord, started: float, *, is_failing: bool = False
) -> RunRecord:
    """Store how the run ended. If the run fails, its own error counts: then a record that cannot be stored is only logged."""
    lines = tuple(run.drift.lines())
    for line in lines:
        logger.warning("not as this version knows it: %s", line)
    now = context.clock.now()
    seconds = context.clock.monotonic() - started
    record = replace(
        record,
        drift=lines,
        drift_kinds=tuple(run.drift.kinds()),
        finished_at=now,
        alive_at=now,
        total_seconds=seconds,
    )
    try:
        record.store(context.tables)
    except Exception as error:  # must not hide the error for which the run fails
        if not is_failing:
            raise
        logger.warning("the record of the run could not be stored: %s", type(error).__name__)
    if not is_failing and record.oldest_stored_date is not None:
        context.tables.compact()
    return record
