"""Writes the system tables of an account as Delta folders: first all rows, later only those that have become visible since."""

from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.audit import AuditEvent
from genie_obs.simulator.account.publication import NOTHING, Publication
from genie_obs.simulator.schemas import AUDIT
from genie_obs.simulator.system_tables.tables import audit_batches, statements_table, workspaces_table


def write_system_tables(account: SimulatedAccount, lakehouse: Path, *, catalog: str = "system") -> dict[str, int]:
    """Write or extend `<lakehouse>/<catalog>/{access/audit, access/workspaces_latest, query/history}`.

    The first call for an account replaces what the folders hold. Later calls append the audit rows that have become visible since, and
    add or replace statements. Each call rewrites the workspaces, because their URLs appear when they are served.

    Returns:
        Rows written by this call, by table (`access.audit`, `access.workspaces_latest`, `query.history`).
    """
    root = lakehouse.resolve() / catalog
    with account.lock:
        before = account.publications.get(str(root), NOTHING)
        now = Publication(now_us=account.clock.now_us, seq=account.last_seq)
        events = account.audit.between(before, now.now_us)
        statements = account.statements.between(before, now.now_us)
        workspaces = workspaces_table(account)
        statement_rows = statements_table(account, statements)
    is_first = before is NOTHING
    counts = {
        "access.audit": _write_audit(account, root / "access" / "audit", events, is_first=is_first),
        "access.workspaces_latest": workspaces.num_rows,
        "query.history": statement_rows.num_rows,
    }
    _overwrite(root / "access" / "workspaces_latest", workspaces)
    _write_statements(root / "query" / "history", statement_rows, is_first=is_first)
    account.publications[str(root)] = now
    return counts


def _write_audit(account: SimulatedAccount, folder: Path, events: list[AuditEvent], *, is_first: bool) -> int:
    if not events and not is_first:
        return 0
    count = sum(event.repeat * event.copies for event in events)
    reader = pa.RecordBatchReader.from_batches(AUDIT, audit_batches(account, events))
    _write(folder, reader, mode="overwrite" if is_first else "append", partition_by=["event_date"])
    return count


def _overwrite(folder: Path, table: pa.Table) -> None:
    _write(folder, table, mode="overwrite")


def _write_statements(folder: Path, rows: pa.Table, *, is_first: bool) -> None:
    if is_first:
        _overwrite(folder, rows)
    elif rows.num_rows:
        # One commit, so that a reader always finds a statement whose row is replaced (docs: one row for each statement; update_time moves).
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
