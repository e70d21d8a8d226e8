"""The system tables of an account as Arrow tables."""

import itertools
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.audit import AuditEvent
from genie_obs.simulator.account.publication import NOTHING
from genie_obs.simulator.account.statements import Statement
from genie_obs.simulator.instants import from_us
from genie_obs.simulator.schemas import AUDIT, QUERY_HISTORY, WORKSPACES
from genie_obs.simulator.system_tables.audit_rows import AuditContext, event_rows
from genie_obs.simulator.system_tables.statement_rows import statement_row

_CHUNK_ROWS = 20_000


def audit_table(account: SimulatedAccount) -> pa.Table:
    """Return all audit rows that are visible now, ordered by time."""
    events = account.audit.between(NOTHING, account.clock.now_us)
    return pa.Table.from_batches(audit_batches(account, events), AUDIT)


def statements_table(account: SimulatedAccount, statements: list[Statement] | None = None) -> pa.Table:
    """Return the query history rows of `statements`, by default of all that are visible now."""
    if statements is None:
        statements = account.statements.between(NOTHING, account.clock.now_us)
    chunks = (statements[start : start + _CHUNK_ROWS] for start in range(0, len(statements), _CHUNK_ROWS))
    batches = [_batch([statement_row(row, account.account_id) for row in chunk], QUERY_HISTORY) for chunk in chunks]
    return pa.Table.from_batches(batches, QUERY_HISTORY)


def workspaces_table(account: SimulatedAccount) -> pa.Table:
    """Return one row for each workspace. While it is served, its URL is that of the simulator."""
    rows = [
        {
            "account_id": account.account_id,
            "workspace_id": workspace.workspace_id,
            "workspace_name": workspace.name,
            # docs: the URL may have no scheme. A served one needs it, because it is plain HTTP.
            "workspace_url": workspace.url or workspace.deployment,
            "create_time": from_us(workspace.created_us),
            "status": "RUNNING",
        }
        for workspace in account.workspaces.values()
    ]
    return pa.Table.from_batches([_batch(rows, WORKSPACES)], WORKSPACES)


def audit_batches(account: SimulatedAccount, events: list[AuditEvent]) -> Iterator[pa.RecordBatch]:
    """Return the rows of `events` in their order, in batches, so that a large table is never in memory as a whole."""
    context = AuditContext(account_id=account.account_id, seed=account.spec.seed)
    rows = itertools.chain.from_iterable(event_rows(event, context) for event in events)
    while chunk := list(itertools.islice(rows, _CHUNK_ROWS)):
        yield _batch(chunk, AUDIT)


def _batch(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
