"""Where credentials are found, and what is said when they are not."""

import pytest

from genie_obs.errors import ConfigError
from genie_obs.secret import Credentials, Secret
from genie_obs.security.credentials import find_client_id, load_credentials, under_either_name

SECRET = "made-up-value"
CREDENTIALS = Credentials(client_id="app-1", client_secret=Secret(SECRET))
ENVIRON = {"DATABRICKS_SP_CLIENT_ID": "app-1", "DATABRICKS_SP_CLIENT_SECRET": SECRET}


def no_secret(scope: str, key: str) -> str:
    raise LookupError(f"{scope}/{key}")


def test_credentials_come_from_variables_first() -> None:
    assert load_credentials(ENVIRON, no_secret) == CREDENTIALS


def test_credentials_come_from_the_secret_scope_otherwise() -> None:
    stored = {("genie-obs", "sp_client_id"): "app-1", ("genie-obs", "sp_client_secret"): SECRET}
    assert load_credentials({}, lambda scope, key: stored[scope, key]) == CREDENTIALS


def test_scope_of_azure_key_vault_has_hyphens_in_its_keys() -> None:
    stored = {("genie-obs", "sp-client-id"): "app-1", ("genie-obs", "sp-client-secret"): SECRET}
    assert load_credentials({}, under_either_name(lambda scope, key: stored[scope, key])) == CREDENTIALS


def test_key_that_is_nowhere_fails_as_under_its_usual_name() -> None:
    with pytest.raises(LookupError, match="genie-obs/sp_client_id"):
        under_either_name(no_secret)("genie-obs", "sp_client_id")


def test_credentials_lose_pasted_white_space() -> None:
    environ = {name: f" \t{value}\r\n" for name, value in ENVIRON.items()}
    assert load_credentials(environ, None) == CREDENTIALS


def test_empty_variables_count_as_missing() -> None:
    environ = dict.fromkeys(ENVIRON, " \n")
    with pytest.raises(ConfigError, match="DATABRICKS_SP_CLIENT_ID") as caught:
        load_credentials(environ, None)
    assert "secret scope genie-obs" in str(caught.value)


def test_unreadable_scope_is_named_when_nothing_is_found() -> None:
    with pytest.raises(ConfigError, match="LookupError"):
        load_credentials({}, no_secret)


@pytest.mark.parametrize("missing", list(ENVIRON))
def test_half_of_the_variables_names_the_missing_one(missing: str) -> None:
    environ = {name: value for name, value in ENVIRON.items() if name != missing}
    with pytest.raises(ConfigError, match=f"{missing} is missing") as caught:
        load_credentials(environ, None)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("missing", ["sp_client_id", "sp_client_secret"])
def test_half_of_the_scope_names_the_missing_key(missing: str) -> None:
    with pytest.raises(ConfigError, match=f"{missing} is missing"):
        load_credentials({}, lambda _, key: "" if key == missing else "x")


def test_client_id_is_found_wherever_a_run_finds_its_credentials() -> None:
    stored = {("genie-obs", "sp_client_id"): "app-2", ("genie-obs", "sp_client_secret"): SECRET}

    assert find_client_id(ENVIRON, no_secret) == "app-1"
    assert find_client_id({}, lambda scope, key: stored[scope, key]) == "app-2"


@pytest.mark.parametrize("environ", [{}, {"DATABRICKS_SP_CLIENT_SECRET": SECRET}])
def test_no_client_id_is_no_error(environ: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    assert find_client_id(environ, no_secret) == ""
    assert "without credentials" in caplog.text
    assert SECRET not in caplog.text
