"""The whole dashboard as one HTML file: every tile's rows are fetched once and packed into it."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from genie_obs.preview.page.document import single_file
from genie_obs.preview.page.site import Site
from genie_obs.preview.page.tiles import DATA_KINDS
from genie_obs.preview.page.transcripts import messages_of, transcript_statement
from genie_obs.preview.query.filters import Control, State
from genie_obs.preview.query.parameters import Selection
from genie_obs.preview.query.results import QueryError

logger = logging.getLogger(__name__)

MAX_VARIANTS = 64
"""The most combinations of filter values in one file."""
_MAX_TABLE_ROWS = 2_000
_MAX_CONVERSATIONS = 2_000
_THREADS = 4
_MAX_MESSAGES = 100_000

Choice = tuple[Any, ...]


def export_page(site: Site, *, every_filter_value: bool = False) -> str:
    """Run every tile and return the dashboard as one HTML file.

    With `every_filter_value` each combination of what the global single selects offer is run and can be chosen in the
    file, up to `MAX_VARIANTS`; without it their values are fixed, and the file says so.
    """
    switches, choices = _variants(site) if every_filter_value else ([], [()])
    packer = _Packer()
    variants = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for number, choice in enumerate(choices):
            logger.info("dashboard: combination %d of %d", number + 1, len(choices))
            state = State(
                selections={s.widget.key: Selection(values=(v,)) for s, v in zip(switches, choice, strict=True)}
            )
            keys = [w.key for p in site.dashboard.canvas_pages for w in p.widgets if w.kind in DATA_KINDS]
            tiles = pool.map(lambda key, state=state: site.tile(key, state), keys)
            name = _variant_name(choice)
            variants[name] = {key: packer.add(_trimmed(tile)) for key, tile in zip(keys, tiles, strict=True)}
        options = dict(pool.map(lambda key: (key, site.options(key, State())), site.filtering.controls))
    snapshot = {
        "tiles": packer.tiles,
        "variants": variants,
        "first": _first_variant(switches),
        "switches": [control.widget.key for control in switches],
        "options": _switch_options(options, switches, choices),
        "conversations": _conversations(site, packer.tiles),
    }
    boot = site.boot() | {"snapshot": {"label": f"Snapshot of {site.now():%Y-%m-%d %H:%M} UTC"}}
    packed = gzip.compress(
        json.dumps(snapshot, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(), mtime=0
    )
    return single_file(boot, base64.b64encode(packed).decode("ascii"))


class _Packer:
    """Keeps equal tiles once, since most tiles do not change with every filter."""

    def __init__(self) -> None:
        self.tiles: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}

    def add(self, tile: dict[str, Any]) -> int:
        # Tiles that differ only in the time of their query are stored once.
        key = json.dumps({name: value for name, value in tile.items() if name != "ms"}, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.tiles)
            self.tiles.append(tile)
        return self._places[key]


def _variants(site: Site) -> tuple[list[Control], list[Choice]]:
    """Return the filters that can be changed in the file, and every combination of their values."""
    switches: list[Control] = []
    values: list[list[Any]] = []
    count = 1
    for widget in site.dashboard.global_filters:
        control = site.filtering.controls[widget.key]
        if control.kind != "single" or not control.parameter_keywords:
            continue
        offered = [*control.default.values[:1], *site.options(widget.key, State())["options"]]
        different = list({str(value): value for value in offered}.values())
        if not different or count * len(different) > MAX_VARIANTS:
            logger.warning(
                "dashboard: the filter %r offers too much to put every value into the file; its value is fixed",
                control.title,
            )
            continue
        switches.append(control)
        values.append(different)
        count *= len(different)
    return switches, list(itertools.product(*values))


def _variant_name(choice: Iterable[Any]) -> str:
    return json.dumps(
        [None if value is None else str(value) for value in choice], ensure_ascii=False, separators=(",", ":")
    )


def _first_variant(switches: list[Control]) -> str:
    return _variant_name([next(iter(control.default.values), None) for control in switches])


def _switch_options(
    options: Mapping[str, dict[str, Any]], switches: list[Control], choices: list[Choice]
) -> dict[str, dict[str, Any]]:
    found = dict(options)
    for index, control in enumerate(switches):
        key = control.widget.key
        offered = list({str(choice[index]): choice[index] for choice in choices}.values())
        listed = [value for value in options[key]["options"] if str(value) in {str(o) for o in offered}]
        found[key] = {**options[key], "options": listed}
    return found


def _trimmed(tile: dict[str, Any]) -> dict[str, Any]:
    """Return the tile; a table with its first 2,000 rows."""
    if tile["kind"] != "table" or len(tile["rows"]) <= _MAX_TABLE_ROWS:
        return tile

    def head(columns: Mapping[str, list[Any]] | None) -> dict[str, list[Any]] | None:
        return None if columns is None else {name: values[:_MAX_TABLE_ROWS] for name, values in columns.items()}

    return {
        **tile,
        "rows": tile["rows"][:_MAX_TABLE_ROWS],
        "keys": head(tile["keys"]),
        "links": head(tile["links"]),
        "cut": True,
    }


def _conversations(site: Site, tiles: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the conversations to which rows of the tables lead, by "workspace|conversation", in the order of the rows."""
    wanted: dict[tuple[str, str], None] = {}
    for tile in tiles:
        keys = tile.get("keys") or {}
        ids = keys.get("conversation_id") or []
        workspaces = keys.get("workspace_id") or [""] * len(ids)
        wanted |= {(str(w or ""), str(c)): None for w, c in zip(workspaces, ids, strict=True) if c}
    chosen = list(wanted)[:_MAX_CONVERSATIONS]
    if len(wanted) > len(chosen):
        logger.warning("dashboard: %d of %d conversations are in the file", len(chosen), len(wanted))
    return _read_conversations(site, chosen)


def _read_conversations(site: Site, wanted: list[tuple[str, str]]) -> dict[str, list[dict[str, Any]]]:
    if not wanted:
        return {}
    try:
        statement = transcript_statement([conversation for _, conversation in wanted])
        rows = site.runner.rows(statement, max_rows=_MAX_MESSAGES)
    except QueryError as error:
        logger.warning("dashboard: no transcripts in the file: %s", error)
        return {}
    by_conversation: dict[str, list[dict[str, Any]]] = {}
    for message in messages_of(rows):
        by_conversation.setdefault(message["conversation_id"], []).append(message)
    return {
        f"{workspace}|{conversation}": [
            message for message in by_conversation.get(conversation, []) if workspace in {"", message["workspace_id"]}
        ]
        for workspace, conversation in wanted
    }
