"""A simulated Databricks account: system tables as Delta folders and workspaces over HTTP.

Shares no code with the rest of genie_obs, so that both cannot be wrong together.
"""

from genie_obs.simulator.account import SimulatedAccount
from genie_obs.simulator.faults import FaultRule
from genie_obs.simulator.generate import generate_account
from genie_obs.simulator.life import grow
from genie_obs.simulator.model import (
    AccountSpec,
    SimulatedConversation,
    SimulatedMessage,
    SimulatedSpace,
    SimulatedUser,
    SimulatedWorkspace,
)
from genie_obs.simulator.render import message_body
from genie_obs.simulator.server import SimulatorServer
from genie_obs.simulator.stats import ServerStats
from genie_obs.simulator.system_tables import write_system_tables

__all__ = [
    "AccountSpec",
    "FaultRule",
    "ServerStats",
    "SimulatedAccount",
    "SimulatedConversation",
    "SimulatedMessage",
    "SimulatedSpace",
    "SimulatedUser",
    "SimulatedWorkspace",
    "SimulatorServer",
    "generate_account",
    "grow",
    "message_body",
    "write_system_tables",
]
