"""Checks that need nothing but what is at hand: versions, credentials, the secret scope, and what an exit code says."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError

import pytest

from genie_obs.doctor.report import Check, DoctorReport, Status, fail, ok, skip, warn
from genie_obs.doctor.setup import check_content_policy, check_credentials, check_versions
from genie_obs.security.content_policy import ContentSettings, parse_policies
from genie_obs.security.credentials import load_content_hash_key

BOTH = {"sp_client_id": "the-id", "sp_client_secret": "the-secret"}
VERSIONS = {
    "aiohttp": "3.14", "pyarrow": "26.0", "databricks-sdk": "0.156", "pyspark-client": "4.2.0", "pysail": "0.7", "deltalake": "1.6",
    "pandas": "2.3.3",
}  # fmt: skip


class FakeScope:
    """Secrets by key; a text that starts with ! is what reading the key raises."""

    def __init__(self, **keys: str) -> None:
        self._keys = keys

    def __call__(self, scope: str, key: str) -> str:
        value = self._keys.get(key, "!Secret does not exist with scope: genie-obs and key: " + key)
        if value.startswith("!"):
            raise RuntimeError(value[1:])
        return value


def version_of(installed: dict[str, str]) -> object:
    def look_up(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    return look_up


def by_name(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_versions_of_everything_that_matters_are_named() -> None:
    check = check_versions("local", version_of(VERSIONS))  # type: ignore[arg-type]  # a look-up is a look-up

    assert check.status is Status.OK
    assert all(f"{name} {number}" in check.detail for name, number in VERSIONS.items())


def test_missing_packages_of_the_local_engine_are_named_with_the_command() -> None:
    check = check_versions("local", version_of({"aiohttp": "3.14", "pyarrow": "26.0"}))  # type: ignore[arg-type]

    assert check.status is Status.FAIL
    assert "missing: pysail, deltalake, pandas, pyspark-client" in check.detail
    assert check.fix == "pip install 'genie-obs[local]'"


def test_databricks_needs_no_package_that_its_runtime_brings() -> None:
    check = check_versions("databricks", version_of({"aiohttp": "3.14", "pyarrow": "26.0"}))  # type: ignore[arg-type]

    assert check.status is Status.OK


def test_pandas_that_pyspark_cannot_use_is_named() -> None:
    check = check_versions("local", version_of({**VERSIONS, "pandas": "3.0.1"}))  # type: ignore[arg-type]

    assert check.status is Status.FAIL
    assert "pandas<3" in str(check.fix)


def test_credentials_from_the_scope_are_found_without_being_shown() -> None:
    found = check_credentials({}, FakeScope(**BOTH))

    checks = by_name(found.checks)
    assert [check.status for check in found.checks] == [Status.OK, Status.OK]
    assert "the-id, from secret scope genie-obs" in checks["credentials"].detail
    assert "the-secret" not in repr(found)


def test_scope_that_variables_make_unnecessary_is_not_used() -> None:
    variables = {"DATABRICKS_SP_CLIENT_ID": "mine", "DATABRICKS_SP_CLIENT_SECRET": "hush"}

    found = check_credentials(variables, FakeScope())

    assert found.credentials is not None
    assert "not used" in by_name(found.checks)["secret scope"].detail


@pytest.mark.parametrize(
    ("scope", "detail", "fix"),
    [
        (
            FakeScope(sp_client_id="!PERMISSION_DENIED: no", sp_client_secret="!PERMISSION_DENIED: no"),
            "no permission to read scope genie-obs",
            "put-acl genie-obs",
        ),
        (
            FakeScope(
                sp_client_id="!Scope genie-obs does not exist!", sp_client_secret="!Scope genie-obs does not exist!"
            ),
            "scope genie-obs does not exist",
            "create_genie_obs_secrets.py",
        ),
        (FakeScope(sp_client_id="the-id"), "genie-obs lacks sp_client_secret", "put-secret genie-obs sp_client_secret"),
        (FakeScope(), "genie-obs lacks sp_client_id and sp_client_secret", "put-secret genie-obs sp_client_id"),
        (FakeScope(sp_client_id="the-id", sp_client_secret=" "), "lacks sp_client_secret", "put-secret"),
    ],
    ids=["no READ", "no scope", "one key", "no key", "empty value"],
)
def test_what_is_wrong_with_the_scope_is_told_with_its_fix(scope: FakeScope, detail: str, fix: str) -> None:
    found = check_credentials({}, scope)

    checks = by_name(found.checks)
    assert found.credentials is None
    assert detail in checks["secret scope"].detail
    assert fix in str(checks["secret scope"].fix)
    assert checks["credentials"].status is Status.FAIL
    assert "the-id" not in repr(found.checks)


HASHED = ContentSettings(content_policy=parse_policies("full; 1=hashed"))


def test_key_is_no_question_where_nothing_is_hashed() -> None:
    def unread(scope: str, key: str) -> str:
        raise AssertionError(key)

    assert check_content_policy(ContentSettings(), {}, unread) == []


@pytest.mark.parametrize(
    ("environ", "scope"),
    [
        ({"GENIE_OBS_CONTENT_HASH_KEY": "a key long enough"}, None),
        ({}, FakeScope(content_hash_key=" a key long enough\n")),
    ],
    ids=["variable", "scope"],
)
def test_key_of_the_hashes_is_found_without_being_shown(environ: dict[str, str], scope: FakeScope | None) -> None:
    [check] = check_content_policy(HASHED, environ, scope)

    assert check.status is Status.OK
    assert "long enough" not in repr(load_content_hash_key(HASHED, environ, scope))


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (None, "without one, a short question can be guessed"),
        (FakeScope(content_hash_key=""), "without one, a short question can be guessed"),
        (FakeScope(content_hash_key="!PERMISSION_DENIED: no"), "from the secret scope genie-obs failed (RuntimeError)"),
        (FakeScope(content_hash_key="short"), "too short"),
    ],
    ids=["nowhere", "empty", "no READ", "short"],
)
def test_missing_key_of_the_hashes_is_named_with_its_fix(scope: FakeScope | None, said: str) -> None:
    [check] = check_content_policy(HASHED, {}, scope)

    assert check.status is Status.FAIL
    assert said in check.detail
    assert "content_hash_key" in str(check.fix) + check.detail
    assert "GENIE_OBS_CONTENT_HASH_KEY" in str(check.fix)


def test_half_in_the_environment_is_not_completed_from_the_scope() -> None:
    found = check_credentials({"DATABRICKS_SP_CLIENT_ID": "mine"}, FakeScope(**BOTH))

    [check] = found.checks
    assert "only one of" in check.detail
    assert found.credentials is None


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([ok("a", "")], 0),
        ([ok("a", ""), warn("b", ""), skip("c", "")], 0),
        ([ok("a", ""), fail("b", "", fix="x", is_partial=True)], 3),
        ([fail("a", "", fix="x"), fail("b", "", fix="x", is_partial=True)], 2),
    ],
)
def test_exit_code_says_what_would_work(checks: list[Check], code: int) -> None:
    report = DoctorReport(tuple(checks))

    assert report.exit_code == code
    assert json.loads(report.to_json())["exit_code"] == code
    assert list(report.lines())[-1] == report.summary


def test_foreign_text_cannot_forge_lines() -> None:
    report = DoctorReport((fail("a", "bad\nok    everything  fine\x1b[0m", fix="x"),))

    assert len(list(report.lines())) == 3
    assert "\x1b" not in "\n".join(report.lines())
