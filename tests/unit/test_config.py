"""Settings: one spelling in flags and variables, checked together."""

from __future__ import annotations

from pathlib import Path

import pytest

from genie_obs.config import SETTINGS, DiscoverySettings, EngineSettings, FetchSettings, Scope, parse_settings
from genie_obs.errors import ConfigError
from genie_obs.security.content_policy import ContentPolicies, ContentSettings, Policy
from genie_obs.settings import hide_passwords

INVALID = {
    "engine": ["duckdb", "sc://", "http://x"],
    "catalog": ["a.b", "a b", "`x`", "1x"],
    "schema": ["a;b"],
    "system_catalog": ["'"],
    "workspace_ids": ["1,a b", "1;2", "x" * 65],
    "space_ids": ["' OR 1=1"],
    "days_lookback": ["0", "-1", "3651", "1.5", "many"],
    "overlap_days": ["-1", "366"],
    "batch_size": ["0", "100001"],
    "max_concurrency": ["0", "1001"],
    "max_requests_per_second": ["0", "nan", "inf", "-1", "x"],
    "timeout_seconds": ["0", "3601", "nan"],
    "allowed_hosts": [
        "https://acme.com",
        "acme.com/path",
        "*",
        "*.com",
        "a b.com",
        "me@acme.com",
        "acme.com:99999",
        "*.a.com:8",
    ],
    "proxy": ["proxy:8080", "ftp://proxy", "http://a b"],
    "max_attempts": ["0", "1001"],
    "deadline_seconds": ["0", "604801", "soon"],
    "settle_days": ["0", "3651"],
    "content_policy": [
        "everything",
        "full; redacted",
        "1=",
        "1=erased",
        "1=full;1=hashed",
        "1/s=full;1/s=full",
        "a b=full",
        "1/=full",
    ],
    "phone_regions": ["Germany", "US,XX"],
}


def test_nothing_given_is_the_documented_default() -> None:
    settings = parse_settings({}, {})

    assert settings.engine == EngineSettings(engine="local", lakehouse=Path("lakehouse"))
    assert (settings.scope, settings.discovery, settings.fetch) == (Scope(), DiscoverySettings(), FetchSettings())
    assert settings.content == ContentSettings()


def test_engine_defaults_to_databricks_on_databricks() -> None:
    environ = {"DATABRICKS_RUNTIME_VERSION": "17.3"}

    assert parse_settings({}, environ).engine.engine == "databricks"
    assert parse_settings({"engine": "local"}, environ).engine.engine == "local"


@pytest.mark.parametrize("engine", ["local", "databricks", "sc://localhost:15002", "sc://host:443/;token=x"])
def test_known_engines_are_accepted(engine: str) -> None:
    assert parse_settings({"engine": engine}, {}).engine.engine == engine


def test_flag_wins_over_variable_and_variable_over_default() -> None:
    environ = {"GENIE_OBS_DAYS_LOOKBACK": "5", "GENIE_OBS_BATCH_SIZE": "7"}

    settings = parse_settings({"days_lookback": "9"}, environ)

    assert (settings.discovery.days_lookback, settings.fetch.batch_size) == (9, 7)


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_blank_flag_is_one_that_was_not_given(blank: str | None) -> None:
    settings = parse_settings({"days_lookback": blank}, {"GENIE_OBS_DAYS_LOOKBACK": "5", "GENIE_OBS_CATALOG": " "})

    assert (settings.discovery.days_lookback, settings.engine.catalog) == (5, "main")


def test_every_setting_can_be_given_by_its_variable() -> None:
    given = {
        "engine": "databricks", "lakehouse": "/data", "catalog": "c", "schema": "s", "system_catalog": "sys",
        "workspace_ids": "1, 2,,1", "space_ids": "s1", "days_lookback": "3", "overlap_days": "4", "batch_size": "5",
        "max_concurrency": "6", "max_requests_per_second": "7.5", "timeout_seconds": "8", "proxy": "http://proxy:3128",
        "allowed_hosts": "genie.acme.com, *.Acme.com,,genie.acme.com:443", "max_attempts": "9", "settle_days": "10",
        "content_policy": "redacted; 1=hashed; 1/s1=metrics_only", "phone_regions": "us, DE,US", "retention_days": "11",
        "deadline_seconds": "12", "workspace_addresses": "7=https://seven.acme.com",
        "skip_sources": "query.history",
    }  # fmt: skip
    assert set(given) == {setting.name for setting in SETTINGS}
    variables = {setting.name: setting.variable for setting in SETTINGS}

    by_variable = parse_settings({}, {variables[name]: value for name, value in given.items()})

    assert by_variable == parse_settings(given, {})
    assert by_variable.engine == EngineSettings(
        engine="databricks", lakehouse=Path("/data"), catalog="c", schema="s", system_catalog="sys"
    )
    assert by_variable.scope == Scope(workspace_ids=("1", "2"), space_ids=("s1",))
    assert by_variable.discovery == DiscoverySettings(days_lookback=3, overlap_days=4, skip_sources=("query.history",))
    assert by_variable.fetch == FetchSettings(
        batch_size=5, max_concurrency=6, max_requests_per_second=7.5, timeout_seconds=8, proxy="http://proxy:3128",
        allowed_hosts=("genie.acme.com", "*.acme.com"), max_attempts=9, settle_days=10,
        workspace_addresses=(("7", "https://seven.acme.com"),),
    )  # fmt: skip
    assert by_variable.content == ContentSettings(
        content_policy=ContentPolicies(
            default=Policy.REDACTED, workspaces={"1": Policy.HASHED}, spaces={("1", "s1"): Policy.METRICS_ONLY}
        ),
        phone_regions=("US", "DE"),
    )
    assert (by_variable.retention_days, by_variable.deadline_seconds) == (11, 12)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in INVALID.items() for value in values])
