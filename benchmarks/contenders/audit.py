"""What every contender but ours shares: the messages that the audit log names, and a Delta table to merge into."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

MERGE_ROWS = 2_000
_IDS = ("space_id", "conversation_id", "message_id")
COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("workspace_id", *_IDS, "content", "status", "attachments_json")]
    + [("created_timestamp", pa.int64())]
)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A message named by the audit log."""

    workspace_id: str
    space_id: str
    conversation_id: str
    message_id: str

    def row(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the row to store for an answer of the API."""
        return {
            "workspace_id": self.workspace_id,
            "attachments_json": json.dumps(message.get("attachments")),
            **{name: message.get(name) for name in (*_IDS, "content", "status", "created_timestamp")},
        }


def credentials() -> tuple[str, str]:
    """Return id and secret of the service principal."""
    return os.environ["DATABRICKS_SP_CLIENT_ID"], os.environ["DATABRICKS_SP_CLIENT_SECRET"]


def hosts(lakehouse: Path) -> dict[str, str]:
    """Return the address of every workspace."""
    rows = DeltaTable(str(lakehouse / "system/access/workspaces_latest")).to_pyarrow_table().to_pylist()
    return {row["workspace_id"]: row["workspace_url"].rstrip("/") for row in rows}


def witnessed(lakehouse: Path) -> list[Witnessed]:
    """Return the distinct messages of the audit log: ids from the parameters, else from the response."""
    audit = DeltaTable(str(lakehouse / "system/access/audit")).to_pyarrow_table(
        columns=["workspace_id", "service_name", "request_params", "response"]
    )
    audit = audit.filter(pc.equal(audit["service_name"], "aibiGenie"))
    found: dict[Witnessed, None] = {}
    for workspace_id, given, response in zip(
        audit["workspace_id"].to_pylist(),
        audit["request_params"].to_pylist(),
        audit["response"].to_pylist(),
        strict=True,
    ):
        params, result = dict(given or ()), _parse((response or {}).get("result"))
        ids = [params.get(name) or result.get(name) for name in _IDS]
        if all(isinstance(value, str) and value and value != "new" for value in ids):
            found[Witnessed(workspace_id, *map(str, ids))] = None
    return list(found)


def _parse(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def merge_all(lakehouse: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Merge rows in batches into a Delta table and return how many there were."""
    folder = str(lakehouse / "main" / "messages")
    write_deltalake(folder, COLUMNS.empty_table(), mode="ignore")
    stored = 0
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == MERGE_ROWS:
            _merge(folder, batch)
            stored += len(batch)
            batch = []
    if batch:
        _merge(folder, batch)
    return stored + len(batch)


def _merge(folder: str, batch: list[dict[str, Any]]) -> None:
    (
        DeltaTable(folder)
        .merge(
            pa.Table.from_pylist(batch, COLUMNS),
            "t.workspace_id = s.workspace_id AND t.message_id = s.message_id",
            source_alias="s",
            target_alias="t",
        )
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
