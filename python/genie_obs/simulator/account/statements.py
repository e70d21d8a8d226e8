"""What the account keeps for `system.query.history`: one small object for each statement.

The rows are made from it when the table is written.
"""

from dataclasses import dataclass

from genie_obs.simulator.account.message import Query
from genie_obs.simulator.account.publication import Publication
from genie_obs.simulator.account.user import SimulatedUser

UI_CLIENT = "Databricks SQL Genie Space"  # observed
API_CLIENT = "DatabricksGenie"  # observed


@dataclass(slots=True)
class Statement:
    """One executed statement. It gets a new `seq` each time its row is published again."""

    seq: int
    statement_id: str
    workspace_id: str
    warehouse_id: str
    user: SimulatedUser | None
    source: Query | str
    start_us: int
    duration_ms: int
    visible_us: int  # NEVER_US: the row never appears
    update_us: int
    space_id: str | None = None
    status: str = "FINISHED"  # FINISHED | FAILED | CANCELED (one L, unlike message status)
    error: str | None = None
    client: str = UI_CLIENT
    cached: bool = False
    is_negative_duration: bool = False  # observed in about 10,000 rows of one region

    @property
    def text(self) -> str:
        """The SQL text."""
        return self.source if isinstance(self.source, str) else self.source.sql


class StatementLog:
    """All statements of an account by id."""

    def __init__(self) -> None:
        self.by_id: dict[tuple[str, str], Statement] = {}

    def add(self, statement: Statement) -> None:
        """Add a statement, or replace the one with its id. Ids are unique within a workspace."""
        self.by_id[statement.workspace_id, statement.statement_id] = statement

    def between(self, before: Publication, until_us: int) -> list[Statement]:
        """Return the statements visible at `until_us` that `before` does not hold, or holds in an older state. Oldest first."""
        rows = [
            row
            for row in self.by_id.values()
            if row.visible_us <= until_us and (row.visible_us > before.now_us or row.seq > before.seq)
        ]
        rows.sort(key=lambda row: (row.start_us, row.statement_id))
        return rows
