"""Checks of the table engine: the session, the system tables, and that our tables can be written.

What is written goes to a scratch table of its own, which is removed again; our tables are never changed.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from genie_obs.clock import Clock
from genie_obs.config import Settings
from genie_obs.discovery import AUDIT_COLUMNS, Window, select_audit_days
from genie_obs.doctor_report import Check, fail, ok, skip, warn
from genie_obs.due import select_spaces
from genie_obs.errors import ConfigError, GenieObsError
from genie_obs.job import HISTORY_COLUMNS, select_workspaces
from genie_obs.outcomes import Row
from genie_obs.schema import Column, Table, tables
from genie_obs.tables import Tables

if TYPE_CHECKING:
    from genie_obs.engine import Engine

_RECENT_DAYS = 7  # how far back the audit log is counted, to see that it can really be read
_SCRATCH = Table(
    name="genie_obs_doctor_", ddl="", columns=(Column("probe", "INT", ""),), cluster_by=("probe",), partition_by=()
)
