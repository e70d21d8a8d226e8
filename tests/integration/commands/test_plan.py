"""`genie-obs plan` over the simulated account: it looks for credentials where a run does, and needs none."""

from __future__ import annotations

import pytest
from deltalake import DeltaTable, write_deltalake
from tests.integration.conftest import World

from genie_obs.command.plan import run_plan
from genie_obs.security.credentials import SecretReader

NEW_IDS = [("space_id", "s-new"), ("conversation_id", "c-new"), ("message_id", "m-new")]


def read_by_our_principal(world: World) -> None:
    """Let the audit log hold a read of a message by our service principal, made with another tool than ours."""
    folder = str(world.lakehouse / "system" / "access" / "audit")
    log = DeltaTable(folder).to_pyarrow_table()
    row = {
        **log.slice(0, 1).to_pylist()[0],
        "event_time": world.account.now,
        "event_date": world.account.now.date(),
        "service_name": "aibiGenie",
        "action_name": "genieGetConversationMessage",
        "user_agent": "another-tool/1.0",
        "user_identity": {"email": world.account.client_id, "subject_name": None},
        "request_params": NEW_IDS,
        "response": {"status_code": 200, "error_message": None, "result": None},
    }
    write_deltalake(folder, log.from_pylist([row], schema=log.schema), mode="append")


def planned(world: World, environ: dict[str, str], secrets: SecretReader | None = None) -> int:
    return run_plan(world.settings(), environ, secrets, now=world.account.now).new_message_count


@pytest.mark.parametrize("place", ["variables", "scope"])
def test_own_reads_are_known_by_the_credentials_of_a_run(clean_world: World, place: str) -> None:
    account = clean_world.account
    variables = {"DATABRICKS_SP_CLIENT_ID": account.client_id, "DATABRICKS_SP_CLIENT_SECRET": account.client_secret}
    scope = {"sp_client_id": account.client_id, "sp_client_secret": account.client_secret}
    before = planned(clean_world, {})
    read_by_our_principal(clean_world)

    found = planned(clean_world, variables) if place == "variables" else planned(clean_world, {}, lambda _, k: scope[k])

    assert (found, planned(clean_world, {})) == (before, before + 1)


def test_scope_that_cannot_be_read_stops_no_plan(clean_world: World) -> None:
    def refuse(scope: str, key: str) -> str:
        raise RuntimeError("PERMISSION_DENIED")

    assert planned(clean_world, {}, refuse) == planned(clean_world, {}) > 0
