"""Errors carry facts and say what to do."""

import pytest

from genie_obs.errors import (
    ApiError,
    BadRequestError,
    ConfigError,
    GenieObsError,
    NotFoundError,
    PermissionDeniedError,
    Problem,
    TransientApiError,
    WorkspaceUnreachableError,
    clean_text,
)
from genie_obs.secret import Secret


def test_config_error_lists_all_problems() -> None:
    problems = (Problem("days_lookback is -1", "Use 1 or more."), Problem("catalog is empty", "Name one."))
    error = ConfigError(problems)
    assert error.problems == problems
    assert (error.problem, error.fix) == ("days_lookback is -1", "Use 1 or more.")
    assert str(error) == "2 problems:\n  - days_lookback is -1. Use 1 or more.\n  - catalog is empty. Name one."
    assert str(ConfigError("One thing.")) == "One thing."


def test_workspace_error_names_the_workspace() -> None:
    error = WorkspaceUnreachableError("DNS", "Check it.", workspace_id="42", host="https://a.example")
    assert isinstance(error, GenieObsError)
    assert (error.workspace_id, error.host, error.problem, error.fix) == ("42", "https://a.example", "DNS", "Check it.")
    assert str(error) == "workspace 42 (https://a.example): DNS. Check it."


def test_api_error_has_four_parts() -> None:
    error = PermissionDeniedError(
        method="GET",
        path_template="/spaces/{space_id}",
        ids={"space_id": "01ab"},
        status=403,
        error_code="PERMISSION_DENIED",
        request_id="r-1",
        api_message="You shall not",
    )
    assert str(error) == (
        'GET /spaces/{space_id} (space_id 01ab) failed: 403 PERMISSION_DENIED after 1 attempt: "You shall not" '
        "[request r-1]. Grant the service principal CAN MANAGE on space 01ab, or exclude the space."
    )


@pytest.mark.parametrize("kind", [BadRequestError, NotFoundError, PermissionDeniedError, TransientApiError, ApiError])
def test_every_api_error_ends_in_advice(kind: type[ApiError]) -> None:
    text = str(kind(method="GET", path_template="/x", ids={}, attempts=6))
    assert text.startswith("GET /x failed: no HTTP answer after 6 attempts. ")
    assert text.endswith(".")


def test_foreign_text_is_one_printable_bounded_line() -> None:
    assert clean_text("a\r\n b\x00c\u202ed\ud800") == "a b c d"
    assert clean_text("x" * 300) == "x" * 199 + "…"
    assert clean_text("before value after", hidden=[Secret("value"), Secret("")]) == "before *** after"


def test_hostile_ids_cannot_forge_log_lines() -> None:
    error = NotFoundError(
        method="GET", path_template="/x", ids={"space_id": "a\nERROR all is lost" + "y" * 99}, status=404
    )
    assert "\n" not in str(error)
    assert len(str(error)) < 400
