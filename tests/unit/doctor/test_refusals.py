"""What doctor says of a refusal: the job's own words, and a command where one helps."""

from __future__ import annotations

import pytest

from genie_obs.doctor.refusals import explain_api_error, explain_workspace_error
from genie_obs.errors import (
    ApiError,
    CredentialsRefusedError,
    TransientApiError,
    UntrustedHostError,
    WorkspaceError,
    WorkspaceRefusedError,
    WorkspaceUnreachableError,
)

PLACE = {"workspace_id": "42", "host": "https://x.cloud.databricks.com"}
JOB_FIX = "What the job says."


def refused(cause: str) -> WorkspaceRefusedError:
    return WorkspaceRefusedError("refused", JOB_FIX, **PLACE, cause=cause, is_lasting=True)


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (CredentialsRefusedError("refused: 401", JOB_FIX, **PLACE), "OAuth secret is current"),
        (refused("no_access"), "workspace-assignment update 42"),
        (refused("token"), "workspace-assignment update 42"),
        (refused("network"), JOB_FIX),
        (UntrustedHostError("a redirect", JOB_FIX, **PLACE), JOB_FIX),
        (WorkspaceUnreachableError("no answer", JOB_FIX, **PLACE), JOB_FIX),
    ],
    ids=["credentials", "not assigned", "token", "network", "moved", "silent"],
)
def test_workspace_is_explained_in_the_words_of_the_job(error: WorkspaceError, fix: str) -> None:
    found = explain_workspace_error(error, workspace_id="42", client_id="app-1")

    assert found.problem == error.problem
    assert fix in found.fix


@pytest.mark.parametrize(
    ("kind", "problem", "fix"),
    [
        (TransientApiError, "the service fails: 503", "try again later"),
        (ApiError, "listing spaces failed: 418", "may have changed"),
    ],
)
def test_fix_of_a_list_of_spaces_follows_from_its_kind(kind: type[ApiError], problem: str, fix: str) -> None:
    status = int(problem.rpartition(" ")[2])
    found = explain_api_error(kind(method="GET", path_template="/spaces", ids={}, status=status))

    assert found.problem == problem
    assert fix in found.fix
