"""Which messages somebody wants to be read again: ids, or links as they stand in the address bar of Genie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

from genie_obs.errors import ConfigError, Problem
from genie_obs.identifiers import is_id

_KINDS = ("workspace", "space", "conversation", "message")
# /genie/rooms/<space>/chats/<conversation> of the pages, and …/spaces/<space>/conversations/<conversation>/messages/<message> of the API.
_PATH_PARTS = {
    "rooms": "space", "spaces": "space", "chats": "conversation", "conversations": "conversation", "messages": "message",
}  # fmt: skip
_AZURE_HOST = re.compile(r"adb-(\d+)\.\d+\.azuredatabricks\.net")
_QUOTES = " \t\r\n'\"`“”„‘’"  # noqa: RUF001  # quotation marks that text programs put around what is copied


@dataclass(frozen=True, kw_only=True)
class RereadSelector:
    """Ids by kind. Of one kind any may hold; of the kinds that are given, all must hold."""

    workspace_ids: tuple[str, ...] = ()
    space_ids: tuple[str, ...] = ()
    conversation_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()

    def ids(self, kind: str) -> tuple[str, ...]:
        """Return the ids of a kind: workspace, space, conversation or message."""
        found: tuple[str, ...] = getattr(self, f"{kind}_ids")
        return found

    def values(self) -> dict[str, tuple[str, ...]]:
        """Return the parameters of the statement; no ids of a kind mean all of them."""
        return {f"{kind}_ids": self.ids(kind) for kind in _KINDS}


def parse_reread_selector(
    *, workspace: str | None, space: str | None, conversation: str | None, message: str | None
) -> RereadSelector:
    """Check what the command line names: for each kind ids or links, separated by commas or blanks.

    A link also says the workspace and the space it is in. They count if the command names none itself, and nothing without a link.

    Raises:
        ConfigError: if nothing is named, or something is neither an id nor a link to what it should be; all problems together.
    """
    given = dict(zip(_KINDS, (workspace, space, conversation, message), strict=True))
    problems: list[Problem] = []
    named: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    implied: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for kind, text in given.items():
        for part in re.split(r"[,\s]+", text or ""):
            if part := part.strip(_QUOTES):
                found = read_link(part) if "/" in part else {kind: part}
                if not is_id(found.get(kind, "")):
                    problems.append(_not_understood(kind, part))
                    continue
                named[kind].append(found.pop(kind))
                for other, value in found.items():
                    implied[other].append(value)
    if problems:
        raise ConfigError(problems)
    if not any(named.values()):
        raise ConfigError(
            "nothing to read again is named",
            "Use --conversation, --message, --space or --workspace; several narrow it down.",
        )
    # What one link says must not narrow down what stands beside it: it counts only if everything that is named says it.
    part_count = sum(len(ids) for ids in named.values())
    chosen = {kind: named[kind] or (implied[kind] if len(implied[kind]) == part_count else []) for kind in _KINDS}
    return RereadSelector(**{f"{kind}_ids": tuple(dict.fromkeys(ids)) for kind, ids in chosen.items()})


def read_link(link: str) -> dict[str, str]:
    """Return the ids that an address of Genie names, by kind; {} if it names none.

    For example, `https://host/genie/rooms/01ab/chats/01cd?o=42` names space 01ab, conversation 01cd and workspace 42.
    """
    try:
        address = urlsplit(link)
        workspaces = parse_qs(address.query).get("o", [])
    except ValueError:
        return {}
    parts = [part for part in address.path.split("/") if part]
    found = {_PATH_PARTS[name]: value for name, value in pairwise(parts) if name in _PATH_PARTS}
    on_azure = _AZURE_HOST.fullmatch(address.netloc)
    if workspaces or on_azure:
        found["workspace"] = workspaces[0] if workspaces else on_azure[1]  # type: ignore[index]  # one of them is there
    return {kind: value for kind, value in found.items() if is_id(value)}


def _not_understood(kind: str, part: str) -> Problem:
    where = (
        "it is the number after ?o= in its address"
        if kind == "workspace"
        else f"column {kind}_id of message_details has it"
    )
    return Problem(f"--{kind} {part[:200]!r}: neither an id of a {kind} nor a link to one", f"Give the id; {where}.")