def test_invalid_value_is_refused_with_the_name_it_was_given_by(name: str, value: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)

    with pytest.raises(ConfigError) as by_flag:
        parse_settings({name: value}, {})
    with pytest.raises(ConfigError) as by_variable:
        parse_settings({}, {setting.variable: value})

    assert by_flag.value.problem.startswith(f"{setting.flag} ")
    assert by_variable.value.problem.startswith(f"{setting.variable} ")
    assert by_flag.value.fix


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings({name: values[0] for name, values in INVALID.items()}, {})

    assert len(caught.value.problems) == len(INVALID)


def test_password_in_a_refused_proxy_address_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings({"proxy": "http://me:open-sesame@proxy:3128"}, {})

    assert "open-sesame" not in str(caught.value)


def test_password_in_a_refused_host_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match="is no host") as caught:
        parse_settings({"allowed_hosts": "acme.com,https://me:open-sesame@acme.com"}, {})

    assert "open-sesame" not in str(caught.value)


def test_defaults_shown_to_users_are_those_that_apply() -> None:
    shown = {setting.name: setting.default_text for setting in SETTINGS if setting.default_text}

    assert parse_settings(shown, {}) == parse_settings({}, {})


def test_scope_is_handed_to_statements_as_one_text() -> None:
    assert (Scope().workspaces_text, Scope(workspace_ids=("1", "2"), space_ids=("s",)).workspaces_text) == ("", "1,2")


SECRET_SPELLINGS = [
    "sc://h/;token=hush", "sc://h:443/;use_ssl=true;token=hush;a=b", "SC://H/;TOKEN=hush", "sc://h;token=hush", "sc://h:443/;x-auth=hush",
    "sc://me:hush@h:443", "sc://me:hu;hush@h/;token=hush", "sc://h/;token=a@hush", "sc://h/?token=hush", "sc://h/token=hush",
    "sc:/h;token=hush", "sc//h;token=hush", "spark://h:7077/;token=hush", "h:443/;token=hush", "http://me:hush@proxy:3128", "http://me:hu/hush@proxy:3128",
    "me:hush@proxy:3128", "me:hu/hush@proxy", "--engin=sc://h/;token=hush", "--client-secret=hush",
]  # fmt: skip


@pytest.mark.parametrize("text", SECRET_SPELLINGS)
def test_password_or_token_in_a_value_is_hidden(text: str) -> None:
    assert "hush" not in hide_passwords(text)
    assert "hu" not in hide_passwords(text)
    assert "***" in hide_passwords(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sc://h:443/;use_ssl=true;token=hush", "sc://h:443/;***"),
        ("http://me:hush@proxy:3128", "http://***@proxy:3128"),
        ("--prox=http://me:hush@proxy", "--prox=http://***@proxy"),
        ("sc://h:15002", "sc://h:15002"),
        ("redacted; 1=hashed; 1/s1=full", "redacted; 1=hashed; 1/s1=full"),
        ("/data/lakehouse", "/data/lakehouse"),
        ("local", "local"),
    ],
)
def test_what_is_no_secret_stays_readable(text: str, shown: str) -> None:
    assert hide_passwords(text) == shown


@pytest.mark.parametrize("text", [text for text in SECRET_SPELLINGS if not text.startswith("--")])
def test_settings_show_no_token(text: str) -> None:
    """Neither a refused address nor one that is accepted."""
    try:
        shown = repr(parse_settings({"engine": text}, {}))
    except ConfigError as error:
        shown = f"{error} {error.problem} {error!r}"

    assert "hu" not in shown
