"""`genie-obs reread` before anything is changed: which messages are read again, which are not and why, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from genie_obs.config import Scope, Settings
from genie_obs.datasets.spaces.store import select_spaces
from genie_obs.errors import ConfigError, Problem
from genie_obs.lakehouse.arrow_rows import Row, to_rows
from genie_obs.lakehouse.tables import Tables
from genie_obs.reports.plan import WorkspacePlan, due_schema, known_rate, plan_workspaces
from genie_obs.reports.reread_selector import RereadSelector

_KINDS = ("message", "conversation", "space")  # whose ids may exist in several workspaces
_PLACE = ("workspace_id", "space_id")
_GONE = pa.array(["deleted", "not_found"])


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Messages that are not read again, for one reason, in one workspace and space."""

    reason: str  # erased, place_unknown, gone, space_closed or workspace_gone
    workspace_id: str
    space_id: str | None
    message_count: int
    advice: str  # what to do, a sentence


@dataclass(frozen=True, kw_only=True)
class RereadPlace:
    """Messages that are read again: of one workspace, space and state."""

    workspace_id: str
    space_id: str
    state: str
    message_count: int


@dataclass(frozen=True, kw_only=True)
class RereadPreview:
    """What reading messages again would do."""

    messages: pa.Table  # rows of the ledger that are to be read
    places: tuple[RereadPlace, ...]
    left_out: tuple[LeftOut, ...]
    workspaces: tuple[WorkspacePlan, ...]
    stored_count: int  # of the messages: their stored answers are replaced
    content_policy: str
    seconds: float
    calls_per_second: float
    is_rate_measured: bool

    @property
    def message_calls(self) -> int:
        """Return the expected message calls of all workspaces."""
        return sum(plan.message_calls for plan in self.workspaces)

    @property
    def space_calls(self) -> int:
        """Return how many spaces were not asked for within a day."""
        return sum(plan.space_calls for plan in self.workspaces)

    @property
    def scope(self) -> Scope:
        """Return the workspaces and spaces of the messages."""
        workspace_ids, space_ids = (sorted(self.messages[name].unique().to_pylist()) for name in _PLACE)
        return Scope(workspace_ids=tuple(workspace_ids), space_ids=tuple(space_ids))

    def to_dict(self) -> dict[str, object]:
        """Return the preview for `--json`."""
        return {
            "message_count": self.messages.num_rows,
            "stored_count": self.stored_count,
            "messages": [asdict(place) for place in self.places],
            "left_out": [asdict(item) for item in self.left_out],
            "workspaces": [asdict(plan) for plan in self.workspaces],
            "message_calls": self.message_calls,
            "space_calls": self.space_calls,
            "seconds": self.seconds,
            "calls_per_second": self.calls_per_second,
            "is_rate_measured": self.is_rate_measured,
            "content_policy": self.content_policy,
        }


def preview_reread(
    tables: Tables, settings: Settings, selector: RereadSelector, workspaces: list[Row], now: datetime
) -> RereadPreview:
    """Work out what reading the selected messages again takes. Calls nothing, writes nothing.

    Args:
        tables: our tables, which must exist.
        settings: as the run that reads would get them; its scope is not used.
        selector: which messages.
        workspaces: of the account, all of them.
        now: the time of the reading, UTC.

    Raises:
        ConfigError: if an id is not known, or is known in several workspaces.
    """
    found = tables.select("reports/select_rereadable", **selector.values())
    _check_found(found, selector, workspaces)
    spaces = select_spaces(tables, Scope(workspace_ids=selector.workspace_ids))
    wanted, left_out = _sort_out(found, selector, workspaces, spaces)
    plans = tuple(plan_workspaces(tables, _due(wanted), workspaces, spaces, now, has_ledger=True))
    rate, is_measured = known_rate(tables, settings)
    return RereadPreview(
        messages=wanted,
        places=tuple(RereadPlace(**row) for row in _count(wanted, *_PLACE, "state")),
        left_out=left_out,
        workspaces=plans,
        stored_count=wanted.num_rows - wanted["created_date"].null_count,
        content_policy=str(settings.content.content_policy),
        seconds=sum(plan.message_calls + plan.space_calls for plan in plans) / rate,
        calls_per_second=rate,
        is_rate_measured=is_measured,
    )


def _check_found(found: pa.Table, selector: RereadSelector, workspaces: list[Row]) -> None:
    problems = list(_unknown(found, selector))
    if not selector.workspace_ids:
        names = {row["workspace_id"]: row["workspace_name"] for row in workspaces}
        problems += _ambiguous(found, selector, names)
    if problems:
        raise ConfigError(problems)


