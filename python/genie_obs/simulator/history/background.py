"""Other rows of the system tables: authors who work on spaces, dashboards, other services."""

import random
from typing import Any

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.outcomes import new_statement_id
from genie_obs.simulator.account.space import SimulatedSpace
from genie_obs.simulator.account.statements import UI_CLIENT, Statement
from genie_obs.simulator.ids import child_id
from genie_obs.simulator.instants import DAY_US, HOUR_US, MINUTE_US

_AUTHORING = (
    "updateSpace",
    "updateSampleQuestions",
    "updateGenieColumnConfigs",
    "genieUpdateSpace",
    "createEvaluationRun",
    "listEvaluationRuns",
)
_VISITING = (
    "getSpace",
    "listConversations",
    "listGenieSpaceMessages",
    "getConversation",
    "genieListSpaces",
    "genieListConversationMessages",
)
# Other services of the same account. `genie` has nothing to do with Genie: it is the access of Databricks support (observed).
# `genieChat` is Genie One.
_OTHERS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("genie", "databricksAccess", {"duration": "3600", "reason": "support case"}),
    ("genieChat", "createGenieChatResponse", {}),
    ("genieChat", "updateGenieChatConversationFeedback", {"feedback_rating": "ONE_CHAT_FEEDBACK_RATING_THUMBS_UP"}),
    ("unityCatalog", "getTable", {"full_name_arg": "main.sales.orders"}),
    ("dashboards", "getPublishedDashboard", {"dashboard_id": "01f0a1b2c3d4155e8f00112233445566"}),
    ("accounts", "oidcTokenAuthorization", {"authenticationMethod": "OAUTH"}),
)
_CLIENTS = ("Databricks SQL Dashboard", "Databricks SQL Editor", "Tableau", "Microsoft Power BI")
_ERRORS = {
    "CANCELED": "Query has been cancelled.",
    "FAILED": "[TABLE_OR_VIEW_NOT_FOUND] The table cannot be found.",
}


def add_background(account: SimulatedAccount, rng: random.Random) -> None:
    """Add the making of spaces, work on them, visits, statements without a message, and rows of other services."""
    start_us = account.clock.now_us - account.spec.days * DAY_US
    end_us = account.clock.now_us - HOUR_US
    for workspace in account.workspaces.values():
        for space in workspace.spaces.values():
            _add_author(account, space, rng, start_us, end_us)
        _add_other_services(account, workspace.workspace_id, rng, start_us, end_us)
        _add_plain_statements(account, workspace.workspace_id, rng, start_us, end_us)


def _add_author(
    account: SimulatedAccount, space: SimulatedSpace, rng: random.Random, start_us: int, end_us: int
) -> None:
    where: dict[str, Any] = {"workspace_id": space.workspace_id, "space_id": space.space_id, "user": space.owner}
    created_us = max(space.created_us, start_us)
    # observed: the action differs between workspaces, and the id of a new space is only in the response
    action = rng.choice(("createSpace", "genieCreateSpace", "cloneSpace"))
    account.record(action, at_us=created_us, visible_us=created_us + 3 * MINUTE_US, params={"space_id": "new"}, **where)
    for _ in range(rng.randrange(4, 14)):
        at_us = rng.randrange(created_us, max(created_us + 1, end_us))
        account.record(rng.choice(_AUTHORING), at_us=at_us, visible_us=at_us + 4 * MINUTE_US, **where)
    for _ in range(rng.randrange(20, 60)):
        at_us = rng.randrange(created_us, max(created_us + 1, end_us))
        visitor = rng.choice(space.audience)
        conversation_id = rng.choice(list(space.conversations)) if space.conversations and rng.random() < 0.5 else None
        account.record(
            rng.choice(_VISITING),
            at_us=at_us,
            visible_us=at_us + 5 * MINUTE_US,
            workspace_id=space.workspace_id,
            space_id=space.space_id,
            conversation_id=conversation_id,
            user=visitor,
        )
    _add_probes(account, space, rng, start_us, end_us)


def _add_probes(
    account: SimulatedAccount, space: SimulatedSpace, rng: random.Random, start_us: int, end_us: int
) -> None:
    """Add profiling statements: they carry the id of a space but belong to no message (observed: 101 of 114 in one sample)."""
    for table in space.fact.tables:
        column = space.fact.dimensions[0].column.split(".")[-1]
        for text in (
            f"DESCRIBE TABLE EXTENDED {table}",
            f"SELECT approx_top_k({column}, 20) FROM {table}",  # noqa: S608 - a made-up statement, never executed
            f"SELECT * FROM {table} TABLESAMPLE (50 ROWS)",  # noqa: S608 - a made-up statement, never executed
        ):
            _add_statement(account, space.workspace_id, rng, start_us, end_us, text=text, space=space, client=UI_CLIENT)


def _add_plain_statements(
    account: SimulatedAccount, workspace_id: str, rng: random.Random, start_us: int, end_us: int
) -> None:
    spaces = list(account.workspaces[workspace_id].spaces.values())
    for _ in range(60):
        space = rng.choice(spaces)
        table, client = rng.choice(space.fact.tables), rng.choice(_CLIENTS)
        _add_statement(
            account,
            workspace_id,
            rng,
            start_us,
            end_us,
            text=f"SELECT COUNT(*) FROM {table}",  # noqa: S608 - a made-up statement, never executed
            space=space,
            client=client,
            is_genie=False,
        )


def _add_statement(
    account: SimulatedAccount,
    workspace_id: str,
    rng: random.Random,
    start_us: int,
    end_us: int,
    *,
    text: str,
    space: SimulatedSpace,
    client: str,
    is_genie: bool = True,
) -> None:
    at_us = rng.randrange(start_us, end_us)
    duration_ms = 80 + int(rng.lognormvariate(6.3, 1.0))
    seq = account.next_seq()
    status = rng.choices(("FINISHED", "FAILED", "CANCELED"), (94, 4, 2))[0]
    account.statements.add(
        Statement(
            seq=seq,
            statement_id=new_statement_id(at_us, rng),
            workspace_id=workspace_id,
            warehouse_id=space.warehouse_id,
            user=space.owner if is_genie else rng.choice(space.audience),
            source=text,
            start_us=at_us,
            duration_ms=duration_ms,
            visible_us=at_us + 20 * MINUTE_US,
            update_us=at_us + duration_ms * 1000,
            space_id=space.space_id if is_genie else None,
            status=status,
            error=_ERRORS.get(status),
            client=client,
        )
    )


def _add_other_services(
    account: SimulatedAccount, workspace_id: str, rng: random.Random, start_us: int, end_us: int
) -> None:
    users = [user for user in account.workspaces[workspace_id].users.values() if user is not account.observer]
    for index in range(50):
        service, action, params = _OTHERS[index % len(_OTHERS)]
        at_us = rng.randrange(start_us, end_us)
        # docs: events of the account have the workspace 0
        owner = "0" if service == "accounts" else workspace_id
        filled = dict(params)
        if service == "genieChat":
            filled["conversation_id"] = child_id(f"{at_us:032x}", "chat")
        account.record(
            action,
            workspace_id=owner,
            user=rng.choice(users),
            at_us=at_us,
            visible_us=at_us + 6 * MINUTE_US,
            params=filled,
            columns={"service_name": service},
        )
