"""A workspace with its spaces and users."""

from collections.abc import Callable

from genie_obs.simulator.account.space import SimulatedSpace
from genie_obs.simulator.account.user import SimulatedUser


class SimulatedWorkspace:
    """One workspace. `reachable` and `accepts_credentials` may be changed while it is served."""

    def __init__(self, *, workspace_id: str, name: str, deployment: str, created_us: int) -> None:
        self.workspace_id = workspace_id
        self.name = name
        self.deployment = deployment  # the host name it would have; it resolves nowhere
        self.created_us = created_us
        self.url: str | None = None
        self.accepts_credentials = True
        self.spaces: dict[str, SimulatedSpace] = {}
        self.users: dict[int, SimulatedUser] = {}
        self._reachable = True
        self._on_reachable: Callable[[bool], None] | None = None

    @property
    def reachable(self) -> bool:
        """Whether its port is open."""
        return self._reachable

    @reachable.setter
    def reachable(self, value: bool) -> None:
        self._reachable = value
        if self._on_reachable is not None:
            self._on_reachable(value)

    def watch_reachable(self, callback: Callable[[bool], None] | None) -> None:
        """Register what the server does when `reachable` changes. It is called in the thread that sets `reachable`."""
        self._on_reachable = callback