def _unknown(found: pa.Table, selector: RereadSelector) -> Iterator[Problem]:
    """Yield a problem for each id of which no message was found."""
    others = [f"{kind} {', '.join(ids)}" for kind in ("workspace", *_KINDS) if (ids := selector.ids(kind))]
    for kind in ("workspace", *_KINDS):
        known = set(found[f"{kind}_id"].unique().to_pylist()) if found.num_rows else set()
        for value in selector.ids(kind):
            if value not in known:
                what = "not in the ledger" if kind == "message" else "no message of it in the ledger"
                narrowed = [other for other in others if not other.startswith(kind)]
                within = (
                    f" that is of {' and '.join(narrowed)}"
                    if narrowed
                    else ""
                    if kind == "workspace"
                    else ", in any workspace"
                )
                yield Problem(
                    f"--{kind} {value}: {what}{within}",
                    "Check the id. A message is known once a run has seen it in the audit log, which may be hours late: "
                    "run 'genie-obs ingest', then try again.",
                )


def _ambiguous(found: pa.Table, selector: RereadSelector, names: Mapping[str, str | None]) -> Iterator[Problem]:
    """Yield a problem for each id that exists in several workspaces; only the workspace tells them apart."""
    for kind in _KINDS:
        for value in selector.ids(kind):
            rows = found.filter(pc.equal(found[f"{kind}_id"], value))
            workspace_ids = sorted(rows["workspace_id"].unique().to_pylist())
            if len(workspace_ids) > 1:
                said = ", ".join(f"{name} ({names[name]})" if names.get(name) else name for name in workspace_ids)
                yield Problem(
                    f"--{kind} {value}: it exists in workspaces {said}", "Add --workspace, with one or more of them."
                )


def _sort_out(
    found: pa.Table, selector: RereadSelector, workspaces: list[Row], spaces: list[Row]
) -> tuple[pa.Table, tuple[LeftOut, ...]]:
    """Return the messages that can be read again, and those that cannot, by the first reason that holds."""
    closed = {tuple(row[name] for name in _PLACE): row["state_reason"] for row in spaces if row["state"] != "readable"}
    places = pc.binary_join_element_wise(*(pc.fill_null(found[name], "") for name in _PLACE), "/")
    is_gone = pc.is_in(found["state"], value_set=_GONE)
    reasons = {
        "erased": pc.equal(found["state"], "erased"),
        "place_unknown": pc.or_(pc.is_null(found["space_id"]), pc.is_null(found["conversation_id"])),
        # Whoever names the very message wants it to be asked for.
        "gone": is_gone if not selector.message_ids else pc.and_(is_gone, False),
        "workspace_gone": pc.invert(
            pc.is_in(
                found["workspace_id"], value_set=pa.array([row["workspace_id"] for row in workspaces], pa.string())
            )
        ),
        "space_closed": pc.is_in(places, value_set=pa.array(["/".join(key) for key in closed], pa.string())),
    }
    conditions = pa.StructArray.from_arrays([_one(mask) for mask in reasons.values()], names=list(reasons))
    reason = pc.case_when(conditions, *reasons)
    found = found.append_column("reason", reason)
    left = _count(found.filter(pc.is_valid(found["reason"])), "reason", *_PLACE)
    left_out = tuple(LeftOut(**row, advice=_advice(row, closed)) for row in left)
    return found.filter(pc.is_null(found["reason"])).drop_columns(["reason"]), left_out


def _one(mask: pa.ChunkedArray | pa.Array) -> pa.Array:
    return mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask


def _advice(row: Row, closed: Mapping[tuple[str, ...], str | None]) -> str:
    if row["reason"] == "space_closed":
        why = closed[row["workspace_id"], row["space_id"]] or "the space cannot be read"
        return f"{why}. The space is checked every day; then its messages are read by themselves."
    return {
        "erased": "Erased messages are never read again.",
        "place_unknown": "No event named their space and conversation, so they cannot be asked for.",
        "gone": "Genie no longer has them. To ask all the same, name them with --message.",
        "workspace_gone": "The account does not list their workspace, so it cannot be asked.",
    }[row["reason"]]


def _count(rows: pa.Table, *names: str) -> list[Row]:
    """Return how many rows there are of each combination of values, in the order of these."""
    counts = rows.group_by(list(names)).aggregate([([], "count_all")]).rename_columns([*names, "message_count"])
    return to_rows(counts.sort_by([(name, "ascending") for name in names]))


def _due(messages: pa.Table) -> pa.Table:
    """Return the messages as they are due once they are marked."""
    schema = due_schema()
    stored = pc.is_valid(messages["created_date"])
    state = pc.if_else(stored, "settling", "pending")
    known = {name: messages[name] for name in messages.column_names} | {"state": state}
    columns = [
        known[item.name].cast(item.type) if item.name in known else pa.nulls(messages.num_rows, item.type)
        for item in schema
    ]
    return pa.table(columns, schema=schema)
