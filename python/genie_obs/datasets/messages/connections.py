"""How workspaces are reached: one HTTP session for all of them; an address, a token and a pace for each."""

from __future__ import annotations

import aiohttp

from genie_obs.errors import WorkspaceError
from genie_obs.genie_api.api import ApiSettings, ApiStats, GenieApi, open_session
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TokenSource
from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.runs.dataset import Run
from genie_obs.security.hosts import HostRules, trusted_host

RUNNING = "RUNNING"
NOT_RUNNING = frozenset({"NOT_PROVISIONED", "PROVISIONING", "FAILED", "BANNED"})
_MESSAGE_OPERATIONS = ("get_message", "list_messages")
_MAX_BUSY_WORKSPACES = 16  # connections are sized for so many workspaces at full concurrency


class Connections:
    """Opens the API of workspaces, and counts the calls to all of them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._settings = ApiSettings(timeout_seconds=run.settings.fetch.timeout_seconds)
        self._tokens: list[TokenSource] = []
        self.stats = ApiStats()

    def open_session(self, *, workspace_count: int) -> aiohttp.ClientSession:
        """Open the HTTP session for so many workspaces with due messages."""
        settings = self._run.settings.fetch
        count = settings.max_concurrency * min(max(1, workspace_count), _MAX_BUSY_WORKSPACES)
        return open_session(self._settings, count, proxy=settings.proxy)

    def open(self, workspace: Row, session: aiohttp.ClientSession) -> GenieApi:
        """Return the API of a workspace, a row of `run.workspaces`; nothing is sent yet.

        Raises:
            WorkspaceError: if it has no address, is not running, or must not be given credentials.
        """
        run, fetch = self._run, self._run.settings.fetch
        workspace_id = workspace["workspace_id"]
        url = fetch.address_of(workspace_id, workspace["workspace_url"])
        host = _host({**workspace, "workspace_url": url}, fetch.host_rules(is_loopback=run.tables.is_loopback))
        tokens = TokenSource(
            workspace_id=workspace_id, host=host, credentials=run.credentials, session=session, clock=run.clock
        )
        self._tokens.append(tokens)
        limiter = AdaptiveLimiter(
            run.clock, max_concurrency=fetch.max_concurrency, max_requests_per_second=fetch.max_requests_per_second
        )
        return GenieApi(
            workspace_id=workspace_id,
            host=host,
            session=session,
            tokens=tokens,
            limiter=limiter,
            clock=run.clock,
            settings=self._settings,
            stats=self.stats,
        )

    @property
    def call_count(self) -> int:
        """Return how many requests were sent, those for tokens included."""
        return self.stats.calls + sum(tokens.requests for tokens in self._tokens)

    @property
    def message_call_count(self) -> int:
        """Return how many of them asked for messages."""
        return sum(self.stats.calls_by_operation[name] for name in _MESSAGE_OPERATIONS)

    def describe(self) -> str:
        """Return what progress shows beside the count of messages."""
        return f"{self.stats.calls} calls, {self.stats.throttled} throttled"


def _host(workspace: Row, rules: HostRules) -> str:
    workspace_id, url, status = (workspace[name] for name in ("workspace_id", "workspace_url", "status"))
    if not url:
        problem = "has no address in system.access.workspaces_latest; its messages wait"
        fix = "Wait until the table names its address, or leave it out with --workspace-ids."
        raise WorkspaceError(problem, fix, workspace_id=workspace_id, host="no address")
    if status in NOT_RUNNING:  # one that is not known is tried
        fix = "Nothing to do: its messages are read once it runs."
        raise WorkspaceError(f"is {status}, not RUNNING", fix, workspace_id=workspace_id, host=url)
    return trusted_host(url, rules, workspace_id=workspace_id)
