"""What a dataset declares, what its step works with, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from genie_obs.drift import DriftCounter
from genie_obs.errors import SourceError

if TYPE_CHECKING:
    from genie_obs.clock import Clock
    from genie_obs.config import Settings
    from genie_obs.lakehouse.arrow_rows import Row
    from genie_obs.lakehouse.tables import Tables
    from genie_obs.progress import RunProgress
    from genie_obs.runs.heartbeat import Heartbeat
    from genie_obs.runs.open_runs import OtherRuns
    from genie_obs.secret import Credentials
    from genie_obs.security.content_policy import ContentGuard


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one step came to."""

    rows: int | None = None  # written to tables of ours, as far as that is counted
    calls: int | None = None  # HTTP requests
    numbers: Mapping[str, float | None] = field(
        default_factory=dict
    )  # columns of ingestion_runs, added up over the steps
    facts: Mapping[str, Any] = field(default_factory=dict)  # other columns of ingestion_runs
    drift: DriftCounter = field(default_factory=DriftCounter)
    workspace_errors: tuple[str, ...] = ()
    unread_sources: tuple[
        SourceError, ...
    ] = ()  # optional ones that could not be read after all; the step went on without
    is_worth_storing: bool = False  # what a later run would not find out again: the record is stored at once


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
    workspaces: list[Row]  # of the account, in scope: workspace_id, workspace_name, workspace_url, status
    others: OtherRuns  # at work on something of this scope, or dead
    unread_sources: dict[str, str] = field(default_factory=dict)  # source -> why it is not read
    results: dict[str, StepResult] = field(default_factory=dict)  # of the steps so far, by name
    drift: DriftCounter = field(default_factory=DriftCounter)  # of all steps

    def reads(self, source: str) -> bool:
        """Say whether an optional source can be read in this run."""
        return source not in self.unread_sources


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A folder of `genie_obs.datasets`: each names its own in ``DATASET``."""

    name: str  # of the folder
    title: str  # what a person reads while the step runs
    needs: tuple[
        str, ...
    ] = ()  # sources, beside those that its tables declare; without one of them its step is skipped
    after: tuple[str, ...] = ()  # datasets whose steps come before, because this one reads what they write
    step: Callable[[Run], StepResult] | None = None  # None: another dataset's step fills its table
