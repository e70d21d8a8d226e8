"""Where credentials may go, and the many ways an address pretends to be such a place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genie_obs.errors import UntrustedHostError
from genie_obs.security.hosts import DATABRICKS_DOMAINS, HostRules, check_origin, parse_allowed_host, trusted_host

NONE = HostRules()
HERE = HostRules(is_loopback_allowed=True)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("adb-1.2.azuredatabricks.net", "https://adb-1.2.azuredatabricks.net"),
        ("adb-1.2.databricks.azure.us", "https://adb-1.2.databricks.azure.us"),
        ("adb-1.2.databricks.azure.cn", "https://adb-1.2.databricks.azure.cn"),
        ("1234567890.5.gcp.databricks.com", "https://1234567890.5.gcp.databricks.com"),
        ("acme.cloud.databricks.us", "https://acme.cloud.databricks.us"),
        ("acme.cloud.databricks.mil", "https://acme.cloud.databricks.mil"),
        ("HTTPS://Acme.Cloud.Databricks.COM/", "https://acme.cloud.databricks.com"),
        ("https://acme.cloud.databricks.com./", "https://acme.cloud.databricks.com"),
        ("https://acme.cloud.databricks.com/?o=123#job", "https://acme.cloud.databricks.com"),
        (" acme.cloud.databricks.com/login \n", "https://acme.cloud.databricks.com"),
        ("https://acme.cloud.databricks.com:443", "https://acme.cloud.databricks.com"),
    ],
)
def test_addresses_under_the_domains_of_databricks_are_trusted(url: str, host: str) -> None:
    assert trusted_host(url, NONE) == host
    assert check_origin(host, workspace_id="") == host


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "no valid host name"),
        ("https://", "no valid host name"),
        ("https://evil.example", "none of Databricks' domains"),
        ("https://databricks.com", "none of Databricks' domains"),
        ("https://community.databricks.com", "none of Databricks' domains"),
        ("https://cloud.databricks.com", "none of Databricks' domains"),
        ("https://acmecloud.databricks.com.evil.example", "none of Databricks' domains"),
        ("https://evilazuredatabricks.net", "none of Databricks' domains"),
        ("https://evil.example/acme.cloud.databricks.com", "none of Databricks' domains"),
        ("https://evil.example?.cloud.databricks.com", "none of Databricks' domains"),
        ("https://evil.example#.cloud.databricks.com", "none of Databricks' domains"),
        ("https://evil.example\\.cloud.databricks.com", "no valid host name"),
        ("https://evil.example%2f.cloud.databricks.com", "no valid host name"),
        ("https://evil.example\u3002cloud.databricks.com", "no valid host name"),
        ("https://acme.cloud.d\u0430tabricks.com", "no valid host name"),
        ("https://acme.cloud.databricks.com\u2024evil.example", "no valid host name"),
        ("https://me:pw-value@acme.cloud.databricks.com", "user name"),
        ("https://acme.cloud.databricks.com@evil.example", "user name"),
        ("https://@acme.cloud.databricks.com", "user name"),
        ("https://acme.cloud.databricks.com:8443", "port 8443"),
        ("https://acme.cloud.databricks.com:80", "port 80"),
        ("https://acme.cloud.databricks.com:port", "cannot be read"),
        ("http://acme.cloud.databricks.com", "plain http"),
        ("http://127.0.0.1.example.com", "plain http"),
        ("http://127.0.0.1:8080", "plain http"),
        ("https://127.0.0.1", "none of Databricks' domains"),
        ("https://localhost:8443", "none of Databricks' domains"),
        ("https://169.254.169.254", "none of Databricks' domains"),
        ("https://2130706433", "none of Databricks' domains"),
        ("ftp://acme.cloud.databricks.com", "not https"),
        ("file:///etc/passwd", "not https"),
        ("https://acme cloud.databricks.com", "no valid host name"),
        ("https://[::1", "cannot be read"),
        ("https://-acme.cloud.databricks.com", "no valid host name"),
        ("https://acme..cloud.databricks.com", "no valid host name"),
        ("https://.cloud.databricks.com", "no valid host name"),
    ],
)
def test_everything_else_is_refused_and_its_password_not_shown(url: str, why: str) -> None:
    with pytest.raises(UntrustedHostError, match=why) as caught:
        trusted_host(url, NONE, workspace_id="42")

    assert caught.value.workspace_id == "42"
    assert "pw-value" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
    ],
)
def test_this_machine_is_trusted_while_the_tables_are_here(url: str, host: str) -> None:
    assert trusted_host(url, HERE) == host
    assert check_origin(host, workspace_id="") == host
    with pytest.raises(UntrustedHostError):
        trusted_host(url, NONE)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1", "http://0.0.0.0:80", "http://localhost.evil.example", "https://evil.example"]
)
def test_loopback_opens_no_other_door(url: str) -> None:
    with pytest.raises(UntrustedHostError):
        trusted_host(url, HERE)


@pytest.mark.parametrize(
    ("allowed", "url", "is_trusted"),
    [
        ("genie.acme.com", "https://genie.acme.com", True),
        ("genie.acme.com", "https://GENIE.acme.com./sql", True),
        ("genie.acme.com", "https://x.genie.acme.com", False),
        ("genie.acme.com", "https://genie.acme.com:8443", False),
        ("genie.acme.com", "http://genie.acme.com", False),
        ("genie.acme.com:8443", "https://genie.acme.com:8443", True),
        ("genie.acme.com:8443", "https://genie.acme.com", False),
        ("*.acme.com", "https://a.b.acme.com", True),
        ("*.acme.com", "https://acme.com", False),
        ("*.acme.com", "https://evilacme.com", False),
        ("*.acme.com", "https://a.acme.com:8443", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("[fd00::1]:8443", "https://[fd00::1]:8443", True),
        ("acme.cloud.databricks.com:8443", "https://acme.cloud.databricks.com:8443", True),
        ("genie.acme.com", "https://acme.cloud.databricks.com", True),
    ],
)
def test_listed_hosts_are_trusted_exactly_as_listed(allowed: str, url: str, is_trusted: bool) -> None:
    rules = HostRules(allowed_hosts=(parse_allowed_host(allowed),))
    if is_trusted:
        assert trusted_host(url, rules).startswith("https://")
    else:
        with pytest.raises(UntrustedHostError):
            trusted_host(url, rules)


@given(st.text(max_size=40), st.sampled_from(DATABRICKS_DOMAINS), st.text(max_size=20))
def test_whatever_is_around_a_domain_of_databricks_the_host_that_is_asked_is_under_it(
    before: str, domain: str, after: str
) -> None:
    try:
        host = trusted_host(f"{before}{domain}{after}", NONE)
    except UntrustedHostError:
        return

    assert host.startswith("https://")
    assert any(host.endswith(f".{name}") for name in DATABRICKS_DOMAINS)
    assert not set(host.removeprefix("https://")) & set("/@:?#\\% ")


@pytest.mark.parametrize(
    "host", ["http://acme.cloud.databricks.com", "https://me@acme.com", "ftp://acme.com", "https://"]
)
def test_a_token_is_not_put_on_a_request_to_what_is_no_origin(host: str) -> None:
    with pytest.raises(UntrustedHostError):
        check_origin(host, workspace_id="42")
