"""Checks all workspaces, some at a time. Only all of them together tell whether the secret is wrong, and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from genie_obs.clock import Clock
from genie_obs.doctor.grants import assignment_fix
from genie_obs.doctor.report import Check, Status, ok, warn
from genie_obs.doctor.workspace import REQUESTS_AT_ONCE, WorkspaceCheck, WorkspaceFindings, WorkspaceQuestions
from genie_obs.genie_api.api import ApiSettings, open_session
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.secret import Credentials

_WORKSPACES_AT_ONCE = 8
_SKEW_WORTH_A_WORD = timedelta(seconds=60)  # the header has whole seconds, and the network takes its time


async def check_workspaces(questions: WorkspaceQuestions, clock: Clock) -> list[Check]:
    """Ask every workspace, some at a time, and return the checks in the order of the workspaces, clocks last."""
    api_settings = ApiSettings(timeout_seconds=questions.settings.timeout_seconds, listing_decides=True)
    turn = asyncio.Semaphore(_WORKSPACES_AT_ONCE)
    connections = _WORKSPACES_AT_ONCE * REQUESTS_AT_ONCE
    async with open_session(api_settings, connections, proxy=questions.settings.proxy) as session:

        async def ask(workspace: Row) -> WorkspaceFindings:
            async with turn:
                return await WorkspaceCheck(questions, session, api_settings, clock).run(workspace)

        findings = await asyncio.gather(*(ask(workspace) for workspace in questions.workspaces))
    _correct_the_fix(findings, questions.credentials)
    checks = [check for item in findings for check in item.checks]
    return [*_all_or_some(checks, findings), *_check_clocks(findings)]


def _correct_the_fix(findings: Sequence[WorkspaceFindings], credentials: Credentials | None) -> None:
    """Correct the fix where one workspace accepts the credentials: the secret is right then, and the others lack an assignment."""
    if credentials is None or not any(item.has_token for item in findings):
        return
    for item in findings:
        if item.is_refused:
            fix = assignment_fix(str(item.workspace["workspace_id"]), credentials.client_id)
            item.checks = [replace(check, fix=fix) for check in item.checks]


def _all_or_some(checks: list[Check], findings: Sequence[WorkspaceFindings]) -> list[Check]:
    """Return the checks; where no workspace at all can be read, each failure is one of the whole run."""
    if any(item.has_token and not _is_lost(item) for item in findings) or not any(
        check.status is Status.FAIL for check in checks
    ):
        return checks
    return [replace(check, is_partial=False) if check.status is Status.FAIL else check for check in checks]


def _is_lost(found: WorkspaceFindings) -> bool:
    return bool(found.checks) and found.checks[0].status is Status.FAIL


def _check_clocks(findings: Iterable[WorkspaceFindings]) -> list[Check]:
    skews = [item.skew for item in findings if item.skew is not None]
    if not skews:
        return []
    skew = max(skews, key=abs)
    seconds = abs(skew.total_seconds())
    if abs(skew) < _SKEW_WORTH_A_WORD:
        return [ok("clock", f"within {max(1, round(seconds))} s of the workspaces'")]
    direction = "ahead of" if skew > timedelta(0) else "behind"
    detail = f"this machine's clock is {seconds:,.0f} s {direction} the workspaces': ages and look-back windows are off by as much"
    return [warn("clock", detail, fix="synchronise it: timedatectl set-ntp true, or start a new job cluster")]
