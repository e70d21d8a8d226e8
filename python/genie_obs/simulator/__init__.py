"""A simulated Databricks account: system tables as Delta folders and workspaces over HTTP.

Shares no code with the rest of genie_obs, so that both cannot be wrong together.
"""

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.space import SimulatedConversation, SimulatedSpace
from genie_obs.simulator.account.spec import AccountSpec
from genie_obs.simulator.account.user import SimulatedUser
from genie_obs.simulator.account.workspace import SimulatedWorkspace
from genie_obs.simulator.history.generate import generate_account
from genie_obs.simulator.history.growth import grow
from genie_obs.simulator.rest_api.render_message import message_body
from genie_obs.simulator.server.faults import FaultRule
from genie_obs.simulator.server.server import SimulatorServer
from genie_obs.simulator.server.stats import ServerStats
from genie_obs.simulator.system_tables.writer import write_system_tables

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
