"""Which addresses may be sent the service principal's secret and its tokens; every other one is refused.

An address comes from a table that others write. It is trusted if it is https on the default port under one of Databricks'
domains, or if whoever runs this job listed it (`allowed_hosts`). Plain http is trusted only to this machine, and only while
the tables are on this machine too: that is the simulator.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from genie_obs.errors import BadValueError, UntrustedHostError, clean_text

# Where workspaces are. Source: environments.py of databricks-sdk; for .mil Databricks' reference for government regions.
# Not all of databricks.com: other companies serve pages under some of its names.
DATABRICKS_DOMAINS = (
    "cloud.databricks.com",
    "cloud.databricks.us",
    "cloud.databricks.mil",
    "azuredatabricks.net",
    "databricks.azure.us",
    "databricks.azure.cn",
    "gcp.databricks.com",
)
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_CORRECT = "Correct the workspace's URL."
_HOW_TO_ALLOW = (
    "If it is the address of a workspace of yours, name it in --allowed-hosts; else correct the workspace's URL."
)


@dataclass(frozen=True, kw_only=True)
class HostRules:
    """What is trusted besides Databricks' own domains."""

    # Each is `host`, `host:port`, or `*.domain` for all names under a domain, in the form that `parse_allowed_host` returns.
    allowed_hosts: tuple[str, ...] = ()
    is_loopback_allowed: bool = False  # plain http to this machine: the simulator


def trusted_host(workspace_url: str, rules: HostRules, *, workspace_id: str = "") -> str:
    """Return `https://host[:port]` of a workspace's address, which may have no scheme, and may have a path.

    Raises:
        UntrustedHostError: credentials must not go there. Its text says why and shows no password of the address.
    """

    def refuse(problem: str, fix: str = _CORRECT) -> UntrustedHostError:
        shown = clean_text(workspace_url.rpartition("@")[2])
        return UntrustedHostError(problem, fix, workspace_id=workspace_id, host=shown)

    scheme, host, port = _split(workspace_url, refuse)
    origin = f"{scheme}://{_origin(host, port)}"
    if rules.is_loopback_allowed and is_loopback(host):
        return origin
    if scheme == "http":
        raise refuse("The address is plain http, which would show the credentials to the network or a proxy")
    if _is_allowed(host, port, rules.allowed_hosts):
        return origin
    if not _is_under(host, DATABRICKS_DOMAINS):
        raise refuse("The host is under none of Databricks' domains", _HOW_TO_ALLOW)
    if port is not None:
        raise refuse(f"The address names port {port}, where no workspace listens", _HOW_TO_ALLOW)
    return origin


def check_origin(host: str, *, workspace_id: str) -> str:
    """Return an address that `trusted_host` returned before; its form is checked again before a token is sent there.

    Raises:
        UntrustedHostError: it has another form.
    """

    def refuse(problem: str, fix: str = _CORRECT) -> UntrustedHostError:
        return UntrustedHostError(problem, fix, workspace_id=workspace_id, host=clean_text(host.rpartition("@")[2]))

    scheme, name, _ = _split(host, refuse)
    if scheme == "http" and not is_loopback(name):
        raise refuse("The address is plain http")
    return host


def parse_allowed_host(text: str) -> str:
    """Return an entry of `allowed_hosts` in the form that is compared.

    Raises:
        BadValueError: the text is no host.
    """
    entry = text.strip().lower()
    domain = entry.removeprefix("*.")
    is_wildcard = domain != entry
    host, port = _split_allowed(domain)
    is_name = bool(_HOST_NAME.fullmatch(host)) and "." in host and not host[-1].isdigit()
    is_valid = (is_name and port is None) if is_wildcard else (is_name or _parse_ip(host) is not None)
    if not is_valid:
        raise BadValueError(
            f"{text.strip()!r} is no host", "Use host, host:port or *.domain, without https:// and path."
        )
    return ("*." if is_wildcard else "") + _origin(host, None if port == _DEFAULT_PORTS["https"] else port)


def host_of(url: str) -> str:
    """Return `host[:port]` of an address, which may have a scheme and a path; '' if there is none."""
    text = url.strip().lower()
    try:
        return urlsplit(text if "://" in text else f"https://{text}").netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _split_allowed(text: str) -> tuple[str, int | None]:
    """Return host and port of `host[:port]`; the host is empty if there is anything else in the text."""
    try:
        parts = urlsplit(f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "", None
    is_plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    return (host, port) if is_plain else ("", None)


def is_loopback(host: str) -> bool:
    """Return whether a host name without port can only be this machine."""
    address = _parse_ip(host)
    return address.is_loopback if address is not None else host == "localhost"


def _split(url: str, refuse: Callable[..., UntrustedHostError]) -> tuple[str, str, int | None]:
    """Return the scheme, the host in lower case, and the port, which is None for the default one."""
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise refuse("The address cannot be read as a URL") from None
    if "@" in parts.netloc:
        raise refuse("The address carries a user name")
    if parts.scheme not in _DEFAULT_PORTS:
        raise refuse("The address is not https")
    host = host.removesuffix(".")
    # ASCII only: Databricks uses no other letters, and those that look alike deceive. Other names have an ASCII form.
    if not _HOST_NAME.fullmatch(host) and _parse_ip(host) is None:
        raise refuse("The address has no valid host name")
    return parts.scheme, host, None if port == _DEFAULT_PORTS[parts.scheme] else port


def _origin(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _is_allowed(host: str, port: int | None, allowed_hosts: tuple[str, ...]) -> bool:
    domains = tuple(entry.removeprefix("*.") for entry in allowed_hosts if entry.startswith("*."))
    return _origin(host, port) in allowed_hosts or (port is None and _is_under(host, domains))


def _is_under(host: str, domains: tuple[str, ...]) -> bool:
    return any(host.endswith(f".{domain}") for domain in domains)


def _parse_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
