"""The people, workspaces and spaces of an account, before the first question."""

import random

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.space import SimulatedSpace
from genie_obs.simulator.account.user import SimulatedUser
from genie_obs.simulator.account.workspace import SimulatedWorkspace
from genie_obs.simulator.business.domains import load_domains
from genie_obs.simulator.ids import hex_id, seeded_uuid
from genie_obs.simulator.instants import DAY_US, MINUTE_US

_FIRST = (
    "Ana", "Ben", "Chloé", "Dmitri", "Elif", "Farah", "Greta", "Hiro", "Ines",
    "Jonas", "Kavya", "Lars", "Mei", "Noah", "Olga", "Pedro", "Quinn", "Rosa",
    "Samir", "Tess", "Uma", "Viktor", "Wanda", "Ximena", "Yusuf", "Zoë",
)  # fmt: skip
_LAST = (
    "Almeida", "Berg", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Haddad",
    "Ito", "Jansen", "Kowalski", "Lopez", "Müller", "Nakamura", "O'Neill", "Patel",
    "Rossi", "Singh", "Tanaka", "Ueda", "Vogel", "Weber", "Yilmaz", "Zhang",
)  # fmt: skip
_WORKSPACES = (
    "analytics-prod",
    "finance-prod",
    "operations-eu",
    "commercial-us",
    "product-apac",
    "corporate-shared",
    "research-dev",
    "partner-hub",
)
_SUFFIXES = ("", "DACH", "Americas", "APAC", "Pilot", "Executive", "Sandbox")
_ASCII = str.maketrans("éëüí", "eeui", "'")


def populate(account: SimulatedAccount, rng: random.Random) -> None:
    """Add as many workspaces, users and spaces as the spec of the account says."""
    _add_workspaces(account, rng)
    users = _users(account, rng)
    workspaces = list(account.workspaces.values())
    for index, user in enumerate(users):
        home = workspaces[index % len(workspaces)]
        home.users[user.user_id] = user
        # some people work in several workspaces; their numeric id is the same there (identity federation)
        if rng.random() < 0.2:
            rng.choice(workspaces).users[user.user_id] = user
    for workspace in workspaces:
        if not workspace.users:
            workspace.users[users[0].user_id] = users[0]
        workspace.users[account.observer.user_id] = account.observer
    _add_spaces(account, rng)


def _add_workspaces(account: SimulatedAccount, rng: random.Random) -> None:
    start_us = account.clock.now_us - account.spec.days * DAY_US
    for index in range(account.spec.workspace_count):
        workspace_id = str(rng.randrange(10**15, 9 * 10**15))
        base = _WORKSPACES[index % len(_WORKSPACES)]
        name = base if index < len(_WORKSPACES) else f"{base}-{index // len(_WORKSPACES) + 1}"
        # a reserved top-level domain, so never a real host
        deployment = f"dbc-{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}.cloud.databricks.example"
        created_us = start_us - rng.randrange(60, 700) * DAY_US
        account.workspaces[workspace_id] = SimulatedWorkspace(
            workspace_id=workspace_id, name=name, deployment=deployment, created_us=created_us
        )


def _users(account: SimulatedAccount, rng: random.Random) -> list[SimulatedUser]:
    users = []
    for index in range(account.spec.user_count):
        user_id = rng.randrange(10**14, 8 * 10**15)
        activity = rng.paretovariate(1.1)  # a few ask much, many tried it once
        if index % 15 == 14:
            application_id = seeded_uuid(account.spec.seed, "program", index)
            name = ("slack-bot", "teams-assistant", "nightly-report", "portal-backend")[index // 15 % 4]
            users.append(
                SimulatedUser(user_id, application_id, name, application_id=application_id, activity=min(activity, 3.0))
            )
            continue
        first, last = _FIRST[index % len(_FIRST)], _LAST[(index * 7 + index // len(_FIRST)) % len(_LAST)]
        number = str(index // 312 + 1) if index >= 312 else ""
        local = f"{first}.{last}{number}".lower().translate(_ASCII)
        users.append(
            SimulatedUser(user_id, f"{local}@northwind.example", f"{first} {last}", activity=min(activity, 30.0))
        )
    return users


def _add_spaces(account: SimulatedAccount, rng: random.Random) -> None:
    workspaces = list(account.workspaces.values())
    warehouses = {workspace.workspace_id: [f"{rng.getrandbits(64):016x}" for _ in range(3)] for workspace in workspaces}
    domains = load_domains()
    start_us = account.clock.now_us - account.spec.days * DAY_US
    for index in range(account.spec.space_count):
        domain = domains[index % len(domains)]
        turn = index // len(domains)
        template = domain.spaces[turn % len(domain.spaces)]
        suffix = _SUFFIXES[turn // len(domain.spaces) % len(_SUFFIXES)]
        workspace = workspaces[index % len(workspaces)]
        created_us = start_us - rng.randrange(1, 200) * DAY_US
        people = sorted(
            (user for user in workspace.users.values() if user is not account.observer),
            key=lambda user: (user.application_id is not None, user.user_id),
        )
        audience = sorted(
            rng.sample(people, min(len(people), rng.randrange(5, 26))),
            key=lambda user: (user.application_id is not None, user.user_id),
        )
        space = SimulatedSpace(
            space_id=hex_id(rng, created_us),
            workspace_id=workspace.workspace_id,
            title=f"{template.title} ({suffix})" if suffix else template.title,
            description=template.description,
            warehouse_id=rng.choice(warehouses[workspace.workspace_id]),
            domain=domain,
            fact=domain.facts[template.fact],
            owner=people[index % len(people)],
            created_us=created_us,
            audience=audience,
            weight=1.0 / (1 + index % 9) * rng.uniform(0.6, 1.4),
            modified_us=min(created_us + rng.randrange(0, 150) * DAY_US, account.clock.now_us - 300 * MINUTE_US),
        )
        _make_special(space, index, account.spec.space_count)
        workspace.spaces[space.space_id] = space


def _make_special(space: SimulatedSpace, index: int, count: int) -> None:
    """Let some spaces be abandoned, used by one person, or hardly used."""
    if count < 6:
        return
    if index % 7 == 4:
        space.active_until = 0.4
    elif index % 7 == 5:
        space.audience = space.audience[:1]
        space.weight *= 0.3
    elif index % 7 == 6:
        space.weight *= 0.05
