"""What a refusal means is told from its type and from the service's own words, never from texts of ours."""

from __future__ import annotations

import pytest

from genie_obs.doctor.refusals import NETWORK_FIX, explain_api_error, explain_workspace_error, is_network_refusal
from genie_obs.errors import (
    ApiError,
    CredentialsRefusedError,
    NotFoundError,
    PermissionDeniedError,
    TransientApiError,
    UnauthenticatedError,
    UntrustedHostError,
    WorkspaceError,
    WorkspaceUnreachableError,
)

BLOCKED = "Source IP address: 203.0.113.9 is blocked by Databricks IP ACL for workspace: 42"
OUR_ADVICE = "Check the workspace's IP ACL, and whether its network policy lets this job in."
PLACE = {"workspace_id": "42", "host": "https://x.cloud.databricks.com"}


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (CredentialsRefusedError("refused: 401", OUR_ADVICE, **PLACE, api_message="invalid_client"), "OAuth secret is current"),
        (CredentialsRefusedError("refused: 403", OUR_ADVICE, **PLACE, api_message=BLOCKED), "no grant helps"),
        (UntrustedHostError("a redirect", OUR_ADVICE, **PLACE), "--workspace-ids"),
        (WorkspaceUnreachableError("no answer", OUR_ADVICE, **PLACE), "private link"),
    ],
    ids=["credentials", "network", "moved", "silent"],
)  # fmt: skip
def test_fix_of_a_workspace_follows_from_what_the_service_said(error: WorkspaceError, fix: str) -> None:
    found = explain_workspace_error(error)

    assert found.problem == error.problem
    assert fix in found.fix


@pytest.mark.parametrize(
    ("kind", "problem", "fix"),
    [
        (UnauthenticatedError, "not accepted: 401", "workspace-assignment"),
        (PermissionDeniedError, "listing spaces is refused: 403", "entitlements"),
        (NotFoundError, "there is no Genie API: 404", "enable Genie"),
        (TransientApiError, "the service fails: 503", "try again later"),
        (ApiError, "listing spaces failed: 418", "may have changed"),
    ],
)
def test_fix_of_a_list_of_spaces_follows_from_its_status(kind: type[ApiError], problem: str, fix: str) -> None:
    status = int(problem.rpartition(" ")[2])
    found = explain_api_error(kind(method="GET", path_template="/spaces", ids={}, status=status), "app-1")

    assert found.problem == problem
    assert fix in found.fix


def test_refused_network_is_told_from_a_missing_permission_by_the_words_of_the_service() -> None:
    error = PermissionDeniedError(method="GET", path_template="/spaces", ids={}, status=403, api_message=BLOCKED)

    found = explain_api_error(error, "app-1")

    assert found.problem.startswith("this network is refused: 403 Source IP address")
    assert found.fix == NETWORK_FIX


@pytest.mark.parametrize(
    ("text", "is_network"),
    [
        ("Source IP address: 203.0.113.9 is blocked by Databricks IP ACL for workspace: 42", True),
        ("Unauthorized network access to workspace: 42", True),
        ("Public access is not allowed for workspace: 42", True),
        ("Access denied by the account's network policy", True),
        ("You need CAN MANAGE permission to list all conversations of this space.", False),
        ("User is not assigned to this workspace", False),
        ("", False),
    ],
)
def test_refusal_of_a_network_is_told_from_a_missing_permission(text: str, is_network: bool) -> None:
    assert is_network_refusal(text) is is_network
