"""What a dataset declares, what its step works with, and what its step returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from genie_obs.drift import DriftCounter
from genie_obs.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

    from genie_obs.clock import Clock
    from genie_obs.config import Settings
    from genie_obs.lakehouse.arrow_rows import Row
    from genie_obs.lakehouse.tables import Tables
    from genie_obs.progress import RunProgress
    from genie_obs.runs.deadline import Deadline
    from genie_obs.runs.heartbeat import Heartbeat
    from genie_obs.runs.open_runs import OtherRuns
    from genie_obs.secret import Credentials
    from genie_obs.security.content_policy import ContentGuard


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one step did."""

    rows: int | None = None  # written to tables of ours, if they are counted
    calls: int | None = None  # HTTP requests
    # Columns of ingestion_runs that are added up over the steps.
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)  # other columns of ingestion_runs
    drift: DriftCounter = field(default_factory=DriftCounter)
    workspace_errors: tuple[str, ...] = ()
    # Optional sources that failed while they were read. The step went on without them.
    unread_sources: tuple[SourceError, ...] = ()
    is_worth_storing: bool = False  # the record is stored at once: a later run would not find this out again


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the steps of one run work with."""

    run_id: str
    started_at: datetime  # UTC
    tables: Tables
    settings: Settings
    credentials: Credentials
    guard: ContentGuard
    clock: Clock
    progress: RunProgress
    heartbeat: Heartbeat
    deadline: Deadline  # after it no new call, space, conversation or slice is begun
    workspaces: list[Row]  # of the account, in scope: workspace_id, workspace_name, workspace_url, status
    others: OtherRuns  # those at work on a part of this scope, and those that died
    # The messages that are to be read, by workspace_id and message_id; None: all that are due.
    only: pa.Table | None = None
    unread_sources: dict[str, str] = field(default_factory=dict)  # source -> why it is not read
    results: dict[str, StepResult] = field(default_factory=dict)  # of the steps so far, by name
    drift: DriftCounter = field(default_factory=DriftCounter)  # of all steps

    def reads(self, source: str) -> bool:
        """Say whether an optional source can be read in this run."""
        return source not in self.unread_sources


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A folder of `genie_obs.datasets`. Its ``__init__.py`` declares it as ``DATASET``."""

    name: str  # of the folder
    title: str  # what a person reads while the step runs
    # Sources, besides those that its tables declare. If one of them cannot be read, its step is skipped.
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()  # datasets whose steps come first, because this one reads what they write
    step: Callable[[Run], StepResult] | None = None  # None: another dataset's step fills its table
    is_reread: bool = False  # its step is taken, and obeys `Run.only`, when some messages are read again
