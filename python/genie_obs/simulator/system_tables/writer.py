"""Writes the account's system tables as Delta folders, first whole, then only what became visible since."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.audit import AuditContext, AuditEvent, event_rows
from genie_obs.simulator.account.statements import Statement, statement_row
from genie_obs.simulator.ids import from_us
from genie_obs.simulator.schemas import AUDIT, QUERY_HISTORY, WORKSPACES

_CHUNK_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Publication:
    """How far a lakehouse folder has been written."""

    now_us: int
    seq: int


_NOTHING = Publication(now_us=-1, seq=-1)


def write_system_tables(account: SimulatedAccount, lakehouse: Path, *, catalog: str = "system") -> dict[str, int]:
    """Write or extend `<lakehouse>/<catalog>/{access/audit, access/workspaces_latest, query/history}`.

    The first call with an account replaces what the folders hold; later calls append audit rows that became visible since, add or replace
    statements, and rewrite the workspaces (their URLs appear when they are served).

    Returns:
        Rows written by this call, by table (`access.audit`, `access.workspaces_latest`, `query.history`).
    """
    root = lakehouse.resolve() / catalog
    with account.lock:
        before = account.publications.get(str(root), _NOTHING)
        assert isinstance(before, Publication)  # noqa: S101 - the account only stores what is written here
        now = Publication(now_us=account.clock.now_us, seq=account.last_seq)
        events = account.audit.between(before.now_us, before.seq, now.now_us)
        statements = account.statements.between(before.now_us, before.seq, now.now_us)
        workspaces = workspaces_table(account)
        statement_rows = statements_table(account, statements)
    is_first = before is _NOTHING
    counts = {
        "access.audit": _write_audit(account, root / "access" / "audit", events, is_first=is_first),
        "access.workspaces_latest": workspaces.num_rows,
        "query.history": statement_rows.num_rows,
    }
    _overwrite(root / "access" / "workspaces_latest", workspaces)
    _write_statements(root / "query" / "history", statement_rows, is_first=is_first)
    account.publications[str(root)] = now
    return counts


def audit_table(account: SimulatedAccount) -> pa.Table:
    """Return every audit row visible now, as one Arrow table ordered by time."""
    events = account.audit.between(_NOTHING.now_us, _NOTHING.seq, account.clock.now_us)
    return pa.Table.from_batches(_audit_batches(account, events), AUDIT)


def statements_table(account: SimulatedAccount, statements: list[Statement] | None = None) -> pa.Table:
    """Return the query history rows of `statements` (default: all that are visible now)."""
    if statements is None:
        statements = account.statements.between(_NOTHING.now_us, _NOTHING.seq, account.clock.now_us)
    chunks = (statements[start : start + _CHUNK_ROWS] for start in range(0, len(statements), _CHUNK_ROWS))
    batches = [_batch([statement_row(row, account.account_id) for row in chunk], QUERY_HISTORY) for chunk in chunks]
    return pa.Table.from_batches(batches, QUERY_HISTORY)


def workspaces_table(account: SimulatedAccount) -> pa.Table:
    """Return one row per workspace; the URL is the simulator's while it is served."""
    rows = [
        {
            "account_id": account.account_id,
            "workspace_id": workspace.workspace_id,
            "workspace_name": workspace.name,
            # docs: the URL may lack its scheme; a served one needs it because it is plain HTTP
            "workspace_url": workspace.url or workspace.deployment,
            "create_time": from_us(workspace.created_us),
            "status": "RUNNING",
        }
        for workspace in account.workspaces.values()
    ]
    return pa.Table.from_batches([_batch(rows, WORKSPACES)], WORKSPACES)


def _batch(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _audit_batches(account: SimulatedAccount, events: list[AuditEvent]) -> Iterator[pa.RecordBatch]:
    context = AuditContext(account_id=account.account_id, seed=account.spec.seed)
    rows = itertools.chain.from_iterable(event_rows(event, context) for event in events)
    while chunk := list(itertools.islice(rows, _CHUNK_ROWS)):
        yield _batch(chunk, AUDIT)


def _write_audit(account: SimulatedAccount, folder: Path, events: list[AuditEvent], *, is_first: bool) -> int:
    if not events and not is_first:
        return 0
    count = sum(event.repeat * event.copies for event in events)
    reader = pa.RecordBatchReader.from_batches(AUDIT, _audit_batches(account, events))
    _write(folder, reader, mode="overwrite" if is_first else "append", partition_by=["event_date"])
    return count


def _overwrite(folder: Path, table: pa.Table) -> None:
    _write(folder, table, mode="overwrite")


def _write_statements(folder: Path, rows: pa.Table, *, is_first: bool) -> None:
    if is_first:
        _overwrite(folder, rows)
    elif rows.num_rows:
        # One commit, so that no reader misses a statement that is published again (docs: one row per statement, update_time moves).
        (
            DeltaTable(folder)
            .merge(
                rows,
                "t.workspace_id = s.workspace_id AND t.statement_id = s.statement_id",
                source_alias="s",
                target_alias="t",
            )
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )


def _write(
    folder: Path, data: pa.Table | pa.RecordBatchReader, *, mode: str, partition_by: list[str] | None = None
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if mode == "overwrite":
        write_deltalake(folder, data, mode="overwrite", schema_mode="overwrite", partition_by=partition_by)
    else:
        write_deltalake(folder, data, mode="append", partition_by=partition_by)
