"""Checks of the Genie spaces of one workspace: visible to the service principal, and with CAN MANAGE."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from dataclasses import dataclass

from genie_obs.doctor.grants import can_manage_fix
from genie_obs.doctor.report import Check, fail
from genie_obs.genie_api.api import GenieApi


@dataclass(frozen=True, kw_only=True)
class SpacesWanted:
    """Which spaces are looked at: those that earlier runs met and those that are listed now; `only` limits both, empty means all."""

    known: Set[str]
    only: Set[str]


@dataclass(frozen=True, kw_only=True)
class SpacesFound:
    """How many spaces were looked at, and a failed check for each that cannot be read."""

    count: int
    readable: Set[str]  # ids of those with CAN MANAGE
    checks: tuple[Check, ...]


async def check_spaces(api: GenieApi, wanted: SpacesWanted, *, host: str, client_id: str) -> SpacesFound:
    """List the spaces of a workspace and ask of each whether its messages may be read: one call per space.

    Raises:
        ApiError: if the list is refused.
        WorkspaceError: if the workspace gives no usable answer.
    """
    listed = {space["space_id"] async for space in api.list_spaces() if isinstance(space.get("space_id"), str)}
    space_ids = sorted(space_id for space_id in wanted.known | listed if not wanted.only or space_id in wanted.only)
    answers = await asyncio.gather(*(api.can_manage(space_id) for space_id in space_ids))
    lacking = [space_id for space_id, may in zip(space_ids, answers, strict=True) if not may]
    checks = (_lacking(space_id, can_manage_fix(host, space_id, client_id), listed) for space_id in lacking)
    return SpacesFound(count=len(space_ids), readable=frozenset(space_ids) - frozenset(lacking), checks=tuple(checks))


def _lacking(space_id: str, grant: str, listed: Set[str]) -> Check:
    if space_id not in listed:
        detail = "not visible: not shared with the service principal, or deleted"
        return fail(f"space {space_id}", detail, fix=f"unless it was deleted: {grant}", is_partial=True)
    detail = "visible, but without CAN MANAGE: messages of other people cannot be read"
    return fail(f"space {space_id}", detail, fix=grant, is_partial=True)
