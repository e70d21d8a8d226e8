"""A simulated Databricks account: system tables as Delta folders, and workspaces over HTTP.

It shares no code with the rest of genie_obs, so that both cannot be wrong in the same way.

    command                                 `genie-obs simulate`
    server                                  HTTP: ports, faults, limits, statistics
    rest_api   history   system_tables      from request to response | months of people at work | rows and Delta folders
    account                                 what the account holds, and what can happen in it
    business   schemas                      questions, SQL and answers of a made-up company | columns of the tables
    ids   instants

Imports go down only. Names on one line know nothing of each other.

Comments say how a behaviour of the real service is known. "docs": Databricks documentation. "SDK": source of databricks-sdk.
"observed": public code that reads live accounts.
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
